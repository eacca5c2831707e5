// How a codebook is written: what layer_codebook.h says of insert_codebook().
#include "compress/quantize/layer_codebook.h"
#include "passes/qdq.h"

namespace pare::compress {
namespace {

ir::ValueId add(ir::Graph& graph, const char* type, const std::string& name, std::vector<ir::ValueId> inputs,
                DType dtype, const Dims& dims, ir::NodeId before,
                const std::vector<std::pair<const char*, ir::AttributeValue>>& attributes = {}) {
  ir::Node node;
  node.op_type = type;
  node.name = graph.unique_node_name(name);
  node.inputs = std::move(inputs);
  node.outputs = {graph.add_value(name, dtype, ir::Shape::of(dims))};
  for (const auto& [key, value] : attributes) node.set(key, value);
  const ir::ValueId out = node.outputs[0];
  graph.add_node(std::move(node), before);
  return out;
}

/// The indices as int32 into the rows of all parts.
ir::ValueId add_indices(ir::Graph& graph, const std::string& name, const LayerCodebook& codebook, ir::NodeId before) {
  const Dims dims = codebook.indices.dims();
  const auto bytes = codebook.indices.data<std::uint8_t>();
  const std::vector<std::int32_t> levels(bytes.begin(), bytes.end());
  const ir::ValueId stored =
      graph.add_initializer(name + "_indices", passes::pack_integers(levels, dims, codebook.index_type));
  const ir::ValueId at = add(graph, "Cast", name + "_at", {stored}, DType::kInt32, dims, before,
                             {{"to", std::int64_t{6}}});  // TensorProto.INT32
  if (codebook.parts == 1) return at;
  return add(graph, "Add", name + "_in_part", {at, graph.add_initializer(name + "_parts", codebook.first)}, DType::kInt32,
             dims, before);
}

/// [outputs, across, vector] in the weight's shape.
ir::ValueId add_shaping(ir::Graph& graph, const Layer& layer, ir::ValueId vectors, const Dims& dims) {
  const std::string& name = layer.weight_name;
  const bool turned = layer.weight.output_axis != 0;
  const Dims rows = turned ? Dims{dims[1], dims[0]} : dims;
  const ir::ValueId shape = graph.add_initializer(
      name + "_shape", Tensor::from({static_cast<std::int64_t>(rows.size())}, std::vector<std::int64_t>(rows.begin(), rows.end())));
  const ir::ValueId shaped = add(graph, "Reshape", turned ? name + "_rows" : name + "_gathered", {vectors, shape},
                                 DType::kFloat32, rows, layer.node);
  if (!turned) return shaped;
  return add(graph, "Transpose", name + "_gathered", {shaped}, DType::kFloat32, dims, layer.node,
             {{"perm", std::vector<std::int64_t>{1, 0}}});
}

}  // namespace

void insert_codebook(ir::Model& model, const Layer& layer, const LayerCodebook& codebook) {
  ir::Graph& graph = model.graph;
  const std::string& name = layer.weight_name;
  const ir::ValueId old = layer.weight.value;
  const Dims dims = graph.constant(old)->dims();
  const ir::ValueId at = add_indices(graph, name, codebook, layer.node);
  const bool vectors = codebook.vector > 1;
  Dims rows = {static_cast<std::int64_t>(codebook.codebook.size()) / codebook.vector}, gathered = codebook.indices.dims();
  if (vectors) rows.push_back(codebook.vector), gathered.push_back(codebook.vector);
  const ir::ValueId book = graph.add_initializer(name + "_codebook", Tensor::from(rows, codebook.codebook));
  ir::ValueId weight = add(graph, "Gather", vectors ? name + "_vectors" : name + "_gathered", {book, at}, DType::kFloat32,
                           gathered, layer.node);
  if (vectors) weight = add_shaping(graph, layer, weight, dims);
  const std::vector<ir::NodeId> readers = graph.value(old).consumers;
  for (const ir::NodeId reader : readers) {
    const std::vector<ir::ValueId> inputs = graph.node(reader).inputs;
    for (std::size_t slot = 0; slot < inputs.size(); ++slot)
      if (inputs[slot] == old) graph.set_input(reader, slot, weight);
  }
  if (!graph.is_output(old)) graph.erase_value(old);
}

}  // namespace pare::compress
