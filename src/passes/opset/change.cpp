#include "passes/opset/change.h"

#include <algorithm>

namespace pare::passes::opset {

namespace {

constexpr Change kChanges[] = {
#define PARE_OPSET_CHANGE(op, since, what, convert) {#op, since, what, convert},
#include "passes/opset/changes.inc"
#undef PARE_OPSET_CHANGE
};

}  // namespace

std::span<const Change> changes() { return kChanges; }

ir::Shape Site::shape(std::size_t slot) const {
  const ir::ValueId id = node().input(slot);
  return id == ir::kNoValue ? ir::Shape() : graph.value(id).shape;
}

ir::ValueId Site::add_constant(const std::string& what, Tensor tensor) const {
  std::string name = node().name + "_" + what;
  while (
      std::any_of(outer.begin(), outer.end(), [&](const ir::Graph* g) { return g->find_value(name) != ir::kNoValue; }))
    name += "_";
  return graph.add_initializer(name, std::move(tensor));
}

void Site::set_input(std::size_t slot, ir::ValueId value) const {
  // Slots are set through the graph so that links stay exact; omitted ones in between are filled with kNoValue.
  while (node().inputs.size() <= slot) node().inputs.push_back(ir::kNoValue);
  graph.set_input(id, slot, value);
}

ir::ValueId Site::insert(const std::string& op_type, std::vector<ir::ValueId> inputs, ir::Attributes attributes,
                         const std::string& what, bool before) const {
  ir::Node added;
  added.op_type = op_type;
  added.name = graph.unique_node_name(node().name + "_" + what);
  added.inputs = std::move(inputs);
  added.attributes = std::move(attributes);
  added.outputs = {graph.add_value(node().name + "_" + what)};
  const ir::ValueId output = added.outputs[0];
  graph.add_node(std::move(added), before ? id : ir::kNoNode);
  return output;
}

void ints_to_input(const Site& site, const std::string& name, std::size_t slot) {
  if (!site.node().find(name)) return;
  const std::vector<std::int64_t> values = site.node().ints_or(name, {});
  site.set_input(slot, site.add_constant(name, Tensor::from({static_cast<std::int64_t>(values.size())}, values)));
  site.node().attributes.erase(name);
}

void int_to_input(const Site& site, const std::string& name, std::size_t slot) {
  if (!site.node().find(name)) return;
  const std::vector<std::int64_t> value{site.node().int_or(name, 0)};
  site.set_input(slot, site.add_constant(name, Tensor::from({1}, value)));
  site.node().attributes.erase(name);
}

void float_to_input(const Site& site, const std::string& name, std::size_t slot) {
  if (!site.node().find(name)) return;
  site.set_input(slot, site.add_constant(name, Tensor::scalar(site.node().float_or(name, 0))));
  site.node().attributes.erase(name);
}

}  // namespace pare::passes::opset
