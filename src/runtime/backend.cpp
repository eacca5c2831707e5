#include "base/cpu.h"
#include "ir/op.h"
#include "ir/subgraph.h"
#include "pare/error.h"
#include "passes/pass.h"
#include "runtime/executor.h"
#include "runtime/runtime.h"

namespace pare::runtime {

namespace {

class CpuBackend final : public exec::Backend {
 public:
  std::string name() const override { return "cpu"; }

  std::vector<exec::Refusal> refusals(const ir::Model& given) const override {
    ir::Model model = given;
    passes::find_pass("inline_functions").run(model);
    std::vector<exec::Refusal> found;
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
    return std::make_unique<CpuExecutor>(model, options);
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
};

}  // namespace

const exec::Backend& backend() {
  static const CpuBackend cpu;
  return cpu;
}

}  // namespace pare::runtime
