#include "passes/precision.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/float16.h"
#include "base/text.h"
#include "ir/infer.h"
#include "pare/error.h"
#include "passes/qdq.h"

namespace pare::passes {

namespace {

constexpr float kMaxHalf = 65504;
constexpr std::int64_t kBFloat16Opset = 22;  ///< first with convolutions and pools in bfloat16
constexpr std::int64_t kHalfOpset = 13;      ///< from here on all arithmetic operators take both types alike

struct Rule {
  std::string_view op_type, reason;
};
constexpr Rule kRules[] = {
#define PARE_KEEP_F32(op, reason) {#op, reason},
#include "passes/precision_rules.inc"
#undef PARE_KEEP_F32
};

bool has_subgraph(const ir::Node& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& entry) {
    const ir::AttributeValue& value = entry.second.value;
    return std::holds_alternative<std::shared_ptr<ir::Graph>>(value) ||
           std::holds_alternative<std::vector<std::shared_ptr<ir::Graph>>>(value);
  });
}

class Converter {
 public:
  Converter(ir::Model& model, const PrecisionOptions& options)
      : graph_(model.graph), options_(options), suffix_(options.type == DType::kFloat16 ? "_f16" : "_bf16") {
    for (ir::ValueId id : graph_.values())
      if (graph_.value(id).dtype == DType::kFloat32) real_.insert(id);
    for (const std::string& name : graph_.captured_names()) fixed_.insert(graph_.find_value(name));
    if (options.keep_io) fixed_.insert(graph_.outputs.begin(), graph_.outputs.end());
    find_large();
    find_counting();
  }

  PrecisionReport run() {
    require_patterns_fit();
    if (!options_.keep_io && !options_.weights_only) convert_inputs();
    const std::vector<ir::NodeId> nodes = graph_.nodes();
    for (ir::NodeId id : nodes) convert(id);
    if (!options_.keep_io) convert_outputs();
    graph_.sort();
    graph_.erase_dead();
    count_weights();
    return std::move(report_);
  }

 private:
  bool is_real(ir::ValueId id) const { return id != ir::kNoValue && real_.contains(id); }

  void find_large() {
    for (ir::ValueId id : real_) {
      const Tensor* constant = graph_.constant(id);
      if (!constant || options_.type != DType::kFloat16) continue;
      const auto values = constant->data<float>();
      const bool beyond =
          std::any_of(values.begin(), values.end(), [](float v) { return std::isfinite(v) && std::abs(v) > kMaxHalf; });
      if (!beyond) continue;
      large_.insert(id);
      report_.too_large.push_back(graph_.value(id).name);
    }
  }

  /// Nodes whose results become integers and nothing else: sizes and indices must stay exact.
  void find_counting() {
    const std::vector<ir::NodeId>& nodes = graph_.nodes();
    for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
      const auto counts = [&](ir::ValueId value) {
        if (!is_real(value)) return true;
        const std::vector<ir::NodeId>& readers = graph_.value(value).consumers;
        return !readers.empty() && !graph_.is_output(value) && !fixed_.contains(value) &&
               std::all_of(readers.begin(), readers.end(), [&](ir::NodeId reader) {
                 return counting_.contains(reader) || becomes_integer(graph_.node(reader));
               });
      };
      const std::vector<ir::ValueId>& outputs = graph_.node(*it).outputs;
      const bool writes = std::any_of(outputs.begin(), outputs.end(), [&](ir::ValueId id) { return is_real(id); });
      if (writes && std::all_of(outputs.begin(), outputs.end(), counts)) counting_.insert(*it);
    }
  }

  static bool becomes_integer(const ir::Node& node) {
    const auto to = static_cast<int>(node.int_or("to", 0));
    return node.is("Cast") && is_valid_dtype(to) && is_integer(static_cast<DType>(to));
  }

  void require_patterns_fit() const {
    for (const std::string& pattern : options_.keep) {
      const auto& nodes = graph_.nodes();
      if (std::none_of(nodes.begin(), nodes.end(), [&](ir::NodeId id) {
            return glob_match(pattern, graph_.node(id).name) || glob_match(pattern, graph_.node(id).op_type);
          }))
        throw Error(ErrorCode::kUsage, "keep", "no node or operator fits", "a name or glob", pattern);
    }
  }

  /// Why a node stays float32, or "".
  std::string kept_because(const ir::Node& node) const {
    if (!node.domain.empty()) return "an operator of " + node.domain;
    if (has_subgraph(node)) return "it holds subgraphs";
    for (const Rule& rule : kRules)
      if (node.op_type == rule.op_type) return std::string(rule.reason);
    for (const std::string& pattern : options_.keep)
      if (glob_match(pattern, node.name) || glob_match(pattern, node.op_type)) return "asked for";
    for (ir::ValueId id : node.inputs)
      if (large_.contains(id)) return "'" + graph_.value(id).name + "' is beyond the range of float16";
    if (options_.weights_only) return "only weights are converted";
    return {};
  }

  void convert(ir::NodeId id) {
    const ir::Node node = graph_.node(id);
    const auto real = [&](ir::ValueId value) { return is_real(value); };
    if (std::none_of(node.inputs.begin(), node.inputs.end(), real) &&
        std::none_of(node.outputs.begin(), node.outputs.end(), real))
      return;
    const std::string reason = counting_.contains(id) ? "its results become integers" : kept_because(node);
    if (!reason.empty()) {
      keep(id, node, reason);
      return;
    }
    ++report_.converted;
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot)
      if (is_real(node.inputs[slot])) graph_.set_input(id, slot, low_of(node.inputs[slot]));
    for (std::size_t slot = 0; slot < node.outputs.size(); ++slot)
      if (is_real(node.outputs[slot])) make_low(id, slot);
  }

  void keep(ir::NodeId id, const ir::Node& node, const std::string& reason) {
    static const std::set<std::string> kSilent = {"Cast", "CastLike", "Constant", "ConstantOfShape"};
    if (!options_.weights_only && !kSilent.contains(node.op_type))
      report_.kept.push_back({node.name, node.op_type, reason});
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
      const ir::ValueId input = node.inputs[slot];
      if (!is_real(input)) continue;
      const bool weight = options_.weights_only && graph_.constant(input) && graph_.value(input).constant->rank() > 0 &&
                          !large_.contains(input) && node.domain.empty() && !has_subgraph(node);
      const ir::ValueId wanted = weight ? high_of_constant(input) : high_of(input);
      if (wanted != input) graph_.set_input(id, slot, wanted);
    }
  }

  /// The value in the type.
  ir::ValueId low_of(ir::ValueId id) {
    if (low_.contains(id)) return id;
    if (const auto made = lowered_.find(id); made != lowered_.end()) return made->second;
    const std::string name = graph_.value(id).name + suffix_;
    ir::ValueId low;
    if (const Tensor* constant = graph_.constant(id)) {
      low = graph_.add_initializer(name, cast(*constant, options_.type));
    } else {
      low = graph_.add_value(name, options_.type, graph_.value(id).shape);
      add_cast(id, low, options_.type);
    }
    return lowered_[id] = low;
  }

  /// The value in float32.
  ir::ValueId high_of(ir::ValueId id) {
    if (!low_.contains(id)) return id;
    if (const auto made = raised_.find(id); made != raised_.end()) return made->second;
    const ir::ValueId high = graph_.add_value(graph_.value(id).name + "_f32", DType::kFloat32, graph_.value(id).shape);
    add_cast(id, high, DType::kFloat32);
    return raised_[id] = high;
  }

  /// A constant stored in the type and read through a Cast.
  ir::ValueId high_of_constant(ir::ValueId id) {
    if (const auto made = raised_.find(id); made != raised_.end()) return made->second;
    const ir::ValueId high = graph_.add_value(graph_.value(id).name + "_f32", DType::kFloat32, graph_.value(id).shape);
    add_cast(low_of(id), high, DType::kFloat32);
    return raised_[id] = high;
  }

  void add_cast(ir::ValueId from, ir::ValueId to, DType type) {
    ir::Node node;
    node.op_type = "Cast";
    node.name = graph_.unique_node_name("cast_" + graph_.value(to).name);
    node.inputs = {from};
    node.outputs = {to};
    node.set("to", static_cast<std::int64_t>(type));
    // Its reader comes after the producer of what it reads, wherever that is: sorted at the end.
    graph_.add_node(std::move(node));
    ++report_.casts;
  }

  /// A node's output in the type. A value whose name and type are fixed gets a Cast before it.
  void make_low(ir::NodeId id, std::size_t slot) {
    const ir::ValueId output = graph_.node(id).output(slot);
    if (!fixed_.contains(output)) {
      graph_.value(output).dtype = options_.type;
      low_.insert(output);
      return;
    }
    const ir::ValueId low =
        graph_.add_value(graph_.value(output).name + suffix_, options_.type, graph_.value(output).shape);
    graph_.set_output(id, slot, low);
    add_cast(low, output, DType::kFloat32);
    lowered_[output] = low;
  }

  void convert_inputs() {
    for (ir::ValueId id : graph_.inputs) {
      if (!is_real(id) || fixed_.contains(id)) continue;
      graph_.value(id).dtype = options_.type;
      low_.insert(id);
    }
  }

  /// Float32 outputs of nodes that stay so.
  void convert_outputs() {
    for (ir::ValueId id : graph_.outputs) {
      const ir::NodeId producer = graph_.producer(id);
      if (!is_real(id) || low_.contains(id) || producer == ir::kNoNode || options_.weights_only || fixed_.contains(id))
        continue;
      const std::vector<ir::ValueId>& written = graph_.node(producer).outputs;
      const auto slot = static_cast<std::size_t>(std::find(written.begin(), written.end(), id) - written.begin());
      const ir::ValueId high =
          graph_.add_value(graph_.value(id).name + "_f32", DType::kFloat32, graph_.value(id).shape);
      graph_.set_output(producer, slot, high);
      graph_.replace_uses(id, high);
      graph_.value(id).dtype = options_.type;
      add_cast(high, id, options_.type);
    }
  }

  void count_weights() {
    for (ir::ValueId id : graph_.values())
      if (const Tensor* constant = graph_.constant(id); constant && constant->dtype() == options_.type)
        report_.weights += constant->numel();
  }

  ir::Graph& graph_;
  const PrecisionOptions& options_;
  std::string suffix_;
  std::set<ir::ValueId> real_;   ///< float32 in the original
  std::set<ir::ValueId> fixed_;  ///< outputs and captured values: their names stay float32
  std::set<ir::ValueId> large_, low_;
  std::set<ir::NodeId> counting_;
  std::map<ir::ValueId, ir::ValueId> lowered_, raised_;
  PrecisionReport report_;
};

}  // namespace

PrecisionReport convert_precision(ir::Model& model, const PrecisionOptions& options) {
  if (options.type != DType::kFloat16 && options.type != DType::kBFloat16)
    throw Error(ErrorCode::kUsage, "precision", "no such precision", "f16 or bf16", std::string(name(options.type)));
  ir::Model converted = model;
  const bool wide = options.type == DType::kBFloat16 && !options.weights_only;
  raise_opset(converted, wide ? kBFloat16Opset : kHalfOpset);
  ir::infer_shapes(converted);
  PrecisionReport report = Converter(converted, options).run();
  ir::infer_shapes(converted);
  model = std::move(converted);
  return report;
}

}  // namespace pare::passes
