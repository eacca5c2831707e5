// What an operator declares: one `Operator` per file in ir/ops/, one row in ops.inc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/model.h"

namespace pare::ir {

/// What inference knows of a value: its type, and its elements where they are small integers that matter to shapes
/// (elements may be symbols). `constant` points to the full tensor when it is known.
struct ValueFacts {
  DType dtype = DType::kUndefined;
  Shape shape;
  const Tensor* constant = nullptr;
  std::optional<std::vector<Dim>> elements;  ///< integer tensors of rank ≤ 1 only
  std::shared_ptr<const Tensor> owner;       ///< holds `constant` when inference computed it
};

/// How errors call a node: "Conv 'features.0'".
std::string describe(const Node& node);

/// Read side: node, opset of its domain, facts of the inputs. Write side: facts of the outputs.
/// `outputs` has one entry per node output, default (unknown) until set.
struct InferContext {
  const Node& node;
  std::int64_t opset;
  std::span<const ValueFacts> inputs;  ///< padded: an omitted input has dtype kUndefined
  std::vector<ValueFacts>& outputs;

  bool has(std::size_t slot) const {
    return slot < inputs.size() && slot < node.inputs.size() && node.inputs[slot] != kNoValue;
  }
  const ValueFacts& in(std::size_t slot) const;  ///< an unknown value when omitted
  /// Throws Error(kBadInput) with the node as subject.
  [[noreturn]] void fail(const std::string& problem, const std::string& expected = {},
                         const std::string& got = {}) const;
};

/// Scalar reference: concrete inputs in, outputs returned. An omitted optional input is an undefined tensor.
struct EvaluateContext {
  const Node& node;
  std::int64_t opset;
  std::span<const Tensor> inputs;

  bool has(std::size_t slot) const { return slot < inputs.size() && inputs[slot].defined(); }
  const Tensor& in(std::size_t slot) const { return inputs[slot]; }
  [[noreturn]] void fail(const std::string& problem, const std::string& expected = {},
                         const std::string& got = {}) const;
};

/// How one axis of one tensor of a node relates to channel groups (the coupling walk of structured pruning).
/// Every tensor axis that shares a `label` within the node is the same index set: removing an index from one removes it
/// from all. Labels are local to the node. Kind kContracted: summed over (input channels of a convolution).
/// kConcatenated/kSplit: the axis is the concatenation, in slot order, of the axes with this label on the other side.
/// For these two, every axis of the label carries the kind. kFree, like an axis that is not listed: unrelated to any
/// other.
struct AxisRelation {
  enum class Kind { kSame, kContracted, kConcatenated, kSplit, kFree };
  enum class Side { kInput, kOutput };
  Side side = Side::kInput;
  std::size_t slot = 0;
  std::int64_t axis = 0;
  int label = 0;
  Kind kind = Kind::kSame;
  std::int64_t block =
      1;  ///< one index of the label covers this many consecutive elements of the axis (Flatten, groups)
  std::int64_t repeat = 1;  ///< the axis runs through all indices this many times (the gates of an LSTM); kSame and
                            ///< kContracted only
};

struct AxesContext {
  const Node& node;
  std::span<const ValueFacts> inputs, outputs;
  int position = 0;  ///< of axes that merge or split, which one is related: 0, the first (Reshape)
};

/// An operator of one domain over a range of opsets. Functions may be null where the field says so.
struct Operator {
  std::string_view op_type;
  std::string_view domain;             ///< "" for ai.onnx
  std::int64_t since = 1;              ///< first opset understood; a refusal names it
  std::int64_t until = 28;             ///< last opset understood
  int min_inputs = 0, max_inputs = 0;  ///< max −1: variadic
  int min_outputs = 1, max_outputs = 1;
  std::vector<std::string_view> attributes;                           ///< all that any version in the range defines
  void (*infer)(InferContext&) = nullptr;                             ///< never null
  std::vector<Tensor> (*evaluate)(const EvaluateContext&) = nullptr;  ///< never null
  /// Multiply–accumulates for static shapes; null: the operator does none.
  std::int64_t (*macs)(const Node&, std::span<const ValueFacts> in, std::span<const ValueFacts> out) = nullptr;
  /// Null: every axis is free.
  std::vector<AxisRelation> (*axes)(const AxesContext&) = nullptr;
  bool elementwise = false;  ///< y[i] = f(x[i]) with numpy broadcasting
};

/// All rows of ops.inc.
std::span<const Operator* const> operators();
/// The operator of a node, or nullptr. `opset` is that of the node's domain.
const Operator* find_operator(const Node& node, std::int64_t opset);
/// Why find_operator returned nullptr: "unknown operator", "opset 25 is newer than 23" …
std::string why_unknown(const Node& node, std::int64_t opset);

}  // namespace pare::ir
