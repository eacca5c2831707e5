// The scalar epilogue: the order of float operations of qconv.h.
#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/qconv/row.h"

namespace pare::kernels {
namespace {

float residual_at(const QConvFinish& f, std::int64_t at) noexcept {
  if (f.residual_type == DType::kFloat32) return static_cast<const float*>(f.residual)[at];
  const std::int32_t r = f.residual_type == DType::kInt8 ? static_cast<const std::int8_t*>(f.residual)[at]
                                                         : static_cast<const std::uint8_t*>(f.residual)[at];
  return static_cast<float>(r - f.residual_zero_point);
}

void store(const QConvFinish& f, std::int64_t at, float v) noexcept {
  if (f.output_type == DType::kFloat32) {
    static_cast<float*>(f.output)[at] = v;
    return;
  }
  const std::int32_t q = static_cast<std::int32_t>(std::nearbyint(v)) + f.out_zero_point;
  static_cast<std::uint8_t*>(f.output)[at] = static_cast<std::uint8_t>(q);  // the clamp has put q into the type's range
}

}  // namespace

int qconv_element_bytes(DType type) noexcept { return type == DType::kFloat32 ? 4 : 1; }

QConvFinish qconv_finish_at(const QConvWeights::Packed& weights, const QConvEpilogue& e, std::int64_t pixel,
                            std::int64_t channel, void* output) noexcept {
  const std::int64_t at = pixel * weights.shape.out_c + channel;
  QConvFinish f{};
  f.multiplier = e.multiplier + channel;
  f.bias = weights.bias.data() + channel;
  f.weight_zero_point = weights.weight_zero_point.empty() ? nullptr : weights.weight_zero_point.data() + channel;
  f.residual_type = e.residual_type;
  f.output_type = e.output_type;
  if (e.residual_type != DType::kUndefined) {
    f.residual = static_cast<const std::byte*>(e.residual) +
                 (e.residual_shared ? channel : at) * qconv_element_bytes(e.residual_type);
  }
  f.residual_stride = e.residual_shared ? 0 : weights.shape.out_c;
  f.output = static_cast<std::byte*>(output) + at * qconv_element_bytes(e.output_type);
  f.stride = weights.shape.out_c;
  f.residual_multiplier = e.residual_multiplier;
  f.residual_zero_point = e.residual_zero_point;
  f.out_zero_point = e.out_zero_point;
  f.lo = e.lo, f.hi = e.hi;
  f.first_multiplier = e.first.multiplier, f.first_lo = e.first.lo, f.first_hi = e.first.hi;
  if (e.output_type != DType::kFloat32) {  // saturation as a clamp: the bounds are integers, so it commutes with rint
    const std::int32_t lowest = e.output_type == DType::kInt8 ? -128 : 0;
    const float lo = static_cast<float>(lowest - e.out_zero_point),
                hi = static_cast<float>(lowest + 255 - e.out_zero_point);
    f.lo = std::clamp(e.lo, lo, hi), f.hi = std::clamp(e.hi, lo, hi);
  }
  return f;
}

QConvFinish qconv_finish_moved(const QConvFinish& finish, std::int64_t pixel, std::int64_t channel) noexcept {
  QConvFinish moved = finish;
  moved.multiplier += channel;
  moved.bias += channel;
  moved.output = static_cast<std::byte*>(finish.output) +
                 (pixel * finish.stride + channel) * qconv_element_bytes(finish.output_type);
  if (finish.residual)
    moved.residual = static_cast<const std::byte*>(finish.residual) +
                     (pixel * finish.residual_stride + channel) * qconv_element_bytes(finish.residual_type);
  return moved;
}

bool qconv_bounded(const QConvEpilogue& e, std::int64_t channels) noexcept {
  constexpr float kMost = 0.4f, kMostAdded = 1e6f;  // of 2^31 by the sum, and of 255 by what is added
  const auto size = [](float x) { return std::bit_cast<std::int32_t>(x) & 0x7fffffff; };  // NaN is the largest
  std::int32_t most = 0;
  for (std::int64_t c = 0; c < channels; ++c) most = std::max(most, size(e.multiplier[c]));
  return most < size(kMost) && size(e.first.multiplier) < size(kMostAdded) &&
         size(e.residual_multiplier) < size(kMostAdded);
}

namespace {

/// As vmaxps and vminps: NaN becomes lo.
float clamped(float v, float lo, float hi) noexcept {
  v = v > lo ? v : lo;
  return v < hi ? v : hi;
}

void finish_one(const QConvFinish& f, int row, std::int64_t c, std::int32_t acc) noexcept {
  std::int32_t sum = acc + f.bias[c];
  if (f.weight_zero_point) sum -= f.weight_zero_point[c] * f.row_sum[row];
  float v = static_cast<float>(sum) * f.multiplier[c];
  if (f.first_multiplier != 0) v = std::nearbyint(clamped(v, f.first_lo, f.first_hi)) * f.first_multiplier;
  const std::int64_t at = row * f.stride + c;
  if (f.residual_type != DType::kUndefined) v = v + residual_at(f, row * f.residual_stride + c) * f.residual_multiplier;
  store(f, at, clamped(v, f.lo, f.hi));
}

}  // namespace

void qconv_finish(const QConvFinish& f, int row, int channels, const std::int32_t* acc) noexcept {
  for (int c = 0; c < channels; ++c) finish_one(f, row, c, acc[c]);
}

void qconv_finish_from(const QConvFinish& f, std::int64_t first, int channels, const std::int32_t* acc) noexcept {
  for (int c = 0; c < channels; ++c) finish_one(f, 0, first + c, acc[c]);
}

void qconv_finish_block(Isa isa, const QConvFinish& f, int rows, int channels, const std::int32_t* sums) noexcept {
  constexpr int kChannels = 16;
  if (isa >= Isa::kAvx512Vnni) return avx512vnni::qconv_finish_rows(f, rows, channels, sums);
  if (isa >= Isa::kAvx2 && channels == kChannels) return avx2::qconv_finish16(f, rows, 0, sums);
  for (int row = 0; row < rows; ++row) qconv_finish(f, row, channels, sums + row * kChannels);
}

}  // namespace pare::kernels
