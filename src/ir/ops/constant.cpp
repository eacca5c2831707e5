// Constant: the tensor, number, string or list of one attribute.
#include "ir/ops/common/facts.h"
#include "ir/refusal.h"

namespace pare::ir::ops {
namespace {

template <class T>
Tensor list(const std::vector<T>& values) {
  return Tensor::from<T>({static_cast<std::int64_t>(values.size())}, values);
}

template <class Context>
Tensor value(const Context& ctx) {
  const auto get = [&](const char* attribute) { return ctx.node.find(attribute); };
  if (const Attribute* a = get("value")) {
    if (const Tensor* tensor = std::get_if<Tensor>(&a->value)) return *tensor;
  }
  if (get("value_float") != nullptr) return Tensor::scalar<float>(ctx.node.float_or("value_float", 0));
  if (get("value_int") != nullptr) return Tensor::scalar<std::int64_t>(ctx.node.int_or("value_int", 0));
  if (get("value_floats") != nullptr) return list(ctx.node.floats_or("value_floats", {}));
  if (get("value_ints") != nullptr) return list(ctx.node.ints_or("value_ints", {}));
  if (get("value_string") != nullptr) return Tensor::strings({}, {ctx.node.string_or("value_string", "")});
  if (const Attribute* a = get("value_strings")) {
    if (const auto* strings = std::get_if<std::vector<std::string>>(&a->value)) {
      return Tensor::strings({static_cast<std::int64_t>(strings->size())}, *strings);
    }
  }
  if (get("sparse_value") != nullptr) refuse(ctx, "a sparse constant");
  ctx.fail("attribute with the value is missing", "value, value_float, value_int …");
}

void infer(InferContext& ctx) {
  auto tensor = std::make_shared<Tensor>(value(ctx));
  set_output(ctx, 0, tensor->dtype(), Shape::of(tensor->dims()));
  ctx.outputs[0].constant = tensor.get();
  ctx.outputs[0].owner = std::move(tensor);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) { return {value(ctx)}; }

}  // namespace

extern const Operator kConstant = {
    .op_type = "Constant",
    .since = 7,
    .min_inputs = 0,
    .max_inputs = 0,
    .attributes = {"sparse_value", "value", "value_float", "value_floats", "value_int", "value_ints", "value_string",
                   "value_strings"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
