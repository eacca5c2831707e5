#include "runtime/codebooks.h"

#include <algorithm>

#include "base/float16.h"
#include "ir/codebook.h"
#include "ir/fake_quantize.h"
#include "runtime/lower/nbits.h"

namespace pare::runtime {

namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

bool matrix_of_f32(const Graph& graph, const ir::Codebook& codebook) {
  const Tensor &values = *graph.constant(codebook.values), &indices = *graph.constant(codebook.indices);
  return values.rank() == 1 && values.dtype() == DType::kFloat32 && indices.rank() == 2 &&
         (indices.dtype() == DType::kUint2 || indices.dtype() == DType::kUint4 || indices.dtype() == DType::kUint8);
}

/// The constant that picks the part of each output; kNoValue: there is one part.
ValueId first_of(const Graph& graph, const Node& gather) {
  const Node& indices = graph.node(graph.producer(gather.input(1)));
  return indices.is("Add") ? indices.input(1) : ir::kNoValue;
}

/// Of 4 or 8 bits, as the kernels look them up.
ValueId indices_of(Graph& graph, const ir::Codebook& codebook) {
  const Tensor& indices = *graph.constant(codebook.indices);
  if (bits(indices.dtype()) >= 4) return codebook.indices;
  return graph.add_initializer(graph.value(codebook.indices).name + "/4bit", cast(indices, DType::kUint4));
}

/// Puts the Codebook in the place of the Gather; nodes that nobody reads any more go with the next clean-up.
NodeId replace(Graph& graph, NodeId id, const ir::Codebook& codebook) {
  const Node& gather = graph.node(id);
  Node node;
  node.op_type = "Codebook";
  node.domain = ir::kPareDomain;
  node.name = gather.name;
  node.inputs = {codebook.values, indices_of(graph, codebook)};
  if (const ValueId first = first_of(graph, gather); first != ir::kNoValue) node.inputs.push_back(first);
  const ValueId out = gather.output(0);
  graph.set_output(id, 0, graph.add_value(""));
  node.outputs = {out};
  return graph.add_node(std::move(node), id);
}

}  // namespace

void take_codebooks(ir::Model& model) {
  Graph& graph = model.graph;
  const std::vector<NodeId> nodes = graph.nodes();
  bool any = false;
  for (NodeId id : nodes) {
    const auto codebook = ir::find_codebook(graph, graph.node(id));
    if (!codebook || !matrix_of_f32(graph, *codebook)) continue;
    const Node before = graph.node(id);
    const NodeId made = replace(graph, id, *codebook);
    if (only_nbits_read(graph, graph.node(made).output(0))) {
      graph.erase_node(id);
      any = true;
      continue;
    }
    const ValueId out = graph.node(made).output(0);
    graph.set_output(made, 0, graph.add_value(""));
    graph.erase_node(made);
    graph.set_output(id, 0, out);
  }
  if (any) {
    model.opsets[std::string(ir::kPareDomain)] = 1;
    graph.erase_dead();
  }
  ir::expand_codebooks(model);
}

}  // namespace pare::runtime
