// Packing of integer depthwise weights, in the form that the chosen row reads.
#include <algorithm>
#include <new>

#include "kernels/qdepthwise/row.h"
#include "pare/error.h"

namespace pare::kernels {
namespace {

/// w − w_zp of one channel and tap.
std::int32_t centred(const QConvFilter& filter, const ConvShape& s, std::int64_t channel, std::int64_t tap) {
  const std::int64_t at = channel * filter.strides.o + tap / s.kw * filter.strides.y + tap % s.kw * filter.strides.x;
  const std::int32_t w = filter.is_unsigned ? static_cast<const std::uint8_t*>(filter.data)[at]
                                            : static_cast<const std::int8_t*>(filter.data)[at];
  return w - (filter.zero_point ? filter.zero_point[channel] : 0);
}

/// Strip kernels take 3, 5 or 7 taps across at stride 1 or 2, and weights that fit 8 bits without their zero point.
bool strips_fit(const ConvShape& s, const QConvFilter& filter) {
  const bool widths = s.kw == 3 || s.kw == 5 || s.kw == 7;
  if (!widths || s.kh > kMaxStripTaps || s.stride_w > 2 || s.dilation_w != 1) return false;
  for (std::int64_t c = 0; c < s.out_c; ++c) {
    for (std::int64_t tap = 0; tap < s.taps(); ++tap) {
      const std::int32_t w = centred(filter, s, c, tap);
      if (w < -128 || w > 127) return false;
    }
  }
  return true;
}

const QDepthwiseKernel* choose(const ConvShape& s, const QConvFilter& filter) {
  const auto rows = qdepthwise_kernels();
  return *std::find_if(rows.begin(), rows.end(), [&](const QDepthwiseKernel* row) {
    return isa_available(row->isa) && (!row->strip || strips_fit(s, filter));
  });
}

void pack_taps(QDepthwiseWeights::Packed& packed, const QConvFilter& filter) {
  const ConvShape& s = packed.common.shape;
  packed.weights.assign(s.taps() * packed.channels_padded, 0);
  for (std::int64_t c = 0; c < s.out_c; ++c)
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      packed.weights[tap * packed.channels_padded + c] = static_cast<std::int16_t>(centred(filter, s, c, tap));
}

/// For each row of taps, each quad of columns and each output that reads it: four registers, whose dword l holds the
/// weights of those columns for channel 16·(l / 4) + 4·register + l % 4 (the order in which the kernel interleaves
/// inputs), of a block of few channels once for each segment.
void pack_quads(QDepthwiseWeights::Packed& packed, const QConvFilter& filter) {
  const ConvShape& s = packed.common.shape;
  const int kw = static_cast<int>(s.kw), stride = static_cast<int>(s.stride_w);
  for (std::int64_t block = 0; block < packed.channels_padded; block += kStripChannels) {
    const std::int64_t width = kStripChannels / strip_segments(s.out_c - block);
    for (std::int64_t y = 0; y < s.kh; ++y)
      for (int q = 0; q < strip_quads(kw, stride); ++q)
        for (int g = 0; g < strip_outputs(kw, stride); ++g) {
          if (!strip_uses(kw, stride, q, g)) continue;
          for (int byte = 0; byte < 256; ++byte) {
            const int part = byte / 64, lane = byte % 64 / 4, x = 4 * q + byte % 4 - g * stride;
            const std::int64_t c = block + (16 * (lane / 4) + 4 * part + lane % 4) % width;
            const bool set = c < s.out_c && x >= 0 && x < kw;
            packed.quads.push_back(set ? static_cast<std::int8_t>(centred(filter, s, c, y * kw + x)) : std::int8_t{0});
          }
        }
  }
  packed.padding.assign(kStripChannels, static_cast<std::uint8_t>(packed.common.input_zero_point));
  const std::int32_t zero = packed.common.input_zero_point + (packed.common.input_signed ? 128 : 0);
  for (std::int64_t c = 0; c < s.out_c; ++c)
    for (std::int64_t tap = 0; tap < s.taps(); ++tap) packed.common.bias[c] -= zero * centred(filter, s, c, tap);
}

void pack_into(QDepthwiseWeights::Packed& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const std::int64_t lanes = packed.kernel->lanes, channels = packed.common.shape.out_c;
  packed.channels_padded = (channels + lanes - 1) / lanes * lanes;
  packed.common.bias.assign(packed.channels_padded, 0);
  if (bias) std::copy_n(bias, channels, packed.common.bias.begin());
  packed.kernel->strip ? pack_quads(packed, filter) : pack_taps(packed, filter);
}

}  // namespace

QDepthwiseWeights QDepthwiseWeights::pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                          std::int32_t input_zero_point, const std::int32_t* bias,
                                          const QDepthwiseKernel* kernel) {
  QDepthwiseWeights result;
  try {
    result.packed_ = std::make_unique<Packed>();
    result.packed_->kernel = kernel && (!kernel->strip || strips_fit(shape, filter)) ? kernel : choose(shape, filter);
    result.packed_->common.shape = shape;
    result.packed_->common.input_signed = input_type == DType::kInt8;
    result.packed_->common.input_zero_point = input_zero_point;
    pack_into(*result.packed_, filter, bias);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "depthwise weights", "do not fit in memory when packed");
  }
  return result;
}

std::size_t QDepthwiseWeights::bytes() const noexcept {
  return 2 * packed_->weights.size() + packed_->quads.size() + packed_->padding.size() +
         4 * packed_->common.bias.size();
}

}  // namespace pare::kernels
