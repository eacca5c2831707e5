// The table of integer depthwise convolutions, and the walk over pixels or strips.
#include "kernels/qdepthwise/qdepthwise.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/threads.h"
#include "kernels/qdepthwise/row.h"
#include "kernels/window.h"

namespace pare::kernels {

#define PARE_PIXEL(file, ns, isa, lanes)                  \
  namespace ns {                                          \
  void qdepthwise_pixel(const QDepthwisePixel&) noexcept; \
  }
#define PARE_STRIP(file, ns, isa)                         \
  namespace ns {                                          \
  void qdepthwise_strip(const QDepthwiseStrip&) noexcept; \
  }
#include "kernels/qdepthwise/kernels.inc"
#undef PARE_PIXEL
#undef PARE_STRIP

namespace {

constexpr QDepthwiseKernel kTable[] = {
#define PARE_PIXEL(file, ns, isa, lanes) {"qdepthwise__" #ns, Isa::isa, lanes, ns::qdepthwise_pixel, nullptr},
#define PARE_STRIP(file, ns, isa) {"qdepthwise__" #ns, Isa::isa, kStripChannels, nullptr, ns::qdepthwise_strip},
#include "kernels/qdepthwise/kernels.inc"
#undef PARE_PIXEL
#undef PARE_STRIP
};

template <std::size_t... I>
constexpr std::array<const QDepthwiseKernel*, sizeof...(I)> pointers(std::index_sequence<I...>) {
  return {&kTable[I]...};
}
constexpr auto kRows = pointers(std::make_index_sequence<std::size(kTable)>{});

void run_pixel(const QDepthwiseWeights::Packed& w, const ConvShape& s, const void* input, const QConvEpilogue& epilogue,
               void* output, std::int64_t pixel) noexcept {
  const std::int64_t n = pixel / (s.out_h * s.out_w), oy = pixel / s.out_w % s.out_h, ox = pixel % s.out_w;
  const Window wy = window(oy, s.stride_h, s.pad_top, s.kh, s.dilation_h, s.in_h);
  const Window wx = window(ox, s.stride_w, s.pad_left, s.kw, s.dilation_w, s.in_w);
  QDepthwisePixel p{};
  p.input = static_cast<const std::uint8_t*>(input) + ((n * s.in_h + wy.start) * s.in_w + wx.start) * s.in_c;
  p.row = s.dilation_h * s.in_w * s.in_c, p.column = s.dilation_w * s.in_c;
  p.taps_h = wy.taps, p.taps_w = wx.taps;
  p.input_signed = w.common.input_signed, p.input_zero_point = w.common.input_zero_point;
  p.weight_row = s.kw * w.channels_padded, p.weight_column = w.channels_padded;
  p.weights = w.weights.data() + wy.first * p.weight_row + wx.first * p.weight_column;
  p.channels = s.out_c;
  p.finish = qconv_finish_at(w.common, epilogue, pixel, 0, output);
  w.kernel->pixel(p);
}

/// One row of outputs, 64 channels after the other; `unit` counts (image, output row).
void run_row(const QDepthwiseWeights::Packed& w, const ConvShape& s, const void* input, const QConvEpilogue& epilogue,
             void* output, std::int64_t unit) noexcept {
  const std::int64_t n = unit / s.out_h, oy = unit % s.out_h;
  const auto* image = static_cast<const std::uint8_t*>(input) + n * s.in_h * s.in_w * s.in_c;
  QDepthwiseStrip strip{};
  strip.padding = w.padding.data();
  strip.in_w = s.in_w, strip.in_c = s.in_c, strip.out_w = s.out_w;
  strip.first = -s.pad_left;
  strip.kh = static_cast<int>(s.kh), strip.kw = static_cast<int>(s.kw), strip.stride = static_cast<int>(s.stride_w);
  strip.input_signed = w.common.input_signed;
  const std::int64_t block_bytes = static_cast<std::int64_t>(w.quads.size()) / (w.channels_padded / kStripChannels);
  for (std::int64_t c = 0; c < s.out_c; c += kStripChannels) {
    for (std::int64_t y = 0; y < s.kh; ++y) {
      const std::int64_t iy = oy * s.stride_h - s.pad_top + y * s.dilation_h;
      strip.rows[y] = iy >= 0 && iy < s.in_h ? image + iy * s.in_w * s.in_c + c : nullptr;
    }
    strip.channels = static_cast<int>(std::min(kStripChannels, s.out_c - c));
    strip.weights = w.quads.data() + c / kStripChannels * block_bytes;
    strip.finish = qconv_finish_at(w.common, epilogue, unit * s.out_w, c, output);
    w.kernel->strip(strip);
  }
}

}  // namespace

QDepthwiseWeights::QDepthwiseWeights() = default;
QDepthwiseWeights::~QDepthwiseWeights() = default;
QDepthwiseWeights::QDepthwiseWeights(QDepthwiseWeights&&) noexcept = default;
QDepthwiseWeights& QDepthwiseWeights::operator=(QDepthwiseWeights&&) noexcept = default;

const char* QDepthwiseWeights::kernel_name() const noexcept { return packed_->kernel->name; }

void qdepthwise(const QDepthwiseWeights& weights, const ConvShape& shape, const void* input,
                const QConvEpilogue& epilogue, void* output) noexcept {
  const QDepthwiseWeights::Packed& w = weights.packed();
  const auto run = w.kernel->strip ? run_row : run_pixel;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end; ++unit) run(w, shape, input, epilogue, output, unit);
  };
  const std::int64_t units = w.kernel->strip ? shape.batch * shape.out_h : shape.pixels();
  const std::int64_t work = std::max<std::int64_t>(1, shape.macs() / std::max<std::int64_t>(1, units));
  parallel_for(units, std::max<std::int64_t>(1, kGrainOperations / work), std::ref(body));
}

std::span<const QDepthwiseKernel* const> qdepthwise_kernels() noexcept { return kRows; }
const char* qdepthwise_kernel_name(const QDepthwiseKernel& kernel) noexcept { return kernel.name; }
Isa qdepthwise_kernel_isa(const QDepthwiseKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
