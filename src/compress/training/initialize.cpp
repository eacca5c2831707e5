#include "compress/training/initialize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/float16.h"
#include "base/rng.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

bool is_weighted(const ir::Node& node) { return node.is("Conv") || node.is("Gemm") || node.is("MatMul"); }

/// The slot of a weighted node that holds its weight: the constant one of a MatMul, otherwise the second.
std::size_t weight_slot(const ir::Graph& graph, const ir::Node& node) {
  return node.is("MatMul") && graph.constant(node.input(1)) == nullptr ? 0 : 1;
}

/// Inputs that one output sums over.
std::int64_t fan_in(const ir::Node& node, std::size_t slot, const Dims& dims) {
  if (node.is("Conv")) return element_count(dims) / std::max<std::int64_t>(dims[0], 1);
  if (node.is("Gemm")) return node.int_or("transB", 0) != 0 ? dims.back() : dims.front();
  return slot == 1 && dims.size() > 1 ? dims[dims.size() - 2] : dims.back();
}

class Initializer {
 public:
  Initializer(ir::Model& model, std::uint64_t seed) : graph_(model.graph), seed_(seed) {}

  void run() {
    find_branch_ends();
    for (const ir::NodeId id : std::vector<ir::NodeId>(graph_.nodes())) initialize(id);
  }

 private:
  void initialize(ir::NodeId id) {
    const ir::Node& node = graph_.node(id);
    if (is_weighted(node)) {
      draw_weight(id, node);
      if (!node.is("MatMul")) fill(node.input(2), 0);
    } else if (node.is("BatchNormalization")) {
      constexpr float kFresh[] = {1, 0, 0, 1};  // scale, bias, mean, variance
      for (std::size_t slot = 1; slot <= 4; ++slot) fill(node.input(slot), kFresh[slot - 1]);
    } else if (node.is("LayerNormalization")) {
      fill(node.input(1), 1);
      fill(node.input(2), 0);
    } else if (node.is("PRelu")) {
      fill(node.input(1), 0.25F);
    } else if (node.is("Add")) {
      for (std::size_t slot = 0; slot < 2; ++slot) {
        const ir::NodeId other = graph_.producer(node.input(1 - slot));
        if (other != ir::kNoNode && is_weighted(graph_.node(other))) fill(node.input(slot), 0);
      }
    }
  }

  /// Replaces a float initializer, once; masked elements become zero.
  void replace(ir::ValueId id, Tensor values) {
    ir::Value& value = graph_.value(id);
    if (value.mask) {
      const auto mask = value.mask->data<std::uint8_t>();
      auto data = values.mutable_data<float>();
      for (std::size_t i = 0; i < data.size(); ++i) data[i] = mask[i] != 0 ? data[i] : 0.0F;
    }
    const DType dtype = value.constant->dtype();
    graph_.set_constant(id, dtype == DType::kFloat32 ? values : cast(values, dtype));
    done_.insert(id);
  }

  bool is_fresh_float(ir::ValueId id) const {
    return id != ir::kNoValue && graph_.constant(id) != nullptr && graph_.producer(id) == ir::kNoNode &&
           is_float(graph_.constant(id)->dtype()) && !done_.contains(id);
  }

  void fill(ir::ValueId id, float number) {
    if (!is_fresh_float(id)) return;
    Tensor values(DType::kFloat32, graph_.constant(id)->dims());
    std::ranges::fill(values.mutable_data<float>(), number);
    replace(id, std::move(values));
  }

  void draw_weight(ir::NodeId id, const ir::Node& node) {
    const std::size_t slot = weight_slot(graph_, node);
    const ir::ValueId weight = node.input(slot);
    const ir::NodeId producer = graph_.producer(weight);
    if (producer != ir::kNoNode && graph_.node(producer).is("DequantizeLinear")) {
      throw Error(ErrorCode::kUnsupported, node.name, "its weight is quantized and cannot be trained from scratch");
    }
    const std::uint64_t stream = drawn_++;
    if (!is_fresh_float(weight)) return;
    const Dims dims = graph_.constant(weight)->dims();
    if (dims.empty()) return;
    double deviation = std::sqrt(2.0 / static_cast<double>(std::max<std::int64_t>(fan_in(node, slot, dims), 1)));
    if (branch_ends_.contains(id)) deviation /= std::sqrt(static_cast<double>(branch_ends_.size()));
    Rng rng(seed_, kRngInit, stream);
    Tensor values(DType::kFloat32, dims);
    for (float& value : values.mutable_data<float>()) value = static_cast<float>(deviation * rng.normal());
    replace(weight, std::move(values));
  }

  /// Weighted layers on the longest path from the inputs to each value: the longer side of a residual sum is the
  /// branch.
  void find_branch_ends() {
    std::map<ir::ValueId, int> depth;
    for (const ir::NodeId id : graph_.nodes()) {
      const ir::Node& node = graph_.node(id);
      int deepest = 0;
      for (const ir::ValueId input : node.inputs) deepest = std::max(deepest, input == ir::kNoValue ? 0 : depth[input]);
      if (is_weighted(node)) ++deepest;
      for (const ir::ValueId output : node.outputs) depth[output] = deepest;
      if (!node.is("Add") || node.inputs.size() != 2 || is_constant(node.input(0)) || is_constant(node.input(1)))
        continue;
      const bool first = depth[node.input(0)] > depth[node.input(1)];
      const ir::NodeId end = last_weight(first ? node.input(0) : node.input(1));
      if (end != ir::kNoNode) branch_ends_.insert(end);
    }
  }

  bool is_constant(ir::ValueId id) const { return id == ir::kNoValue || graph_.constant(id) != nullptr; }

  /// The weighted node that produces the value, through biases and dropout alone; kNoNode after anything else.
  ir::NodeId last_weight(ir::ValueId value) const {
    for (ir::NodeId id = graph_.producer(value); id != ir::kNoNode; id = graph_.producer(value)) {
      const ir::Node& node = graph_.node(id);
      if (is_weighted(node)) return id;
      if (node.is("Identity") || node.is("Dropout"))
        value = node.input(0);
      else if (node.is("Add") && is_constant(node.input(1)))
        value = node.input(0);
      else if (node.is("Add") && is_constant(node.input(0)))
        value = node.input(1);
      else
        break;
    }
    return ir::kNoNode;
  }

  ir::Graph& graph_;
  std::uint64_t seed_;
  std::uint64_t drawn_ = 0;
  std::set<ir::ValueId> done_;
  std::set<ir::NodeId> branch_ends_;
};

}  // namespace

void initialize_weights(ir::Model& model, std::uint64_t seed) { Initializer(model, seed).run(); }

}  // namespace pare::compress
