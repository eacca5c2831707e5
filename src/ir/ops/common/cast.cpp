#include "ir/ops/common/cast.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/float16.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

template <class T>
std::string text_of(T value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

std::string real_text(double value, bool wide) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-INF" : "INF";
  return wide ? text_of(value) : text_of(static_cast<float>(value));
}

Tensor to_strings(const Tensor& x) {
  std::vector<std::string> out;
  if (is_float(x.dtype())) {
    for (double value : to_doubles(x)) out.push_back(real_text(value, x.dtype() == DType::kFloat64));
  } else {
    for (std::int64_t value : to_ints(x)) {
      out.push_back(x.dtype() == DType::kUint64 ? text_of(static_cast<std::uint64_t>(value)) : text_of(value));
    }
  }
  return Tensor::strings(x.dims(), std::move(out));
}

template <class T>
T number_of(const EvaluateContext& ctx, const std::string& text) {
  const char* begin = text.c_str() + (text.starts_with('+') ? 1 : 0);
  const char* end = text.c_str() + text.size();
  T value{};
  const auto [stop, failed] = std::from_chars(begin, end, value);
  if (failed != std::errc() || stop != end || begin == end)
    ctx.fail("a string is no number of the wanted type", "a number", "'" + text.substr(0, 64) + "'");
  return value;
}

Tensor from_strings(const EvaluateContext& ctx, const Tensor& x, DType to, bool saturate) {
  if (is_integer(to)) {
    std::vector<std::int64_t> out;
    for (const std::string& text : x.string_data())
      out.push_back(to == DType::kUint64 ? static_cast<std::int64_t>(number_of<std::uint64_t>(ctx, text))
                                         : number_of<std::int64_t>(ctx, text));
    return from_ints(to, x.dims(), out);
  }
  std::vector<double> out;
  for (const std::string& text : x.string_data()) out.push_back(number_of<double>(ctx, text));
  const Tensor wide = Tensor::from(x.dims(), out);
  return to == DType::kFloat64 ? wide : cast(wide, to, saturate);
}

}  // namespace

Tensor cast_element_type(const EvaluateContext& ctx, DType to) {
  const Tensor& x = ctx.in(0);
  if (to == x.dtype()) return x;
  const bool saturate = ctx.node.int_or("saturate", 1) != 0;
  if (to == DType::kString) return to_strings(x);
  if (x.dtype() == DType::kString) return from_strings(ctx, x, to, saturate);
  return cast(x, to, saturate);
}

}  // namespace pare::ir::ops
