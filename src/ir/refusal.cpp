#include "ir/refusal.h"

#include <utility>

#include "base/text.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

std::string type_of(DType dtype, const Shape& shape) {
  return (dtype == DType::kUndefined ? "?" : std::string(name(dtype))) + " " + to_string(shape);
}

constexpr const char* kOmitted = "omitted";

/// "opset 13, inputs float32 [2, 8], omitted"
std::string asked(std::int64_t opset, const std::vector<std::string>& inputs) {
  std::string text = "opset " + std::to_string(opset);
  return inputs.empty() ? text : text + ", inputs " + join(inputs, ", ");
}

[[noreturn]] void throw_refusal(const Node& node, std::int64_t opset, const std::vector<std::string>& inputs,
                                const std::string& problem, const std::string& expected, const std::string& got) {
  throw Error(ErrorCode::kUnsupported, describe(node), problem + "; " + asked(opset, inputs), expected, got);
}

}  // namespace

Refusal refusal_of(const Graph& graph, const Node& node, std::int64_t opset, std::string reason) {
  Refusal refusal{node.name, node.op_type, std::move(reason), opset, {}};
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) {
      refusal.inputs.emplace_back(kOmitted);
      continue;
    }
    const Value& value = graph.value(id);
    const Tensor* constant = graph.constant(id);
    refusal.inputs.push_back(constant ? type_of(constant->dtype(), Shape::of(constant->dims()))
                                      : type_of(value.dtype, value.shape));
  }
  return refusal;
}

std::string describe(const Refusal& refusal) {
  if (refusal.node.empty() && refusal.op_type.empty()) return refusal.reason;
  return refusal.node + " (" + refusal.op_type + ", " + asked(refusal.opset, refusal.inputs) + "): " + refusal.reason;
}

std::string describe(const std::vector<Refusal>& refusals) {
  std::vector<std::string> parts;
  for (const Refusal& refusal : refusals) parts.push_back(describe(refusal));
  return join(parts, "; ");
}

void refuse(const InferContext& ctx, const std::string& problem, const std::string& expected, const std::string& got) {
  std::vector<std::string> inputs;
  for (std::size_t slot = 0; slot < ctx.node.inputs.size(); ++slot)
    inputs.push_back(ctx.has(slot) ? type_of(ctx.in(slot).dtype, ctx.in(slot).shape) : kOmitted);
  throw_refusal(ctx.node, ctx.opset, inputs, problem, expected, got);
}

void refuse(const Graph& graph, const Node& node, std::int64_t opset, const std::string& problem) {
  throw_refusal(node, opset, refusal_of(graph, node, opset, problem).inputs, problem, {}, {});
}

void refuse(const EvaluateContext& ctx, const std::string& problem, const std::string& expected,
            const std::string& got) {
  std::vector<std::string> inputs;
  for (const Tensor& tensor : ctx.inputs)
    inputs.push_back(tensor.defined() ? type_of(tensor.dtype(), Shape::of(tensor.dims())) : kOmitted);
  throw_refusal(ctx.node, ctx.opset, inputs, problem, expected, got);
}

}  // namespace pare::ir
