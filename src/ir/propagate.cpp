#include "ir/propagate.h"

#include <algorithm>

#include "base/float16.h"
#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

/// Larger tensors cannot matter to shapes.
constexpr std::int64_t kSmall = 256;

void elements_from_constant(ValueFacts& facts) {
  const Tensor& tensor = *facts.constant;
  std::vector<Dim> elements;
  elements.reserve(static_cast<std::size_t>(tensor.numel()));
  const auto add = [&](std::int64_t value) { elements.push_back(value >= 0 ? Dim(value) : Dim()); };
  if (tensor.dtype() == DType::kInt32)  // biases of quantized models, of which there are many
    for (const std::int32_t value : tensor.data<std::int32_t>()) add(value);
  else
    for (std::int64_t i = 0; i < tensor.numel(); ++i) add(static_cast<std::int64_t>(element_as_double(tensor, i)));
  facts.elements = std::move(elements);
}

void constant_from_elements(ValueFacts& facts) {
  std::vector<std::int64_t> values;
  for (const Dim& element : *facts.elements) {
    if (!element.is_known()) return;
    values.push_back(element.value());
  }
  const auto dims = facts.shape.static_dims();
  if (!dims || element_count(*dims) != static_cast<std::int64_t>(values.size())) return;
  Tensor tensor = Tensor::from<std::int64_t>(*dims, values);
  if (facts.dtype != DType::kInt64) tensor = cast(tensor, facts.dtype);
  facts.owner = std::make_shared<const Tensor>(std::move(tensor));
  facts.constant = facts.owner.get();
}

bool can_evaluate(const Node& node, std::span<const ValueFacts> inputs, const std::vector<ValueFacts>& outputs) {
  if (node.inputs.empty() || has_subgraph(node)) return false;
  for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
    if (node.inputs[slot] == kNoValue) continue;
    if (inputs[slot].constant == nullptr || inputs[slot].constant->numel() > kSmall) return false;
  }
  bool wanted = false;
  for (std::size_t slot = 0; slot < outputs.size(); ++slot) {
    if (node.outputs[slot] == kNoValue) continue;
    wanted = wanted || outputs[slot].constant == nullptr;
    const auto dims = outputs[slot].shape.static_dims();
    // Only Range has an output size that its input sizes do not tell.
    if (dims ? element_count(*dims) > kSmall : node.op_type != "Range") return false;
  }
  return wanted;
}

void evaluate_small(const Node& node, const Operator& op, std::int64_t opset, std::span<const ValueFacts> inputs,
                    std::vector<ValueFacts>& outputs) {
  std::vector<Tensor> tensors;
  for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
    tensors.push_back(node.inputs[slot] == kNoValue ? Tensor() : *inputs[slot].constant);
  }
  std::vector<Tensor> results;
  try {
    results = op.evaluate(EvaluateContext{node, opset, tensors});
  } catch (const Error& error) {
    // What the reference cannot compute stays unknown; what is wrong with the model does not.
    if (error.code() == ErrorCode::kUnsupported) return;
    throw;
  }
  for (std::size_t slot = 0; slot < std::min(outputs.size(), results.size()); ++slot) {
    if (node.outputs[slot] == kNoValue || results[slot].numel() > kSmall) continue;
    ValueFacts& facts = outputs[slot];
    facts.owner = std::make_shared<const Tensor>(std::move(results[slot]));
    facts.constant = facts.owner.get();
    facts.dtype = facts.constant->dtype();
    facts.shape = Shape::of(facts.constant->dims());
    complete_facts(facts);
  }
}

/// Sizes whose product passes 63 bits are the error of the node that asks for them, not of whoever counts them first.
void require_countable(const Node& node, const ValueFacts& facts) {
  const auto dims = facts.shape.static_dims();
  if (!dims) return;
  try {
    element_count(*dims);
  } catch (const Error&) {
    throw Error(ErrorCode::kMemory, describe(node), "result does not fit in memory", "elements that 63 bits can count",
                to_string(*dims));
  }
}

}  // namespace

ValueFacts declared_facts(const Value& value) {
  ValueFacts facts{value.dtype, value.shape};
  if (value.constant) {
    facts.dtype = value.constant->dtype();
    facts.shape = Shape::of(value.constant->dims());
    facts.constant = &*value.constant;
    complete_facts(facts);
  }
  return facts;
}

void complete_facts(ValueFacts& facts) {
  if (facts.constant != nullptr) {
    const Tensor& tensor = *facts.constant;
    // Bytes are zero points, of which a quantized model has thousands, and no sizes.
    const bool sizes = is_integer(tensor.dtype()) && bits(tensor.dtype()) > 8;
    if (sizes && tensor.rank() <= 1 && tensor.numel() <= kSmall) elements_from_constant(facts);
  } else if (facts.elements && is_integer(facts.dtype)) {
    constant_from_elements(facts);
  }
}

std::vector<ValueFacts> infer_node(const Node& node, const Operator& op, std::int64_t opset,
                                   std::span<const ValueFacts> inputs) {
  const auto count = static_cast<int>(own_inputs(node));
  if (count < op.min_inputs || (op.max_inputs >= 0 && count > op.max_inputs)) {
    const std::string most = op.max_inputs < 0 ? " or more" : " to " + std::to_string(op.max_inputs);
    throw Error(ErrorCode::kBadInput, describe(node), "wrong number of inputs", std::to_string(op.min_inputs) + most,
                std::to_string(count));
  }
  for (int slot = 0; slot < op.min_inputs; ++slot) {
    if (node.inputs[static_cast<std::size_t>(slot)] == kNoValue) {
      throw Error(ErrorCode::kBadInput, describe(node), "input " + std::to_string(slot) + " is missing");
    }
  }
  std::vector<ValueFacts> outputs(std::max<std::size_t>(node.outputs.size(), static_cast<std::size_t>(op.min_outputs)));
  InferContext context{node, opset, inputs, outputs};
  op.infer(context);
  for (const ValueFacts& facts : outputs) require_countable(node, facts);
  outputs.resize(node.outputs.size());
  for (ValueFacts& facts : outputs) complete_facts(facts);
  if (can_evaluate(node, inputs, outputs)) evaluate_small(node, op, opset, inputs, outputs);
  return outputs;
}

}  // namespace pare::ir
