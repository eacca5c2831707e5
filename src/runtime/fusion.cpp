#include "runtime/fusion.h"

#include <cmath>

#include "passes/pass.h"

namespace pare::runtime {

#define PARE_FUSION(file) extern const passes::Pass k_##file;
#include "runtime/fusions.inc"
#undef PARE_FUSION

void run_fusions(ir::Model& model) {
  static constexpr const passes::Pass* kRows[] = {
#define PARE_FUSION(file) &k_##file,
#include "runtime/fusions.inc"
#undef PARE_FUSION
  };
  for (const passes::Pass* row : kRows)
    if (row->run(model) > 0) model.graph.erase_dead();
}

std::optional<float> scalar_of(const ir::Graph& graph, ir::ValueId value) {
  const Tensor* constant = graph.constant(value);
  if (!constant || constant->dtype() != DType::kFloat32 || constant->numel() != 1) return std::nullopt;
  return constant->data<float>()[0];
}

bool is_scalar(const ir::Graph& graph, ir::ValueId value, float wanted) {
  const auto scalar = scalar_of(graph, value);
  return scalar && std::fabs(*scalar - wanted) <= 1e-6f * std::fabs(wanted);
}

ir::ValueId other_operand(const ir::Node& node, ir::ValueId known) {
  if (node.inputs.size() != 2 || (node.input(0) == known) == (node.input(1) == known)) return ir::kNoValue;
  return node.input(0) == known ? node.input(1) : node.input(0);
}

void replace_by_unary(ir::Graph& graph, ir::NodeId last, const char* op_type, ir::ValueId x, const char* approximate) {
  ir::Node fused;
  fused.op_type = op_type;
  fused.name = graph.node(last).name;
  fused.inputs = {x};
  const ir::ValueId result = graph.node(last).output(0);
  graph.set_output(last, 0, graph.add_value(""));
  fused.outputs = {result};
  if (approximate) fused.set("approximate", std::string(approximate));
  graph.add_node(std::move(fused), last);
  graph.erase_node(last);
}

}  // namespace pare::runtime
