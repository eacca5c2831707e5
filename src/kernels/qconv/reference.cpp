// The definition of qconv in plain loops.
#include "kernels/qconv/row.h"

namespace pare::kernels::reference {
namespace {

std::int32_t load(const QConvCall& call, std::int64_t index) noexcept {
  return call.weights->input_signed ? static_cast<const std::int8_t*>(call.input)[index]
                                    : static_cast<const std::uint8_t*>(call.input)[index];
}

std::int32_t accumulate(const QConvCall& call, std::int64_t n, std::int64_t oy, std::int64_t ox,
                        std::int64_t c) noexcept {
  const ConvShape& s = call.shape;
  const QConvWeights::Packed& packed = *call.weights;
  const std::int64_t group = c / s.group_out();
  const std::int32_t weight_zero = packed.weight_zero_point.empty() ? 0 : packed.weight_zero_point[c];
  const std::int8_t* w = packed.weights.data() + c * s.taps() * s.group_in();
  std::int32_t acc = 0;
  for (std::int64_t ky = 0; ky < s.kh; ++ky) {
    for (std::int64_t kx = 0; kx < s.kw; ++kx, w += s.group_in()) {
      const std::int64_t y = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
      const std::int64_t x = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
      if (y < 0 || y >= s.in_h || x < 0 || x >= s.in_w) continue;  // padding holds the zero point: x − in_zp = 0
      const std::int64_t at = ((n * s.in_h + y) * s.in_w + x) * s.in_c + group * s.group_in();
      for (std::int64_t i = 0; i < s.group_in(); ++i) {
        acc += (load(call, at + i) - packed.input_zero_point) * (w[i] - weight_zero);
      }
    }
  }
  return acc;
}

}  // namespace

void run(const QConvCall& call, const ProductPart& part, std::byte*) noexcept {
  const ConvShape& s = call.shape;
  for (std::int64_t pixel = part.pixel_begin; pixel < part.pixel_end; ++pixel) {
    const std::int64_t n = pixel / (s.out_h * s.out_w), oy = pixel / s.out_w % s.out_h, ox = pixel % s.out_w;
    for (std::int64_t group = 0; group < s.groups; ++group) {
      for (std::int64_t lane = part.panel_begin; lane < part.panel_end; ++lane) {  // one lane a panel
        const std::int64_t c = group * s.group_out() + lane;
        const std::int32_t acc = accumulate(call, n, oy, ox, c);
        QConvFinish finish = qconv_finish_at(*call.weights, *call.epilogue, pixel, c, call.output);
        finish.weight_zero_point = nullptr;  // applied above
        qconv_finish(finish, 0, 1, &acc);
      }
    }
  }
}

}  // namespace pare::kernels::reference
