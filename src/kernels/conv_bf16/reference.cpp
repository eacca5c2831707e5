// The definition in plain loops.
#include "base/float16.h"
#include "kernels/amx/chunks.h"
#include "kernels/conv_bf16/row.h"

namespace pare::kernels::reference {
namespace {

float number_at(const void* values, DType type, std::int64_t at) noexcept {
  return type == DType::kFloat32 ? static_cast<const float*>(values)[at]
                                 : bfloat16_to_float(static_cast<const std::uint16_t*>(values)[at]);
}

/// Σ over the taps inside the image, of output channel c at an output pixel.
double sum_of(const Bf16Call& call, std::int64_t n, std::int64_t oy, std::int64_t ox, std::int64_t c) noexcept {
  const ConvShape& s = call.shape;
  const Bf16Packed& packed = *call.weights;
  const amx::Chunks chunks(s, 2);
  const std::int64_t group = c / s.group_out(), own = c % s.group_out();
  const std::uint16_t* panel =
      packed.weights.data()[(group * packed.panels + own / kBf16Panel) * packed.panel_lines].values;
  double sum = 0;
  for (std::int64_t ky = 0; ky < s.kh; ++ky)
    for (std::int64_t kx = 0; kx < s.kw; ++kx) {
      const std::int64_t y = oy * s.stride_h - s.pad_top + ky * s.dilation_h,
                         x = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
      if (y < 0 || y >= s.in_h || x < 0 || x >= s.in_w) continue;
      const std::int64_t at = ((n * s.in_h + y) * s.in_w + x) * s.in_c + group * s.group_in();
      for (std::int64_t i = 0; i < s.group_in(); ++i) {
        const std::int64_t place = chunks.place(2 * ((ky * s.kw + kx) * s.group_in() + i));
        const std::uint16_t weight = panel[place / 4 * kBf16Panel * 2 + own % kBf16Panel * 2 + place % 4 / 2];
        sum += static_cast<double>(number_at(call.in, DType::kBFloat16, at + i)) * bfloat16_to_float(weight);
      }
    }
  return sum;
}

void finish(const Bf16Call& call, std::int64_t pixel, std::int64_t c, double sum) noexcept {
  const ConvShape& s = call.shape;
  const FloatEpilogue& e = *call.epilogue;
  const std::int64_t group = c / s.group_out(), own = c % s.group_out(), at = pixel * s.out_c + c;
  const float bias = call.weights->bias[static_cast<std::size_t>(group * call.weights->panels * kBf16Panel + own)];
  float v = unary_one(e.activation, {}, static_cast<float>(sum) + bias);
  if (e.residual_type != DType::kUndefined) v += number_at(e.residual, e.residual_type, at);
  v = v < e.lo ? e.lo : v;
  v = v > e.hi ? e.hi : v;
  if (e.output_type == DType::kFloat32)
    static_cast<float*>(call.out)[at] = v;
  else
    static_cast<std::uint16_t*>(call.out)[at] = float_to_bfloat16(v);
}

}  // namespace

void conv_bf16_run(const Bf16Call& call, const ProductPart& part, std::byte*) noexcept {
  const ConvShape& s = call.shape;
  for (std::int64_t pixel = part.pixel_begin; pixel < part.pixel_end; ++pixel) {
    const std::int64_t n = pixel / (s.out_h * s.out_w), oy = pixel / s.out_w % s.out_h, ox = pixel % s.out_w;
    for (std::int64_t group = 0; group < s.groups; ++group)
      for (std::int64_t own = part.panel_begin * kBf16Panel; own < part.panel_end * kBf16Panel && own < s.group_out();
           ++own) {
        const std::int64_t c = group * s.group_out() + own;
        finish(call, pixel, c, sum_of(call, n, oy, ox, c));
      }
  }
}

}  // namespace pare::kernels::reference
