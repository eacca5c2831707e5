#include "train/lowering.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/float16.h"
#include "ir/pare_domain.h"

namespace pare::train {

#define PARE_TRAIN_LOWERING(file, op, function) Call function(const LowerContext& context);
#include "train/lowerings.inc"
#undef PARE_TRAIN_LOWERING

namespace {

constexpr std::pair<std::string_view, LowerFunction> kLowerings[] = {
#define PARE_TRAIN_LOWERING(file, op, function) {#op, &function},
#include "train/lowerings.inc"
#undef PARE_TRAIN_LOWERING
};

/// Operators whose output is fresh memory that their own gradient does not read.
constexpr std::array<std::string_view, 7> kFreshOutput = {"Conv", "Gemm", "MatMul", "BatchNormalization",
                                                          "Add",  "Sub",  "Mul"};

}  // namespace

LowerFunction find_lowering(const ir::Node& node) {
  if (!node.domain.empty() && node.domain != ir::kPareDomain) return nullptr;
  for (const auto& [op, function] : kLowerings) {
    if (op == node.op_type) return function;
  }
  return nullptr;
}

const Tensor* LowerContext::constant(std::size_t input) const {
  return has(input) ? graph.constant(node.input(input)) : nullptr;
}

std::optional<std::vector<std::int64_t>> LowerContext::constant_ints(std::size_t input,
                                                                     std::string_view meaning) const {
  if (!has(input)) return std::nullopt;
  const Tensor* tensor = constant(input);
  if (tensor == nullptr) refuse(std::string(meaning) + " must be constant");
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < tensor->numel(); ++i) {
    values.push_back(static_cast<std::int64_t>(element_as_double(*tensor, i)));
  }
  return values;
}

std::optional<std::vector<std::int64_t>> LowerContext::ints(std::string_view attribute, std::size_t input,
                                                            std::int64_t input_since) const {
  if (opset >= input_since) return constant_ints(input, attribute);
  if (node.find(std::string(attribute)) == nullptr) return std::nullopt;
  return node.ints_or(std::string(attribute), {});
}

bool LowerContext::may_overwrite(std::size_t input) const {
  if (!has(input) || graph.is_output(node.input(input))) return false;
  const ir::Value& value = graph.value(node.input(input));
  if (value.producer == ir::kNoNode || value.consumers.size() != 1) return false;
  const ir::Node& producer = graph.node(value.producer);
  return std::any_of(kFreshOutput.begin(), kFreshOutput.end(), [&](std::string_view op) { return producer.is(op); });
}

bool LowerContext::is_frozen(std::size_t input) const {
  return std::find(frozen_statistics_.begin(), frozen_statistics_.end(), node.input(input)) != frozen_statistics_.end();
}

void LowerContext::only_first_output() const {
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    const ir::ValueId id = node.outputs[i];
    if (id != ir::kNoValue && (graph.is_output(id) || !graph.value(id).consumers.empty())) {
      refuse("output " + std::to_string(i) + " is used, and training computes only the first");
    }
  }
}

std::vector<std::int64_t> to_ints(const at::Tensor& tensor) {
  const at::Tensor list = tensor.to(at::kCPU, at::kLong).reshape({-1}).contiguous();
  const std::int64_t* data = list.data_ptr<std::int64_t>();
  return {data, data + list.numel()};
}

}  // namespace pare::train
