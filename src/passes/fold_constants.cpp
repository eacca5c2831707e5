// node with constant inputs  →  its result as an initializer        (by the scalar reference of the operator)
// node whose result inference knows (Shape, and what is computed from it)  →  that result
//
// Conditions: the operator is known and has no subgraphs; no result is a graph output or read by a subgraph; the result
// takes at most 64 MB, or no more than the inputs. DequantizeLinear and Codebook stay: such weights are kept as they are
// stored.
#include <algorithm>
#include <optional>
#include <set>

#include "ir/fake_quantize.h"
#include "ir/infer.h"
#include "ir/op.h"
#include "ir/subgraph.h"
#include "passes/pass.h"

namespace pare::passes {

namespace {

constexpr std::int64_t kMaxResultBytes = std::int64_t{64} << 20;

bool may_fold(const ir::Graph& graph, const ir::Node& node, const std::set<std::string>& captured) {
  if (node.op_type == "DequantizeLinear" || (node.op_type == "Codebook" && node.domain == ir::kPareDomain)) return false;
  if (ir::has_subgraph(node)) return false;
  return std::none_of(node.outputs.begin(), node.outputs.end(), [&](ir::ValueId v) {
    return v != ir::kNoValue && (graph.is_output(v) || captured.contains(graph.value(v).name));
  });
}

/// Results whose size is not known are taken to be small: they depend on the values of constants.
bool fits(const ir::Graph& graph, const ir::Node& node) {
  std::int64_t in = 0, out = 0;
  for (ir::ValueId id : node.inputs)
    if (const Tensor* tensor = graph.constant(id)) in += static_cast<std::int64_t>(tensor->bytes());
  for (ir::ValueId id : node.outputs) {
    if (id == ir::kNoValue) continue;
    const std::optional<Dims> dims = graph.value(id).shape.static_dims();
    if (dims) out += static_cast<std::int64_t>(bytes_for(graph.value(id).dtype, *dims));
  }
  return out <= std::max(kMaxResultBytes, in);
}

void replace_by(ir::Graph& graph, ir::NodeId id, std::vector<Tensor> results) {
  const std::vector<ir::ValueId> outputs = graph.node(id).outputs;
  graph.erase_node(id);
  for (std::size_t i = 0; i < outputs.size() && i < results.size(); ++i)
    if (outputs[i] != ir::kNoValue && graph.has_value(outputs[i]) && results[i].defined())
      graph.set_constant(outputs[i], std::move(results[i]));
}

bool fold_evaluated(ir::Model& model, ir::NodeId id) {
  const ir::Node& node = model.graph.node(id);
  std::vector<Tensor> inputs;
  for (ir::ValueId value : node.inputs) {
    const Tensor* tensor = model.graph.constant(value);
    if (value != ir::kNoValue && !tensor) return false;
    inputs.push_back(tensor ? *tensor : Tensor());
  }
  const std::int64_t opset = model.opset(node.domain);
  const ir::Operator* op = ir::find_operator(node, opset);
  if (!op || !fits(model.graph, node)) return false;
  std::vector<Tensor> results = op->evaluate(ir::EvaluateContext{node, opset, inputs});
  replace_by(model.graph, id, std::move(results));
  return true;
}

/// The elements of an integer tensor of rank ≤ 1 where inference knows them all.
std::optional<Tensor> known_elements(const ir::ValueFacts& facts) {
  if (!facts.elements || (facts.dtype != DType::kInt64 && facts.dtype != DType::kInt32)) return std::nullopt;
  const std::optional<Dims> dims = facts.shape.static_dims();
  if (!dims || element_count(*dims) != static_cast<std::int64_t>(facts.elements->size())) return std::nullopt;
  Tensor tensor(facts.dtype, *dims);
  for (std::size_t i = 0; i < facts.elements->size(); ++i) {
    const ir::Dim& element = (*facts.elements)[i];
    if (!element.is_known()) return std::nullopt;
    if (facts.dtype == DType::kInt64)
      tensor.mutable_data<std::int64_t>()[i] = element.value();
    else
      tensor.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(element.value());
  }
  return tensor;
}

/// What inference knows of a model as it was when it was first asked for; many have no integers that could be folded.
class Known {
 public:
  explicit Known(const ir::Model& model) : model_(model) {}
  const std::vector<ir::ValueFacts>& facts() {
    if (!facts_) facts_ = ir::infer_for(model_, {});
    return *facts_;
  }

 private:
  const ir::Model& model_;
  std::optional<std::vector<ir::ValueFacts>> facts_;
};

bool fold_known(ir::Graph& graph, ir::NodeId id, Known& known) {
  const ir::Node& node = graph.node(id);
  if (node.outputs.size() != 1 || node.outputs[0] == ir::kNoValue) return false;
  const DType type = graph.value(node.outputs[0]).dtype;
  if (type != DType::kInt64 && type != DType::kInt32) return false;
  const std::vector<ir::ValueFacts>& facts = known.facts();
  if (static_cast<std::size_t>(node.outputs[0]) >= facts.size()) return false;
  std::optional<Tensor> tensor = known_elements(facts[static_cast<std::size_t>(node.outputs[0])]);
  if (!tensor) return false;
  std::vector<Tensor> results;
  results.push_back(std::move(*tensor));
  replace_by(graph, id, std::move(results));
  return true;
}

int run(ir::Model& model) {
  int folded = 0;
  const std::vector<ir::NodeId> order = model.graph.nodes();
  Known known(model);
  const std::vector<std::string> names = model.graph.captured_names();
  const std::set<std::string> captured(names.begin(), names.end());
  for (ir::NodeId id : order) {
    if (!may_fold(model.graph, model.graph.node(id), captured)) continue;
    folded += fold_evaluated(model, id) || fold_known(model.graph, id, known);
  }
  return folded;
}

}  // namespace

extern const Pass k_fold_constants;
const Pass k_fold_constants{"fold_constants", "nodes with constant inputs, Shape chains → initializers", run};

}  // namespace pare::passes
