#include "compress/training/student.h"

#include "ir/infer.h"
#include "ir/pare_domain.h"

namespace pare::compress {

ir::NodeId add_student_node(ir::Graph& graph, const std::string& base, const std::string& type,
                            std::vector<ir::ValueId> inputs, const std::vector<std::string>& suffixes) {
  ir::Node node;
  node.name = graph.unique_node_name(base + "_" + type);
  node.op_type = type;
  node.domain = ir::kPareDomain;
  node.inputs = std::move(inputs);
  for (const std::string& suffix : suffixes) node.outputs.push_back(graph.add_value(base + "_" + suffix));
  return graph.add_node(std::move(node));
}

void finish_student(ir::Model& student) {
  student.opsets[std::string(ir::kPareDomain)] = 1;
  student.graph.sort();
  ir::infer_shapes(student);
}

ir::Model with_trained(const ir::Model& original, const ir::Model& student) {
  ir::Model out = original;
  for (const ir::ValueId id : out.graph.values()) {
    const Tensor* old = out.graph.constant(id);
    const Tensor* now = old == nullptr ? nullptr : student.graph.constant(id);
    if (now != nullptr && is_float(old->dtype())) out.graph.set_constant(id, *now);
  }
  return out;
}

}  // namespace pare::compress
