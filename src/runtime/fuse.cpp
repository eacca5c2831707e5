#include <algorithm>
#include <set>

#include "runtime/group.h"
#include "runtime/join_additions.h"
#include "runtime/onednn.h"

namespace pare::runtime {

namespace {

constexpr std::int64_t kMaxAccumulated =
    (std::int64_t{1} << 31) / (255 * 255);  ///< products that surely fit into int32

class Finder {
 public:
  Finder(const ir::Model& model, bool integers) : model_(model), graph_(model.graph), integers_(integers) {}

  std::vector<Group> run() {
    for (ir::NodeId id : graph_.nodes())
      if (!taken_.contains(id)) groups_.push_back(grow(id));
    join_additions(graph_, groups_);
    sort_by_last_node();
    return std::move(groups_);
  }

 private:
  Group grow(ir::NodeId id) {
    const ir::Node& node = graph_.node(id);
    Group group;
    group.nodes = {id};
    group.output = node.output(0);
    taken_.insert(id);
    if (node.is("Conv") || node.is("Gemm") || node.is("MatMul")) {
      grow_product(group);
    } else if (integers_) {
      grow_integer(group);
    }
    return group;
  }

  ir::NodeId next_of(const Group& group) const {
    const ir::NodeId next = graph_.sole_consumer(group.output);
    return next != ir::kNoNode && !taken_.contains(next) ? next : ir::kNoNode;
  }
  void take(Group& group, ir::NodeId next) {
    group.nodes.push_back(next);
    group.output = graph_.node(next).output(0);
    taken_.insert(next);
  }

  void grow_product(Group& group) {
    const ir::Node& node = graph_.node(group.main());
    if (node.is("MatMul")) take_bias(group);
    std::string why;
    group.integer = integers_ && integer_product(graph_, group, why).has_value();
    if (!group.integer && !graph_.constant(node.input(1)) && !dequantized(graph_, node.input(1))) return;
    for (ir::NodeId next = next_of(group); next != ir::kNoNode; next = next_of(group))
      if (!take_follow(group, next)) break;
    if (group.integer) take_quantize(group);
  }

  void take_bias(Group& group) {
    const ir::NodeId next = next_of(group);
    if (next == ir::kNoNode || !graph_.node(next).is("Add")) return;
    const ir::Node& add = graph_.node(next);
    const ir::ValueId other = add.input(0) == group.output ? add.input(1) : add.input(0);
    const ir::Shape& weight = graph_.value(graph_.node(group.main()).input(1)).shape;
    const auto dims = graph_.value(other).shape.static_dims();
    const bool constant = graph_.constant(other) || dequantized(graph_, other);
    if (!constant || graph_.value(other).dtype != DType::kFloat32 || !dims || weight.rank() != 2) return;
    if (!weight[1].is_known() || *dims != Dims{weight[1].value()}) return;
    group.bias = other;
    take(group, next);
  }

  bool take_follow(Group& group, ir::NodeId next) {
    const ir::Node& node = graph_.node(next);
    if (const auto activation = activation_of(model_, node)) return take_activation(group, next, *activation);
    const bool added =
        std::any_of(group.follow.begin(), group.follow.end(), [](const Follow& f) { return f.add != ir::kNoValue; });
    if (!node.is("Add") || added || (group.integer && !group.follow.empty())) return false;
    const ir::ValueId other = node.input(0) == group.output ? node.input(1) : node.input(0);
    const ir::Value& value = graph_.value(other);
    const ir::Value& mine = graph_.value(group.output);
    if (other == group.output || value.dtype != DType::kFloat32 || !value.shape.is_static() ||
        !(value.shape == mine.shape))
      return false;
    group.follow.push_back({other, {}});
    take(group, next);
    return true;
  }

  bool take_activation(Group& group, ir::NodeId next, const Activation& activation) {
    const bool clamped =
        std::any_of(group.follow.begin(), group.follow.end(), [](const Follow& f) { return f.add == ir::kNoValue; });
    const bool again = std::any_of(group.follow.begin(), group.follow.end(), [&](const Follow& f) {
      return f.add == ir::kNoValue && onednn::same_algorithm(f.activation.op, activation.op);
    });
    if (group.integer ? clamped || !clamp_of(activation) : again || !onednn::can_fuse(activation.op)) return false;
    group.follow.push_back({ir::kNoValue, activation});
    take(group, next);
    return true;
  }

  bool take_quantize(Group& group) {
    const ir::NodeId next = next_of(group);
    const auto quantize = quantized_by(graph_, next);
    if (!quantize || !quantize->is_8_bit() || !quantize->per_tensor()) return false;
    group.quantize = quantize;
    take(group, next);
    return true;
  }

  /// Pools and binary operators between DequantizeLinear and QuantizeLinear, and a QuantizeLinear right after a
  /// DequantizeLinear. A float activation whose result is quantized becomes one step with it.
  void grow_integer(Group& group) {
    const ir::Node& node = graph_.node(group.main());
    if (node.inputs.empty()) return;
    if (!quantized_activation(graph_, node.input(0))) {
      if (activation_of(model_, node) && graph_.value(node.input(0)).dtype == DType::kFloat32) take_quantize(group);
      return;
    }
    Group attempt = group;
    const std::set<ir::NodeId> before = taken_;
    bool accepted = false;
    if (node.is("QuantizeLinear")) {
      attempt.quantize = quantized_by(graph_, group.main());
      accepted = attempt.quantize && attempt.quantize->is_8_bit() && attempt.quantize->per_tensor();
    } else if (binary_of(node) && quantized_activation(graph_, node.input(1))) {
      const ir::NodeId next = next_of(attempt);
      const auto activation = next == ir::kNoNode ? std::nullopt : activation_of(model_, graph_.node(next));
      if (activation && clamp_of(*activation)) {
        attempt.follow.push_back({ir::kNoValue, *activation});
        take(attempt, next);
      }
      accepted = take_quantize(attempt);
    } else if (is_spatial_mean(model_, node)) {
      accepted = take_quantize(attempt) || true;  // the sum of 8-bit values serves a float result too
    } else if (node.is("AveragePool")) {
      accepted = take_quantize(attempt);
    }
    if (!accepted) {
      taken_ = before;
      return;
    }
    attempt.integer = true;
    group = std::move(attempt);
  }

  /// A group runs when its last node would: all that any of its nodes reads is there by then.
  void sort_by_last_node() {
    std::vector<std::size_t> position;
    const std::vector<ir::NodeId>& order = graph_.nodes();
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto id = static_cast<std::size_t>(order[i]);
      if (position.size() <= id) position.resize(id + 1);
      position[id] = i;
    }
    const auto last = [&](const Group& group) { return position[static_cast<std::size_t>(group.nodes.back())]; };
    std::sort(groups_.begin(), groups_.end(), [&](const Group& a, const Group& b) { return last(a) < last(b); });
  }

  const ir::Model& model_;
  const ir::Graph& graph_;
  bool integers_;
  std::set<ir::NodeId> taken_;
  std::vector<Group> groups_;
};

bool bias_fits(const ir::Graph& graph, ir::ValueId bias) {
  if (bias == ir::kNoValue) return true;
  if (const Tensor* constant = graph.constant(bias)) return constant->dtype() == DType::kFloat32;
  const auto view = dequantized(graph, bias);
  return view && view->dtype == DType::kInt32 && graph.constant(view->q);
}

std::int64_t accumulated(const Dims& weight, const ir::Node& node) {
  if (!node.is("Conv")) return weight[node.is("Gemm") && node.int_or("transB", 0) ? 1 : 0];
  return weight[1] * weight[2] * weight[3];
}

}  // namespace

std::vector<Group> find_groups(const ir::Model& model, bool integers) { return Finder(model, integers).run(); }

std::optional<IntegerProduct> integer_product(const ir::Graph& graph, const Group& group, std::string& why) {
  const ir::Node& node = graph.node(group.main());
  const auto input = quantized_activation(graph, node.input(0));
  const auto weight = dequantized(graph, node.input(1));
  if (!input || !weight) return std::nullopt;
  const Tensor* data = graph.constant(weight->q);
  const bool conv = node.is("Conv"), gemm = node.is("Gemm");
  const std::int64_t output_axis = conv || (gemm && node.int_or("transB", 0)) ? 0 : 1;
  const auto refuse = [&](const char* reason) {
    why = reason;
    return std::nullopt;
  };
  if (!data || !weight->is_8_bit()) return refuse("the quantized weight is not a constant of 8 bits");
  if (!weight->per_tensor() && weight->axis != output_axis) return refuse("weight scales are not per output channel");
  if (data->rank() != (conv ? 4 : 2)) return refuse("only 2-d convolutions and matrices have integer kernels");
  if (gemm && (node.int_or("transA", 0) || node.float_or("alpha", 1) != 1 || node.float_or("beta", 1) != 1))
    return refuse("Gemm with transA, alpha or beta has no integer kernel");
  if (accumulated(data->dims(), node) > kMaxAccumulated) return refuse("the sum may overflow 32 bits");
  IntegerProduct found{*input, *weight, node.is("MatMul") ? group.bias : node.input(2)};
  if (!bias_fits(graph, found.bias)) return refuse("the bias is neither a constant nor a quantized constant");
  const std::int64_t outputs = data->dim(output_axis);
  const auto bias_dims =
      found.bias == ir::kNoValue ? std::optional<Dims>(Dims{outputs}) : graph.value(found.bias).shape.static_dims();
  if (!bias_dims || element_count(*bias_dims) != outputs)
    return refuse("the bias has not one element per output channel");
  return found;
}

bool is_spatial_mean(const ir::Model& model, const ir::Node& node) {
  if (node.inputs.empty() || model.graph.value(node.input(0)).shape.rank() != 4) return false;
  if (node.is("GlobalAveragePool")) return true;
  if (!node.is("ReduceMean")) return false;
  std::vector<std::int64_t> axes = node.ints_or("axes", {});
  if (const Tensor* given = model.graph.constant(node.input(1)); given && given->dtype() == DType::kInt64)
    axes.assign(given->data<std::int64_t>().begin(), given->data<std::int64_t>().end());
  for (std::int64_t& axis : axes) axis = axis < 0 ? axis + 4 : axis;
  std::sort(axes.begin(), axes.end());
  return axes == std::vector<std::int64_t>{2, 3};
}

}  // namespace pare::runtime
