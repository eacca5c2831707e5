// Constants and the operators that exporters compute shapes with.
#include <algorithm>
#include <limits>

#include "train/lowering.h"
#include "train/tensors.h"

namespace pare::train {
namespace {

at::Tensor attribute_tensor(const LowerContext& context) {
  const ir::Node& node = context.node;
  if (const ir::Attribute* value = node.find("value")) return to_torch(std::get<Tensor>(value->value));
  if (node.find("value_float") != nullptr) return at::scalar_tensor(node.float_or("value_float", 0), at::kFloat);
  if (node.find("value_int") != nullptr) return at::scalar_tensor(node.int_or("value_int", 0), at::kLong);
  if (node.find("value_floats") != nullptr) return at::tensor(node.floats_or("value_floats", {}), at::kFloat);
  if (node.find("value_ints") != nullptr) return at::tensor(node.ints_or("value_ints", {}), at::kLong);
  context.refuse("constants of strings or sparse tensors cannot be trained with");
}

}  // namespace

Call lower_constant(const LowerContext& context) {
  return [value = attribute_tensor(context), y = context.out()](Frame& frame) { frame[y] = value; };
}

Call lower_constant_of_shape(const LowerContext& context) {
  const ir::Attribute* attribute = context.node.find("value");
  const at::Tensor value = attribute != nullptr ? to_torch(std::get<Tensor>(attribute->value)).reshape({})
                                                : at::scalar_tensor(0, at::kFloat);
  return unary(context, [value](const at::Tensor& shape) { return value.expand(to_ints(shape)).contiguous(); });
}

Call lower_shape(const LowerContext& context) {
  const std::int64_t start = context.node.int_or("start", 0);
  const std::int64_t end = context.node.int_or("end", std::numeric_limits<std::int64_t>::max());
  return unary(context, [=](const at::Tensor& x) {
    const std::int64_t rank = x.dim();
    const auto wrap = [rank](std::int64_t i) { return std::clamp<std::int64_t>(i < 0 ? i + rank : i, 0, rank); };
    const std::int64_t first = wrap(start), last = std::max(wrap(end), first);
    const std::vector<std::int64_t> sizes(x.sizes().begin() + first, x.sizes().begin() + last);
    return at::tensor(sizes, at::kLong);
  });
}

Call lower_size(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return at::scalar_tensor(x.numel(), at::kLong); });
}

Call lower_cast(const LowerContext& context) {
  const std::int64_t to = context.node.int_or("to", 0);
  if (!is_valid_dtype(static_cast<int>(to))) context.refuse("the target type is unknown");
  const auto dtype = static_cast<DType>(to);
  if (bits(dtype) == 0 || (!is_float(dtype) && !is_integer(dtype) && dtype != DType::kBool)) {
    context.refuse("a cast to " + std::string(name(dtype)) + " cannot be trained");
  }
  if (is_float(dtype) && bits(dtype) < 16)
    context.refuse("a cast to " + std::string(name(dtype)) + " cannot be trained");
  // f16, bf16 and f64 are computed in f32 here.
  return unary(context, [type = torch_type(dtype)](const at::Tensor& x) { return x.to(type); });
}

Call lower_range(const LowerContext& context) {
  return [start = context.in(0), limit = context.in(1), step = context.in(2), y = context.out()](Frame& frame) {
    frame[y] = at::arange(frame[start].item(), frame[limit].item(), frame[step].item(), frame[start].options());
  };
}

}  // namespace pare::train
