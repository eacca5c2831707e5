// x → Identity → y                                  x
// x → Dropout (inference) → y                       x      when its mask is not read and training_mode is not true
// x → Cast to x's type → y                          x
// x → Transpose, perm = 0 1 2 … → y                 x
// x → Reshape / Flatten / Expand to x's own shape   x      when both shapes are static and equal
// x → Pad by zeros everywhere → y                   x
// x → Concat of one operand / Sum, Max, Min of one  x
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace pare::passes {

namespace {

bool same_static_shape(const ir::Graph& graph, const ir::Node& node) {
  const ir::Value& x = graph.value(node.input(0));
  const ir::Value& y = graph.value(node.output(0));
  return x.shape.is_static() && y.shape.is_static() && x.shape == y.shape;
}

bool is_idle_dropout(const ir::Graph& graph, const ir::Node& node) {
  const ir::ValueId mask = node.output(1);
  if (mask != ir::kNoValue && (graph.is_output(mask) || !graph.value(mask).consumers.empty())) return false;
  const ir::ValueId mode = node.input(2);
  if (mode == ir::kNoValue) return true;
  const Tensor* training = graph.constant(mode);
  return training && training->dtype() == DType::kBool && training->numel() == 1 && !training->data<bool>()[0];
}

bool is_idle_transpose(const ir::Node& node) {
  const std::vector<std::int64_t> perm = node.ints_or("perm", {});
  for (std::size_t i = 0; i < perm.size(); ++i)
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  return !perm.empty();
}

bool is_idle_pad(const ir::Graph& graph, const ir::Node& node) {
  std::vector<std::int64_t> pads = node.ints_or("pads", {});
  if (pads.empty()) {
    const auto constant = constant_ints(graph, node.input(1));
    if (!constant) return false;
    pads = *constant;
  }
  for (std::int64_t amount : pads)
    if (amount != 0) return false;
  return !pads.empty();
}

bool is_no_op(const ir::Graph& graph, const ir::Node& node) {
  if (!node.domain.empty() || node.inputs.empty() || node.input(0) == ir::kNoValue) return false;
  const std::string& type = node.op_type;
  if (type == "Identity") return graph.value(node.input(0)).opaque_type.empty();
  if (type == "Dropout") return is_idle_dropout(graph, node);
  if (type == "Cast") {
    const DType from = graph.value(node.input(0)).dtype;
    return from != DType::kUndefined && static_cast<std::int64_t>(from) == node.int_or("to", 0);
  }
  if (type == "Transpose") return is_idle_transpose(node);
  if (type == "Reshape" || type == "Flatten" || type == "Expand") return same_static_shape(graph, node);
  if (type == "Pad") return is_idle_pad(graph, node);
  if (type == "Concat" || type == "Sum" || type == "Max" || type == "Min") return node.inputs.size() == 1;
  return false;
}

int run(ir::Model& model) {
  int removed = 0;
  const std::vector<ir::NodeId> order = model.graph.nodes();
  for (ir::NodeId id : order)
    if (is_no_op(model.graph, model.graph.node(id))) removed += bypass(model.graph, id);
  return removed;
}

}  // namespace

extern const Pass k_remove_identity;
const Pass k_remove_identity{"remove_identity", "x → Identity, Dropout, no-op Cast/Transpose/Reshape/Pad → x", run};

}  // namespace pare::passes
