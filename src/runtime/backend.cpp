#include <map>
#include <mutex>

#include "base/cpu.h"
#include "ir/op.h"
#include "ir/subgraph.h"
#include "pare/error.h"
#include "passes/pass.h"
#include "runtime/executor.h"
#include "runtime/runtime.h"
#include "runtime/tuner.h"

namespace pare::runtime {

namespace {

class CpuBackend final : public exec::Backend {
 public:
  /// `tuner` nullptr: choices by estimates.
  CpuBackend(std::shared_ptr<Tuner> (*tuner)(), bool exact) : tuner_(tuner), exact_(exact) {}

  std::string name() const override { return "cpu"; }

  std::vector<exec::Refusal> refusals(const ir::Model& given) const override {
    std::vector<exec::Refusal> found;
    if (given.functions.empty()) {  // as nearly always: no copy of the graph for it
      collect(given, given.graph, found);
      return found;
    }
    ir::Model model = given;
    passes::find_pass("inline_functions").run(model);
    collect(model, model.graph, found);
    return found;
  }

  std::unique_ptr<exec::Executor> compile(const ir::Model& model, const exec::CompileOptions& options) const override {
    const std::vector<exec::Refusal> refused = refusals(model);
    if (!refused.empty())
      throw Error(ErrorCode::kUnsupported, refused.front().node,
                  "the runtime cannot run " + std::to_string(refused.size()) + " node(s): " + ir::describe(refused));
    if (options.precision == DType::kBFloat16 && !isa_available(Isa::kAvx512Bf16))
      throw Error(ErrorCode::kUnsupported, "precision bf16", "this CPU has no products of bfloat16",
                  std::string(pare::name(Isa::kAvx512Bf16)), std::string(pare::name(active_isa())));
    return std::make_unique<CpuExecutor>(model, options, tuner_ ? tuner_() : nullptr, exact_);
  }

 private:
  static void collect(const ir::Model& model, const ir::Graph& graph, std::vector<exec::Refusal>& found) {
    for (ir::NodeId id : graph.nodes()) {
      const ir::Node& node = graph.node(id);
      const std::int64_t opset = model.opset(node.domain);
      if (!ir::find_operator(node, opset))
        found.push_back(ir::refusal_of(graph, node, opset, ir::why_unknown(node, opset)));
      ir::for_each_subgraph(node, [&](const ir::Graph& inner) { collect(model, inner, found); });
    }
  }

  std::shared_ptr<Tuner> (*tuner_)();
  bool exact_;
};

/// One a process and instruction set, which PARE_FORCE_ISA may change.
std::shared_ptr<Tuner> shared_tuner() {
  static std::mutex mutex;
  static std::map<Isa, std::shared_ptr<Tuner>> tuners;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Tuner>& tuner = tuners[active_isa()];
  if (!tuner) tuner = std::make_shared<Tuner>(Tuner::default_folder());
  return tuner;
}

}  // namespace

const exec::Backend& backend(const Choosing& choosing) {
  static const CpuBackend estimated(nullptr, false), estimated_exact(nullptr, true), tuned(shared_tuner, false),
      tuned_exact(shared_tuner, true);
  if (choosing.tuned) return choosing.exact ? tuned_exact : tuned;
  return choosing.exact ? estimated_exact : estimated;
}

}  // namespace pare::runtime
