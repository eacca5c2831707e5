// The computation graph: ONNX semantics, single assignment, nodes in topological order.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/attribute.h"
#include "ir/name_index.h"
#include "ir/shape.h"
#include "pare/tensor.h"

namespace pare::ir {

using ValueId = std::int32_t;
using NodeId = std::int32_t;
inline constexpr ValueId kNoValue = -1;  ///< an omitted optional input or output
inline constexpr NodeId kNoNode = -1;

/// Metadata, documentation and bytes that travel with ONNX messages and mean nothing to Pare.
struct Baggage {
  std::string doc;
  std::map<std::string, std::string> metadata;
  std::string unknown_fields;
};

/// A tensor of the graph: an input, an initializer or the output of one node.
struct Value {
  std::string name;
  DType dtype = DType::kUndefined;  ///< kUndefined until inferred
  Shape shape;
  /// Set for initializers and for results of constant folding; dtype and shape then agree with it.
  std::optional<Tensor> constant;
  NodeId producer = kNoNode;
  std::vector<NodeId> consumers;  ///< a node once for every input slot that reads the value
  /// Bound in an enclosing graph (only inside subgraph attributes).
  bool captured = false;
  /// Keep this mask's zeros at zero during training (same shape as `constant`, uint8 0/1); see DESIGN "masks".
  std::optional<Tensor> mask;
  /// The serialized TypeProto when it is not a tensor type (sequence, map, optional, sparse): kept, not understood.
  std::string opaque_type;
  bool has_value_info = false;   ///< the file declared this intermediate value's type
  bool listed_as_input = false;  ///< an initializer that the file also lists among the graph's inputs (a default)
  /// Denotations and unknown fields of a tensor type: a serialized TypeProto without sizes, written back with the type.
  std::string type_annotations;
  Baggage baggage;
};

struct Node {
  std::string name;             ///< unique within the graph (made up on import when absent or repeated)
  std::string op_type, domain;  ///< domain "" is ai.onnx
  std::string overload;
  std::vector<ValueId> inputs, outputs;  ///< kNoValue for omitted optional ones
  Attributes attributes;
  bool name_made_up = false;  ///< not written back to ONNX
  Baggage baggage;

  const Attribute* find(const std::string& attribute) const;
  std::int64_t int_or(const std::string& attribute, std::int64_t fallback) const;
  float float_or(const std::string& attribute, float fallback) const;
  std::string string_or(const std::string& attribute, const std::string& fallback) const;
  std::vector<std::int64_t> ints_or(const std::string& attribute, std::vector<std::int64_t> fallback) const;
  std::vector<float> floats_or(const std::string& attribute, std::vector<float> fallback) const;
  void set(const std::string& attribute, AttributeValue value);
  /// Input slot, kNoValue when omitted or past the end.
  ValueId input(std::size_t slot) const { return slot < inputs.size() ? inputs[slot] : kNoValue; }
  ValueId output(std::size_t slot) const { return slot < outputs.size() ? outputs[slot] : kNoValue; }
  bool is(std::string_view type) const { return domain.empty() && op_type == type; }
};

/// Ids stay valid until the element is erased; they are never reused. Edits keep producer/consumer links exact.
/// Copying a graph copies structure and shares tensor storage.
class Graph {
 public:
  std::string name;
  Baggage baggage;
  std::vector<ValueId> inputs;  ///< true inputs; initializers that IR < 4 repeats there are not listed
  std::vector<ValueId> outputs;

  const std::vector<NodeId>& nodes() const noexcept { return order_; }  ///< topological order
  std::vector<ValueId> values() const;                                  ///< all live values, in order of creation
  const Node& node(NodeId id) const;
  Node& node(NodeId id);  ///< for attributes; change inputs, outputs and the name through the edits below
  const Value& value(ValueId id) const;
  Value& value(ValueId id);
  bool has_value(ValueId id) const noexcept;
  bool has_node(NodeId id) const noexcept;

  ValueId find_value(const std::string& name) const;  ///< kNoValue when absent
  NodeId find_node(const std::string& name) const;
  bool is_input(ValueId id) const;
  bool is_output(ValueId id) const;
  /// The constant behind an optional input slot, or nullptr.
  const Tensor* constant(ValueId id) const;
  NodeId producer(ValueId id) const { return id == kNoValue ? kNoNode : value(id).producer; }
  /// The only consumer of a value that is not a graph output; kNoNode otherwise.
  NodeId sole_consumer(ValueId id) const;

  /// Adds a value; an empty or taken name is made unique.
  ValueId add_value(const std::string& name, DType dtype = DType::kUndefined, Shape shape = {});
  ValueId add_input(const std::string& name, DType dtype, Shape shape);
  ValueId add_initializer(const std::string& name, Tensor tensor);
  void set_constant(ValueId id, Tensor tensor);  ///< replaces content, dtype and shape
  /// Appends (or inserts before `before`). Every output must not yet have a producer.
  NodeId add_node(Node node, NodeId before = kNoNode);
  void set_input(NodeId node, std::size_t slot, ValueId value);
  /// Every consumer of `from`, and the graph outputs when `outputs_too`, read `to` instead.
  void replace_uses(ValueId from, ValueId to, bool outputs_too = false);
  /// Takes the node out; its outputs lose their producer (and are erased when nothing reads them).
  void erase_node(NodeId id);
  void erase_value(ValueId id);  ///< requires: no producer, no consumer, not a graph input or output
  /// Makes the output slot of `node` produce `value` (which must have no producer); the old value loses its producer.
  void set_output(NodeId node, std::size_t slot, ValueId value);
  void rename(ValueId id, const std::string& name);
  void rename_node(NodeId id, const std::string& name);

  /// Restores topological order (stable). Throws Error(kBadInput) naming a node of a cycle.
  void sort();
  /// Erases nodes whose outputs nothing needs, then unread values that are not graph inputs. Returns the nodes erased.
  int erase_dead();
  std::string unique_value_name(const std::string& base) const;
  std::string unique_node_name(const std::string& base) const;
  /// Names that subgraph attributes of any node read from this graph (these values are alive).
  std::vector<std::string> captured_names() const;

 private:
  std::vector<NodeId> dependencies(NodeId id) const;
  void drop_consumer(ValueId value, NodeId node);
  const std::string& value_name(ValueId id) const { return value_slots_[static_cast<std::size_t>(id)]->name; }
  const std::string& node_name(NodeId id) const { return node_slots_[static_cast<std::size_t>(id)]->name; }

  std::deque<std::optional<Node>> node_slots_;  // deques: references survive additions
  std::deque<std::optional<Value>> value_slots_;
  std::vector<NodeId> order_;
  NameIndex value_names_, node_names_;
};

}  // namespace pare::ir
