// Physical removal of channels (groups.h).
#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "ir/groups.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

/// By value and axis: which elements stay.
using Kept = std::map<ValueId, std::map<std::int64_t, std::vector<bool>>>;

Kept kept_elements(const std::vector<ChannelGroup>& groups, const std::vector<std::vector<std::int64_t>>& removed) {
  if (groups.size() != removed.size())
    throw Error(ErrorCode::kInternal, "groups", "one list of units a group is wanted");
  Kept kept;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (removed[g].empty()) continue;
    if (!groups[g].blocked.empty())
      throw Error(ErrorCode::kInternal, "group '" + groups[g].name + "'", "cannot be pruned: " + groups[g].blocked);
    std::vector<bool> gone(static_cast<std::size_t>(groups[g].units), false);
    for (std::int64_t unit : removed[g]) gone.at(static_cast<std::size_t>(unit)) = true;
    if (std::find(gone.begin(), gone.end(), false) == gone.end())
      throw Error(ErrorCode::kInternal, "group '" + groups[g].name + "'", "all its channels would go");
    for (const GroupAxis& touches : groups[g].axes) {
      std::vector<bool>& stays = kept[touches.value][touches.axis];
      stays.resize(touches.unit.size(), true);
      for (std::size_t i = 0; i < stays.size(); ++i)
        if (touches.unit[i] >= 0 && gone[static_cast<std::size_t>(touches.unit[i])]) stays[i] = false;
    }
  }
  return kept;
}

std::int64_t count(const std::vector<bool>& stays) { return std::count(stays.begin(), stays.end(), true); }

Tensor without(const Tensor& tensor, std::int64_t axis, const std::vector<bool>& stays) {
  Dims dims = tensor.dims();
  std::int64_t outer = 1, inner = static_cast<std::int64_t>(bits(tensor.dtype()) / 8);
  for (std::int64_t i = 0; i < axis; ++i) outer *= dims[static_cast<std::size_t>(i)];
  for (std::int64_t i = axis + 1; i < tensor.rank(); ++i) inner *= dims[static_cast<std::size_t>(i)];
  dims[static_cast<std::size_t>(axis)] = count(stays);
  Tensor out(tensor.dtype(), dims);
  const std::byte* from = tensor.raw();
  std::byte* to = out.mutable_raw();
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::size_t i = 0; i < stays.size(); ++i, from += inner)
      if (stays[i]) {
        std::memcpy(to, from, static_cast<std::size_t>(inner));
        to += inner;
      }
  return out;
}

/// Constants lose the elements; the types of other values say their new sizes.
void shrink_values(Graph& graph, const Kept& kept) {
  for (const auto& [id, axes] : kept)
    for (const auto& [axis, stays] : axes) {
      Value& value = graph.value(id);
      if (value.constant) {
        if (value.mask) value.mask = without(*value.mask, axis, stays);
        Tensor smaller = without(*value.constant, axis, stays);
        const std::optional<Tensor> mask = value.mask;
        graph.set_constant(id, std::move(smaller));
        graph.value(id).mask = mask;
      } else {
        Dim& size = value.shape.dims().at(static_cast<std::size_t>(axis));
        size = size.is_known() ? Dim(count(stays)) : Dim();  // heads merged with the free batch
      }
    }
}

class Sizes {
 public:
  Sizes(Model& model, const Kept& kept) : graph_(model.graph), opset_(model.opset("")), kept_(kept) {}

  void rewrite(NodeId id) {
    const Node& node = graph_.node(id);
    if (node.is("Conv") || node.is("ConvTranspose") || node.is("ConvInteger"))
      groups_of(id, "group");
    else if (node.is("GroupNormalization"))
      groups_of(id, "num_groups");
    else if (node.is("LSTM") || node.is("GRU") || node.is("RNN"))
      hidden_of(id);
    else if (node.is("Split"))
      parts_of(id);
    else if (node.is("Reshape") || node.is("Expand"))
      target_of(id);
  }

 private:
  const std::vector<bool>* stays(ValueId value, std::int64_t axis) const {
    const auto found = kept_.find(value);
    if (found == kept_.end()) return nullptr;
    const auto there = found->second.find(axis);
    return there == found->second.end() ? nullptr : &there->second;
  }

  /// A recurrent layer's units.
  void hidden_of(NodeId id) {
    Node& node = graph_.node(id);
    if (const auto* units = stays(node.input(2), 2); units && node.find("hidden_size"))
      node.set("hidden_size", count(*units));
  }

  /// A grouped convolution, a normalization of groups loses whole groups.
  void groups_of(NodeId id, const char* attribute) {
    Node& node = graph_.node(id);
    const std::int64_t groups = node.int_or(attribute, 1);
    const auto* channels = stays(node.input(0), 1);
    if (groups == 1 || !channels) return;
    node.set(attribute, groups * count(*channels) / static_cast<std::int64_t>(channels->size()));
  }

  void parts_of(NodeId id) {
    Node& node = graph_.node(id);
    const std::int64_t rank = graph_.value(node.input(0)).shape.rank(), given = node.int_or("axis", 0);
    const std::int64_t axis = given < 0 ? given + rank : given;
    if (!stays(node.input(0), axis)) return;
    std::vector<std::int64_t> sizes;  // shrink_values() has written the new ones
    for (ValueId part : node.outputs) sizes.push_back(graph_.value(part).shape[axis].value());
    node.attributes.erase("num_outputs");
    if (node.find("split")) {
      node.set("split", sizes);
    } else if (node.input(1) != kNoValue) {
      graph_.set_input(id, 1, constant(node.input(1), sizes));
    } else if (opset_ < 13) {
      node.set("split", sizes);  // equal parts may have become unequal ones
    } else {
      graph_.set_input(id, 1, constant(node.input(0), sizes));
    }
  }

  /// Numbers in the target; −1 and 0 follow by themselves.
  void target_of(NodeId id) {
    const Node& node = graph_.node(id);
    const Tensor* target = graph_.constant(node.input(1));
    const auto kept = kept_.find(node.output(0));
    if (kept == kept_.end()) return;
    if (!target) return computed_target_of(node, kept->second);
    if (target->dtype() != DType::kInt64) return;
    std::vector<std::int64_t> sizes(target->data<std::int64_t>().begin(), target->data<std::int64_t>().end());
    const std::int64_t lead = graph_.value(node.output(0)).shape.rank() - static_cast<std::int64_t>(sizes.size());
    for (const auto& [axis, stays] : kept->second)
      if (const std::int64_t at = axis - lead; at >= 0 && sizes[static_cast<std::size_t>(at)] > 1)
        sizes[static_cast<std::size_t>(at)] = count(stays);
    if (std::equal(sizes.begin(), sizes.end(), target->data<std::int64_t>().begin())) return;
    graph_.set_input(id, 1, constant(node.input(1), sizes));
  }

  void computed_target_of(const Node& node, const std::map<std::int64_t, std::vector<bool>>& axes) {
    const ValueId target = node.input(1);
    for (const auto& [axis, stays] : axes)
      if (const auto slot = written_part(graph_, target, axis);
          slot && !graph_.value(node.output(0)).shape[axis].is_symbol()) {
        const NodeId concat = graph_.producer(target);
        const ValueId part = graph_.node(concat).input(*slot);
        if (graph_.constant(part)->data<std::int64_t>()[0] > 0)
          graph_.set_input(concat, *slot, constant(part, {count(stays)}));
      }
  }

  /// Another node may read the old sizes.
  ValueId constant(ValueId old, const std::vector<std::int64_t>& sizes) {
    return graph_.add_initializer(graph_.value(old).name + "_pruned",
                                  Tensor::from({static_cast<std::int64_t>(sizes.size())}, sizes));
  }

  Graph& graph_;
  const std::int64_t opset_;
  const Kept& kept_;
};

}  // namespace

std::optional<std::size_t> written_part(const Graph& graph, ValueId sizes, std::int64_t axis) {
  const NodeId producer = graph.producer(sizes);
  if (producer == kNoNode || !graph.node(producer).is("Concat") || graph.is_output(sizes)) return std::nullopt;
  if (graph.value(sizes).consumers.size() != 1) return std::nullopt;
  const Node& concat = graph.node(producer);
  std::int64_t at = 0;
  for (std::size_t slot = 0; slot < concat.inputs.size(); ++slot) {
    const Value& part = graph.value(concat.inputs[slot]);
    const Tensor* constant = graph.constant(concat.inputs[slot]);
    if (at == axis && constant && constant->dtype() == DType::kInt64 && constant->numel() == 1) return slot;
    if (constant) {
      at += constant->numel();
    } else {
      if (!part.shape.ranked() || part.shape.rank() != 1 || !part.shape[0].is_known()) return std::nullopt;
      at += part.shape[0].value();
    }
    if (at > axis) return std::nullopt;
  }
  return std::nullopt;
}

void remove_units(Model& model, const std::vector<ChannelGroup>& groups,
                  const std::vector<std::vector<std::int64_t>>& removed) {
  const Kept kept = kept_elements(groups, removed);
  shrink_values(model.graph, kept);
  Sizes sizes(model, kept);
  for (NodeId id : model.graph.nodes()) sizes.rewrite(id);
  model.graph.erase_dead();
  infer_shapes(model);
}

}  // namespace pare::ir
