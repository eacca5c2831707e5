#include "compress/prune/mask_student.h"

#include "compress/training/student.h"
#include "ir/op.h"

namespace pare::compress {

MaskStudent::MaskStudent(const ir::Model& floats, const std::vector<PruneTarget>& targets,
                         const std::function<MaskNode(const PruneTarget&)>& make)
    : model(floats), floats_(floats) {
  ir::Graph& graph = model.graph;
  for (const PruneTarget& target : targets) {
    const ir::ValueId weight = graph.find_value(target.name);
    const std::vector<ir::NodeId> readers = graph.value(weight).consumers;
    const MaskNode mask = make(target);
    std::vector<ir::ValueId> inputs = {weight};
    for (const auto& [suffix, start] : mask.latents)
      inputs.push_back(graph.add_initializer(target.name + "_" + suffix, start));
    nodes_.push_back(add_student_node(graph, target.name, mask.op_type, std::move(inputs), {"masked"}));
    for (const auto& [name, value] : mask.attributes) graph.node(nodes_.back()).set(name, value);
    for (const ir::NodeId reader : readers) {
      const std::vector<ir::ValueId> read = graph.node(reader).inputs;
      for (std::size_t slot = 0; slot < read.size(); ++slot)
        if (read[slot] == weight) graph.set_input(reader, slot, graph.node(nodes_.back()).output(0));
    }
  }
  finish_student(model);
}

const std::string& MaskStudent::latent(std::size_t target, std::size_t index) const {
  return model.graph.value(model.graph.node(nodes_[target]).input(index + 1)).name;
}

const Tensor& MaskStudent::trained(std::size_t target, std::size_t index) const {
  return *model.graph.constant(model.graph.node(nodes_[target]).input(index + 1));
}

const Tensor& MaskStudent::weight(std::size_t target) const {
  return *model.graph.constant(model.graph.node(nodes_[target]).input(0));
}

ir::Model MaskStudent::masked() const {
  ir::Model out = with_trained(floats_, model);
  for (const ir::NodeId id : nodes_) {
    const ir::Node& node = model.graph.node(id);
    std::vector<Tensor> inputs;
    for (const ir::ValueId input : node.inputs) inputs.push_back(*model.graph.constant(input));
    const ir::Operator* op = ir::find_operator(node, 1);
    out.graph.set_constant(node.input(0), op->evaluate({node, 1, inputs})[0]);
  }
  return out;
}

}  // namespace pare::compress
