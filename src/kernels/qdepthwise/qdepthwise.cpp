// The table of integer depthwise convolutions, packing and the walk over pixels.
#include "kernels/qdepthwise/qdepthwise.h"

#include <algorithm>
#include <array>
#include <functional>
#include <new>

#include "base/threads.h"
#include "kernels/qdepthwise/row.h"
#include "kernels/window.h"
#include "pare/error.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa, lanes)                 \
  namespace ns {                                          \
  void qdepthwise_pixel(const QDepthwisePixel&) noexcept; \
  }
#include "kernels/qdepthwise/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr QDepthwiseKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa, lanes) {"qdepthwise__" #ns, Isa::isa, lanes, ns::qdepthwise_pixel},
#include "kernels/qdepthwise/kernels.inc"
#undef PARE_KERNEL
};

template <std::size_t... I>
constexpr std::array<const QDepthwiseKernel*, sizeof...(I)> pointers(std::index_sequence<I...>) {
  return {&kTable[I]...};
}
constexpr auto kRows = pointers(std::make_index_sequence<std::size(kTable)>{});

void pack_weights(QDepthwiseWeights::Packed& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const ConvShape& s = packed.common.shape;
  const std::int64_t lanes = packed.kernel->lanes;
  packed.channels_padded = (s.out_c + lanes - 1) / lanes * lanes;
  packed.weights.assign(s.taps() * packed.channels_padded, 0);
  packed.common.bias.assign(packed.channels_padded, 0);
  for (std::int64_t c = 0; c < s.out_c; ++c) {
    if (bias) packed.common.bias[c] = bias[c];
    const std::int32_t zero = filter.zero_point ? filter.zero_point[c] : 0;
    for (std::int64_t tap = 0; tap < s.taps(); ++tap) {
      const std::int64_t at = c * filter.strides.o + tap / s.kw * filter.strides.y + tap % s.kw * filter.strides.x;
      const std::int32_t w = filter.is_unsigned ? static_cast<const std::uint8_t*>(filter.data)[at]
                                                : static_cast<const std::int8_t*>(filter.data)[at];
      packed.weights[tap * packed.channels_padded + c] = static_cast<std::int16_t>(w - zero);
    }
  }
}

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

}  // namespace

QDepthwiseWeights::QDepthwiseWeights() = default;
QDepthwiseWeights::~QDepthwiseWeights() = default;
QDepthwiseWeights::QDepthwiseWeights(QDepthwiseWeights&&) noexcept = default;
QDepthwiseWeights& QDepthwiseWeights::operator=(QDepthwiseWeights&&) noexcept = default;

QDepthwiseWeights QDepthwiseWeights::pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                          std::int32_t input_zero_point, const std::int32_t* bias,
                                          const QDepthwiseKernel* kernel) {
  if (!kernel)
    kernel =
        *std::find_if(kRows.begin(), kRows.end(), [](const QDepthwiseKernel* row) { return isa_available(row->isa); });
  QDepthwiseWeights result;
  try {
    result.packed_ = std::make_unique<Packed>();
    result.packed_->kernel = kernel;
    result.packed_->common.shape = shape;
    result.packed_->common.input_signed = input_type == DType::kInt8;
    result.packed_->common.input_zero_point = input_zero_point;
    pack_weights(*result.packed_, filter, bias);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "depthwise weights", "do not fit in memory when packed");
  }
  return result;
}

const char* QDepthwiseWeights::kernel_name() const noexcept { return packed_->kernel->name; }
std::size_t QDepthwiseWeights::bytes() const noexcept {
  return 2 * packed_->weights.size() + 4 * packed_->common.bias.size();
}

void qdepthwise(const QDepthwiseWeights& weights, const ConvShape& shape, const void* input,
                const QConvEpilogue& epilogue, void* output) noexcept {
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t pixel = begin; pixel < end; ++pixel)
      run_pixel(weights.packed(), shape, input, epilogue, output, pixel);
  };
  const std::int64_t work = std::max<std::int64_t>(1, shape.taps() * shape.out_c);
  parallel_for(shape.pixels(), std::max<std::int64_t>(1, kGrainOperations / work), std::ref(body));
}

std::span<const QDepthwiseKernel* const> qdepthwise_kernels() noexcept { return kRows; }
const char* qdepthwise_kernel_name(const QDepthwiseKernel& kernel) noexcept { return kernel.name; }
Isa qdepthwise_kernel_isa(const QDepthwiseKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
