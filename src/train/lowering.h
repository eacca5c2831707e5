// From graph nodes to LibTorch calls. A lowering reads a node once, refuses what it cannot do, and returns the call
// that computes the node's outputs from its inputs in a frame. One file an operator family in lower/, one row an
// operator in lowerings.inc.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/model.h"
#include "train/torch_headers.h"

namespace pare::train {

/// The tensors of one forward pass, by slot. Parameters, statistics and constants are there from the start.
struct Frame {
  std::vector<at::Tensor> values;
  bool training = false;    ///< batch statistics and dropout
  at::Generator generator;  ///< of dropout; undefined in inference

  const at::Tensor& operator[](int slot) const { return values[static_cast<std::size_t>(slot)]; }
  at::Tensor& operator[](int slot) { return values[static_cast<std::size_t>(slot)]; }
};

using Call = std::function<void(Frame&)>;

/// Thrown by a lowering that cannot take the node; becomes an exec::Refusal.
struct CannotLower {
  std::string reason;
};

inline constexpr int kNoSlot = -1;

/// What a lowering may ask about its node.
class LowerContext {
 public:
  LowerContext(const ir::Graph& graph, const ir::Node& node, std::int64_t opset,
               const std::unordered_map<ir::ValueId, int>& slots, const std::vector<ir::ValueId>& frozen_statistics)
      : graph(graph), node(node), opset(opset), slots_(slots), frozen_statistics_(frozen_statistics) {}

  const ir::Graph& graph;
  const ir::Node& node;
  const std::int64_t opset;

  bool has(std::size_t input) const { return node.input(input) != ir::kNoValue; }
  int in(std::size_t input = 0) const { return slot(node.input(input)); }  ///< kNoSlot when omitted
  int out(std::size_t output = 0) const { return slot(node.output(output)); }
  /// The initializer behind an input, or nullptr.
  const Tensor* constant(std::size_t input) const;
  /// Its integers; refuses when the input is given but not constant. nullopt: omitted.
  std::optional<std::vector<std::int64_t>> constant_ints(std::size_t input, std::string_view meaning) const;
  /// A list that is an attribute before `input_since` and an input from then on (axes, pads …). nullopt: omitted.
  std::optional<std::vector<std::int64_t>> ints(std::string_view attribute, std::size_t input,
                                                std::int64_t input_since) const;
  /// True when this node may overwrite the input: nothing else reads it, and its producer's gradient does not need it.
  bool may_overwrite(std::size_t input) const;
  /// True when the initializer holds running statistics that several nodes share, so that no one may update it.
  bool is_frozen(std::size_t input) const;
  /// Refuses nodes of which outputs after the first are used.
  void only_first_output() const;
  [[noreturn]] void refuse(std::string reason) const { throw CannotLower{std::move(reason)}; }

 private:
  int slot(ir::ValueId id) const { return id == ir::kNoValue ? kNoSlot : slots_.at(id); }

  const std::unordered_map<ir::ValueId, int>& slots_;
  const std::vector<ir::ValueId>& frozen_statistics_;
};

using LowerFunction = Call (*)(const LowerContext&);

/// The row of an operator of the default domain or of Pare's own, or nullptr.
LowerFunction find_lowering(const ir::Node& node);

/// A call of one input and one output.
template <class Function>
Call unary(const LowerContext& context, Function function) {
  return [x = context.in(0), y = context.out(0), function](Frame& frame) { frame[y] = function(frame[x]); };
}

/// An axis attribute counted from the end, as an index into `rank` axes; throws c10::Error when out of range.
inline std::int64_t wrap_axis(std::int64_t axis, std::int64_t rank) {
  TORCH_CHECK(axis >= -rank && axis <= rank, "axis ", axis, " is out of range for rank ", rank);
  return axis < 0 ? axis + rank : axis;
}

/// The elements of an integer tensor that says where or how (a shape, axes, pads).
std::vector<std::int64_t> to_ints(const at::Tensor& tensor);

}  // namespace pare::train
