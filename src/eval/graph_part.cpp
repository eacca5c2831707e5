#include "eval/graph_part.h"

#include <algorithm>
#include <set>

namespace pare::eval {
namespace {

void make_input(ir::Graph& graph, ir::ValueId id) {
  if (graph.is_input(id)) return;
  const ir::NodeId producer = graph.producer(id);
  const std::vector<ir::ValueId>& made = graph.node(producer).outputs;
  const auto slot = static_cast<std::size_t>(std::find(made.begin(), made.end(), id) - made.begin());
  const ir::ValueId unread = graph.add_value("", graph.value(id).dtype, graph.value(id).shape);
  graph.set_output(producer, slot, unread);
  graph.inputs.push_back(id);
}

}  // namespace

ir::Model graph_part(const ir::Model& model, const std::vector<ir::ValueId>& given,
                     const std::vector<ir::ValueId>& outputs) {
  ir::Model part = model;
  ir::Graph& graph = part.graph;
  for (ir::ValueId id : given) make_input(graph, id);
  graph.outputs = outputs;
  graph.erase_dead();
  const std::vector<std::string> captured = graph.captured_names();
  std::erase_if(graph.inputs, [&](ir::ValueId id) {
    const ir::Value& value = graph.value(id);
    return value.consumers.empty() && !graph.is_output(id) &&
           std::find(captured.begin(), captured.end(), value.name) == captured.end();
  });
  graph.erase_dead();
  return part;
}

}  // namespace pare::eval
