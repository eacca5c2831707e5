// The table of f32 depthwise convolutions and the walk over pixels.
#include "kernels/depthwise/depthwise.h"

#include <functional>

#include "base/threads.h"
#include "kernels/depthwise/pixel.h"
#include "kernels/window.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                      \
  namespace ns {                                        \
  void depthwise_pixel(const DepthwisePixel&) noexcept; \
  }
#include "kernels/depthwise/kernels.inc"
#undef PARE_KERNEL

namespace {

using PixelKernel = void (*)(const DepthwisePixel&) noexcept;

struct Row {
  Isa isa;
  PixelKernel pixel;
};

constexpr Row kTable[] = {
#define PARE_KERNEL(file, ns, isa) {Isa::isa, ns::depthwise_pixel},
#include "kernels/depthwise/kernels.inc"
#undef PARE_KERNEL
};

PixelKernel choose() noexcept {
  for (const Row& row : kTable) {
    if (isa_available(row.isa)) return row.pixel;
  }
  return reference::depthwise_pixel;
}

void run_pixel(PixelKernel kernel, const ConvShape& s, const float* packed, const float* bias,
               const ConvEpilogue& epilogue, const float* in, float* out, std::int64_t pixel) noexcept {
  const std::int64_t n = pixel / (s.out_h * s.out_w), oy = pixel / s.out_w % s.out_h, ox = pixel % s.out_w;
  const Window wy = window(oy, s.stride_h, s.pad_top, s.kh, s.dilation_h, s.in_h);
  const Window wx = window(ox, s.stride_w, s.pad_left, s.kw, s.dilation_w, s.in_w);
  DepthwisePixel p{};
  p.input = in + ((n * s.in_h + wy.start) * s.in_w + wx.start) * s.in_c;
  p.row = s.dilation_h * s.in_w * s.in_c, p.column = s.dilation_w * s.in_c;
  p.taps_h = wy.taps, p.taps_w = wx.taps;
  p.weight_row = s.kw * s.in_c, p.weight_column = s.in_c;
  p.weights = packed + wy.first * p.weight_row + wx.first * p.weight_column;
  p.bias = bias;
  p.residual = epilogue.residual ? epilogue.residual + pixel * s.out_c : nullptr;
  p.lo = epilogue.lo, p.hi = epilogue.hi;
  p.channels = s.out_c;
  p.output = out + pixel * s.out_c;
  kernel(p);
}

}  // namespace

std::vector<float> pack_depthwise(const ConvShape& shape, const float* filter, const FilterStrides& strides) {
  active_isa();  // an unusable PARE_FORCE_ISA is reported here, where errors may be thrown
  std::vector<float> packed(shape.taps() * shape.in_c);
  for (std::int64_t tap = 0; tap < shape.taps(); ++tap) {
    for (std::int64_t c = 0; c < shape.in_c; ++c) {
      packed[tap * shape.in_c + c] = filter[c * strides.o + tap / shape.kw * strides.y + tap % shape.kw * strides.x];
    }
  }
  return packed;
}

void depthwise(const ConvShape& shape, const float* packed, const float* bias, const ConvEpilogue& epilogue,
               const float* in, float* out) noexcept {
  const PixelKernel kernel = choose();
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t pixel = begin; pixel < end; ++pixel)
      run_pixel(kernel, shape, packed, bias, epilogue, in, out, pixel);
  };
  const std::int64_t work = std::max<std::int64_t>(1, shape.taps() * shape.out_c);
  parallel_for(shape.pixels(), std::max<std::int64_t>(1, kGrainOperations / work), std::ref(body));
}

}  // namespace pare::kernels
