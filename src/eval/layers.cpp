#include "eval/layers.h"

#include <algorithm>
#include <array>
#include <set>

#include "ir/infer.h"
#include "ir/sparsity.h"

namespace pare::eval {

namespace {

/// These hand on the same elements in the same order.
bool only_reshapes(const ir::Node& node) {
  static constexpr std::array<std::string_view, 6> kReshapes = {"Reshape",   "Flatten",  "Squeeze",
                                                                "Unsqueeze", "Identity", "Dropout"};
  return node.domain.empty() && std::find(kReshapes.begin(), kReshapes.end(), node.op_type) != kReshapes.end();
}

class LayerFinder {
 public:
  LayerFinder(const ir::Model& model, const std::map<std::string, Dims>& input_shapes)
      : graph_(model.graph), facts_(ir::infer_for(model, input_shapes)) {}

  std::vector<LayerValue> run(const std::vector<exec::PlanStep>& plan) {
    for (ir::ValueId id : graph_.inputs)
      if (is_float(graph_.value(id).dtype)) add(id, id);
    for (const exec::PlanStep& step : plan) add_step(step);
    return std::move(found_);
  }

 private:
  void add_step(const exec::PlanStep& step) {
    const ir::ValueId id = graph_.find_value(step.output);
    if (id == ir::kNoValue || graph_.constant(id)) return;
    const DType type = facts_[static_cast<std::size_t>(id)].dtype;
    if (is_float(type)) {
      const ir::NodeId producer = graph_.producer(id);
      const bool dequantizes = producer != ir::kNoNode && graph_.node(producer).is("DequantizeLinear");
      add(dequantizes ? before_quantization(id) : id, id, &step);
      return;
    }
    for (ir::NodeId reader : graph_.value(id).consumers) {
      const ir::Node& node = graph_.node(reader);
      if (!node.is("DequantizeLinear") || node.input(0) != id) continue;
      add(before_quantization(node.output(0)), node.output(0), &step);
      return;
    }
  }

  /// y of x → QuantizeLinear → DequantizeLinear → y stands for x; without the QuantizeLinear for itself.
  ir::ValueId before_quantization(ir::ValueId dequantized) const {
    const ir::NodeId above = graph_.producer(graph_.node(graph_.producer(dequantized)).input(0));
    return above != ir::kNoNode && graph_.node(above).is("QuantizeLinear") ? graph_.node(above).input(0) : dequantized;
  }

  ir::ValueId behind_reshapes(ir::ValueId id) const {
    for (ir::NodeId producer = graph_.producer(id); producer != ir::kNoNode; producer = graph_.producer(id)) {
      const ir::Node& node = graph_.node(producer);
      if (!only_reshapes(node) || node.input(0) == ir::kNoValue || graph_.constant(node.input(0))) break;
      id = node.input(0);
    }
    return id;
  }

  void add(ir::ValueId source, ir::ValueId observed, const exec::PlanStep* step = nullptr) {
    source = behind_reshapes(source);
    const auto dims = facts_[static_cast<std::size_t>(source)].shape.static_dims();
    const std::string& name = graph_.value(source).name;
    const auto seen = places_.find(name);
    if (seen != places_.end()) {  // quantized later on: that is what its readers get
      if (observed != source) found_[seen->second].observed = graph_.value(observed).name;
      return;
    }
    LayerValue layer;
    layer.key = name;
    layer.source = source;
    layer.observed = graph_.value(observed).name;
    layer.op_type = "Input";
    if (dims) layer.dims = *dims;
    if (const ir::NodeId producer = graph_.producer(source); producer != ir::kNoNode) describe(layer, producer, step);
    places_[name] = found_.size();
    found_.push_back(std::move(layer));
  }

  /// The main node of the step, unless the step only quantizes or moves what an earlier one computed.
  void describe(LayerValue& layer, ir::NodeId producer, const exec::PlanStep* step) const {
    layer.last_op = graph_.node(producer).op_type;
    const ir::NodeId main = step && !step->nodes.empty() ? graph_.find_node(step->nodes.front()) : ir::kNoNode;
    const bool computes = main != ir::kNoNode && !only_reshapes(graph_.node(main)) &&
                          !graph_.node(main).is("QuantizeLinear") && !graph_.node(main).is("DequantizeLinear");
    const ir::NodeId node = computes ? main : producer;
    layer.node = graph_.node(node).name;
    layer.op_type = graph_.node(node).op_type;
    if (const auto weight = ir::find_weight(graph_, node))
      layer.weight_dims = graph_.value(weight->value).constant->dims();
  }

  const ir::Graph& graph_;
  std::vector<ir::ValueFacts> facts_;
  std::vector<LayerValue> found_;
  std::map<std::string, std::size_t> places_;
};

/// Gemm and MatMul are the same layer, however an exporter writes it.
std::string kind_of(const std::string& op) {
  if (op.find("MatMul") != std::string::npos || op == "Gemm") return "MatMul";
  return op.starts_with("QLinear") ? op.substr(7) : op;
}

bool same_weights(const LayerValue& a, const LayerValue& b) {
  Dims x = a.weight_dims, y = b.weight_dims;  // Gemm may hold the matrix transposed
  std::sort(x.begin(), x.end());
  std::sort(y.begin(), y.end());
  return x == y;
}

/// With weights of the same shape, or the same last operator where one has none: quantizers drop an activation that
/// the quantized range implies.
bool alike(const LayerValue& a, const LayerValue& b) {
  if (a.dims != b.dims) return false;
  if (!a.weight_dims.empty() && !b.weight_dims.empty()) return same_weights(a, b);
  return kind_of(a.last_op) == kind_of(b.last_op);
}

class Matcher {
 public:
  Matcher(const std::vector<LayerValue>& a, const std::vector<LayerValue>& b) : a_(a), b_(b) {}

  LayerMatches run(const std::map<std::string, std::string>& input_names) {
    match_by_name(input_names);
    match_by_position();
    std::sort(result_.pairs.begin(), result_.pairs.end(),
              [](const LayerMatch& x, const LayerMatch& y) { return x.a < y.a; });
    report_unmatched();
    return std::move(result_);
  }

 private:
  void match_by_name(const std::map<std::string, std::string>& input_names) {
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < a_.size(); ++i) places[a_[i].key] = i;
    for (std::size_t j = 0; j < b_.size(); ++j) {
      const auto renamed = b_[j].op_type == "Input" ? input_names.find(b_[j].key) : input_names.end();
      const auto found = places.find(renamed == input_names.end() ? b_[j].key : renamed->second);
      if (found == places.end()) continue;
      if (element_count(a_[found->second].dims) != element_count(b_[j].dims)) {
        shapes_[{true, found->second}] = b_[j].dims;
        shapes_[{false, j}] = a_[found->second].dims;
        continue;
      }
      pair(found->second, j, true);
    }
  }

  /// Between two layers that match by name and come in the same order in both models, the longest run of alike layers.
  void match_by_position() {
    std::vector<LayerMatch> named = result_.pairs;
    std::sort(named.begin(), named.end(), [](const LayerMatch& x, const LayerMatch& y) { return x.a < y.a; });
    std::size_t a = 0, b = 0;
    for (const LayerMatch& anchor : longest_increasing(named)) {
      align(a, anchor.a, b, anchor.b);
      a = anchor.a + 1;
      b = anchor.b + 1;
    }
    align(a, a_.size(), b, b_.size());
  }

  static std::vector<LayerMatch> longest_increasing(const std::vector<LayerMatch>& named) {
    std::vector<std::size_t> length(named.size(), 1), before(named.size(), named.size());
    std::size_t best = named.size();
    for (std::size_t i = 0; i < named.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j)
        if (named[j].b < named[i].b && length[j] + 1 > length[i]) {
          length[i] = length[j] + 1;
          before[i] = j;
        }
      if (best == named.size() || length[i] > length[best]) best = i;
    }
    std::vector<LayerMatch> chain;
    for (std::size_t i = best; i < named.size(); i = before[i]) chain.push_back(named[i]);
    std::reverse(chain.begin(), chain.end());
    return chain;
  }

  /// Longest common subsequence of the layers that nothing matched yet.
  void align(std::size_t a_begin, std::size_t a_end, std::size_t b_begin, std::size_t b_end) {
    const std::vector<std::size_t> as = open(a_begin, a_end, taken_a_, a_), bs = open(b_begin, b_end, taken_b_, b_);
    if (as.empty() || bs.empty()) return;
    const std::size_t width = bs.size() + 1;
    std::vector<std::uint32_t> longest((as.size() + 1) * width);
    for (std::size_t i = as.size(); i-- > 0;)
      for (std::size_t j = bs.size(); j-- > 0;)
        longest[i * width + j] = alike(a_[as[i]], b_[bs[j]])
                                     ? longest[(i + 1) * width + j + 1] + 1
                                     : std::max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    for (std::size_t i = 0, j = 0; i < as.size() && j < bs.size();) {
      if (alike(a_[as[i]], b_[bs[j]])) {
        pair(as[i++], bs[j++], false);
      } else {
        longest[(i + 1) * width + j] >= longest[i * width + j + 1] ? ++i : ++j;
      }
    }
  }

  static std::vector<std::size_t> open(std::size_t begin, std::size_t end, const std::set<std::size_t>& taken,
                                       const std::vector<LayerValue>& layers) {
    std::vector<std::size_t> free;
    for (std::size_t i = begin; i < end; ++i)
      if (!taken.contains(i) && layers[i].op_type != "Input") free.push_back(i);
    return free;
  }

  void pair(std::size_t a, std::size_t b, bool by_name) {
    taken_a_.insert(a);
    taken_b_.insert(b);
    result_.pairs.push_back({a, b, by_name});
  }

  void report_unmatched() {
    const auto report = [&](bool in_a, const std::vector<LayerValue>& layers, const std::set<std::size_t>& taken) {
      for (std::size_t i = 0; i < layers.size(); ++i) {
        if (taken.contains(i) || layers[i].op_type == "Input") continue;
        const auto shape = shapes_.find({in_a, i});
        result_.unmatched.push_back({in_a, i, shape != shapes_.end(),
                                     shape == shapes_.end()
                                         ? "no layer of its name, nor of its operator and shape in its place"
                                         : "has the shape " + to_string(shape->second) + " in the other model, not " +
                                               to_string(layers[i].dims)});
      }
    };
    report(true, a_, taken_a_);
    report(false, b_, taken_b_);
  }

  const std::vector<LayerValue>&a_, &b_;
  std::set<std::size_t> taken_a_, taken_b_;
  std::map<std::pair<bool, std::size_t>, Dims> shapes_;  ///< of the namesake, where it differs
  LayerMatches result_;
};

}  // namespace

ir::ValueId handed_on(const ir::Graph& graph, ir::ValueId id) {
  const ir::NodeId producer = graph.producer(id);
  if (producer == ir::kNoNode) return ir::kNoValue;
  const ir::Node& node = graph.node(producer);
  if (only_reshapes(node)) return graph.constant(node.input(0)) ? ir::kNoValue : node.input(0);
  if (!node.is("DequantizeLinear")) return ir::kNoValue;
  const ir::NodeId above = graph.producer(node.input(0));
  return above != ir::kNoNode && graph.node(above).is("QuantizeLinear") ? graph.node(above).input(0) : ir::kNoValue;
}

std::vector<LayerValue> layer_values(const ir::Model& model, const std::vector<exec::PlanStep>& plan,
                                     const std::map<std::string, Dims>& input_shapes) {
  return LayerFinder(model, input_shapes).run(plan);
}

LayerMatches match_layers(const std::vector<LayerValue>& a, const std::vector<LayerValue>& b,
                          const std::map<std::string, std::string>& input_names) {
  return Matcher(a, b).run(input_names);
}

}  // namespace pare::eval
