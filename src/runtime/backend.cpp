#include "base/text.h"
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
    ir::for_each_node(model.graph, [&](const ir::Node& node) {
      const std::int64_t opset = model.opset(node.domain);
      if (!ir::find_operator(node, opset)) found.push_back({node.name, node.op_type, ir::why_unknown(node, opset)});
    });
    return found;
  }

  std::unique_ptr<exec::Executor> compile(const ir::Model& model, const exec::CompileOptions& options) const override {
    const std::vector<exec::Refusal> refused = refusals(model);
    if (!refused.empty()) throw Error(ErrorCode::kUnsupported, refused.front().node, describe(refused));
    return std::make_unique<CpuExecutor>(model, options);
  }

 private:
  static std::string describe(const std::vector<exec::Refusal>& refused) {
    std::vector<std::string> parts;
    for (const exec::Refusal& refusal : refused)
      parts.push_back(refusal.node + " (" + refusal.op_type + "): " + refusal.reason);
    return "the runtime cannot run " + std::to_string(refused.size()) + " node(s): " + join(parts, "; ");
  }
};

}  // namespace

const exec::Backend& backend() {
  static const CpuBackend cpu;
  return cpu;
}

}  // namespace pare::runtime
