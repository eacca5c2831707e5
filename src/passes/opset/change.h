// What changed between versions of the ai.onnx operator set, one row a change (changes.inc), and edits that the
// conversions share.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/model.h"

namespace pare::passes::opset {

/// A node to convert, in its graph; `outer` are the graphs around it, whose names must not be hidden.
struct Site {
  ir::Graph& graph;
  ir::NodeId id;
  std::span<const ir::Graph* const> outer;

  ir::Node& node() const { return graph.node(id); }
  /// The shape of an input; unranked when unknown or omitted.
  ir::Shape shape(std::size_t slot) const;
  /// An initializer of its own, called "<node>_<what>".
  ir::ValueId add_constant(const std::string& what, Tensor tensor) const;
  /// Sets an input, filling omitted ones before it.
  void set_input(std::size_t slot, ir::ValueId value) const;
  /// Inserts a node before this one (or after, reading `output`) and returns its output.
  ir::ValueId insert(const std::string& op_type, std::vector<ir::ValueId> inputs, ir::Attributes attributes,
                     const std::string& what, bool before = true) const;
};

/// An operator whose form or meaning changed at opset `since`. `convert` makes a node of the version before mean the
/// same from `since` on; it returns why that is impossible, or "".
struct Change {
  std::string_view op_type;
  std::int64_t since;
  std::string_view what;  ///< "axes became an input"
  std::string (*convert)(const Site&);
};

/// By opset, oldest first: conversions compose, so that a node passes through every version.
std::span<const Change> changes();

/// Moves attribute `name` (integers, an integer, or a float) to input `slot`; nothing when absent.
void ints_to_input(const Site& site, const std::string& name, std::size_t slot);
void int_to_input(const Site& site, const std::string& name, std::size_t slot);
void float_to_input(const Site& site, const std::string& name, std::size_t slot);

#define PARE_OPSET_CHANGE(op, since, what, convert) std::string convert(const Site& site);
#include "passes/opset/changes.inc"
#undef PARE_OPSET_CHANGE

}  // namespace pare::passes::opset
