// Packing of integer depthwise weights, in the form that the chosen row reads.
#include <algorithm>
#include <new>

#include "base/huge_memory.h"
#include "kernels/qdepthwise/row.h"
#include "pare/error.h"

namespace pare::kernels {
namespace {

constexpr int kQuadBytes = 256;  ///< four registers

/// w − w_zp of one channel and tap.
std::int32_t centred(const QConvFilter& filter, const ConvShape& s, std::int64_t channel, std::int64_t tap) {
  const std::int64_t at = channel * filter.strides.o + tap / s.kw * filter.strides.y + tap % s.kw * filter.strides.x;
  const std::int32_t w = filter.is_unsigned ? static_cast<const std::uint8_t*>(filter.data)[at]
                                            : static_cast<const std::int8_t*>(filter.data)[at];
  return w - (filter.zero_point ? filter.zero_point[channel] : 0);
}

/// Strip kernels take 3, 5 or 7 taps across at stride 1 or 2.
bool strips_fit(const ConvShape& s) {
  const bool widths = s.kw == 3 || s.kw == 5 || s.kw == 7;
  return widths && s.kh <= kMaxStripTaps && s.stride_w <= 2 && s.dilation_w == 1;
}

/// And weights that fit 8 bits without their zero point.
bool strips_fit(const ConvShape& s, const QConvFilter& filter) {
  if (!strips_fit(s)) return false;
  for (std::int64_t c = 0; c < s.out_c; ++c) {
    for (std::int64_t tap = 0; tap < s.taps(); ++tap) {
      const std::int32_t w = centred(filter, s, c, tap);
      if (w < -128 || w > 127) return false;
    }
  }
  return true;
}

/// The best row for weights that strips take, or for those that they do not.
const QDepthwiseKernel* best_row(bool strips) {
  const auto rows = qdepthwise_kernels();
  return *std::find_if(rows.begin(), rows.end(), [&](const QDepthwiseKernel* row) {
    return isa_available(row->isa) && (!row->strip || strips);
  });
}

const QDepthwiseKernel* choose(const ConvShape& s, const QConvFilter& filter) {
  const QDepthwiseKernel* best = best_row(strips_fit(s));
  return best->strip && !strips_fit(s, filter) ? best_row(false) : best;
}

std::int64_t blocks_of(const QDepthwiseWeights::Packed& packed) { return packed.channels_padded / packed.kernel->lanes; }

/// Of a block of a strip kernel.
std::int64_t quad_bytes(const ConvShape& s) {
  const int kw = static_cast<int>(s.kw), stride = static_cast<int>(s.stride_w);
  std::int64_t used = 0;
  for (int q = 0; q < strip_quads(kw, stride); ++q)
    for (int g = 0; g < strip_outputs(kw, stride); ++g) used += strip_uses(kw, stride, q, g);
  return s.kh * used * kQuadBytes;
}

/// All but what depends on the weights.
void describe(QDepthwiseWeights::Packed& packed, const QDepthwiseKernel* kernel, const ConvShape& shape,
              DType input_type, std::int32_t input_zero_point) {
  packed.kernel = kernel;
  packed.channels_padded = (shape.out_c + kernel->lanes - 1) / kernel->lanes * kernel->lanes;
  packed.common.shape = shape;
  packed.common.input_signed = input_type == DType::kInt8;
  packed.common.input_zero_point = input_zero_point;
  if (kernel->strip) packed.padding.assign(kStripChannels, static_cast<std::uint8_t>(input_zero_point));
}

void pack_taps(QDepthwiseWeights::Packed& packed, const QConvFilter& filter) {
  const ConvShape& s = packed.common.shape;
  std::vector<std::int16_t> weights(static_cast<std::size_t>(s.taps() * packed.channels_padded), 0);
  for (std::int64_t c = 0; c < s.out_c; ++c)
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      weights[tap * packed.channels_padded + c] = static_cast<std::int16_t>(centred(filter, s, c, tap));
  packed.weights = PackedArray<std::int16_t>(weights);
}

/// For each row of taps, each quad of columns and each output that reads it: four registers, whose dword l holds the
/// weights of those columns for channel 16·(l / 4) + 4·register + l % 4 (the order in which the kernel interleaves
/// inputs), of a block of few channels once for each segment.
void pack_quads(QDepthwiseWeights::Packed& packed, const QConvFilter& filter) {
  const ConvShape& s = packed.common.shape;
  const int kw = static_cast<int>(s.kw), stride = static_cast<int>(s.stride_w);
  HugeVector<std::int8_t> quads(static_cast<std::size_t>(blocks_of(packed) * quad_bytes(s)));
  std::int8_t* to = quads.data();
  for (std::int64_t block = 0; block < packed.channels_padded; block += kStripChannels) {
    const std::int64_t width = kStripChannels / strip_segments(s.out_c - block);
    for (std::int64_t y = 0; y < s.kh; ++y)
      for (int q = 0; q < strip_quads(kw, stride); ++q)
        for (int g = 0; g < strip_outputs(kw, stride); ++g) {
          if (!strip_uses(kw, stride, q, g)) continue;
          for (int byte = 0; byte < kQuadBytes; ++byte) {
            const int part = byte / 64, lane = byte % 64 / 4, x = 4 * q + byte % 4 - g * stride;
            const std::int64_t c = block + (16 * (lane / 4) + 4 * part + lane % 4) % width;
            const bool set = c < s.out_c && x >= 0 && x < kw;
            *to++ = set ? static_cast<std::int8_t>(centred(filter, s, c, y * kw + x)) : std::int8_t{0};
          }
        }
  }
  packed.quads = PackedArray<std::int8_t>(std::move(quads));
  const std::int32_t zero = packed.common.input_zero_point + (packed.common.input_signed ? 128 : 0);
  for (std::int64_t c = 0; c < s.out_c; ++c)
    for (std::int64_t tap = 0; tap < s.taps(); ++tap) packed.common.bias[c] -= zero * centred(filter, s, c, tap);
}

void pack_into(QDepthwiseWeights::Packed& packed, const QConvFilter& filter, const std::int32_t* bias) {
  packed.common.bias.assign(packed.channels_padded, 0);
  if (bias) std::copy_n(bias, packed.common.shape.out_c, packed.common.bias.begin());
  packed.kernel->strip ? pack_quads(packed, filter) : pack_taps(packed, filter);
}

}  // namespace

QDepthwiseWeights QDepthwiseWeights::pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                          std::int32_t input_zero_point, const std::int32_t* bias,
                                          const QDepthwiseKernel* kernel) {
  QDepthwiseWeights result;
  try {
    result.packed_ = std::make_unique<Packed>();
    const bool takes = kernel && (!kernel->strip || strips_fit(shape, filter));
    describe(*result.packed_, takes ? kernel : choose(shape, filter), shape, input_type, input_zero_point);
    pack_into(*result.packed_, filter, bias);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "depthwise weights", "do not fit in memory when packed");
  }
  return result;
}

std::string QDepthwiseWeights::packing_key(const ConvShape& s, const QConvFilter& filter, DType input_type,
                                           std::int32_t input_zero_point, const std::int32_t* bias) {
  const std::string rows = std::string(best_row(strips_fit(s))->name) + " or " + best_row(false)->name;
  PackingKey key("qdepthwise", 1, rows.c_str());
  key.add(s.out_c, s.kh, s.kw, s.stride_w, filter.strides.o, filter.strides.y, filter.strides.x);
  key.add(filter.is_unsigned, input_type, input_zero_point);
  key.add_array(filter.zero_point, s.out_c).add_array(bias, s.out_c);
  return key.text();
}

void QDepthwiseWeights::write(PackedWriter& writer) const {
  const bool strip = packed_->kernel->strip != nullptr;
  writer.number(strip ? 1 : 0);
  strip ? writer.array(packed_->quads) : writer.array(packed_->weights);
  writer.array(PackedArray<std::int32_t>(packed_->common.bias));
}

std::optional<QDepthwiseWeights> QDepthwiseWeights::view(const ConvShape& shape, DType input_type,
                                                         std::int32_t input_zero_point, PackedReader& reader) {
  const bool strip = reader.number() != 0;
  const QDepthwiseKernel* kernel = best_row(strip && strips_fit(shape));
  if (strip != (kernel->strip != nullptr)) return std::nullopt;
  QDepthwiseWeights result;
  result.packed_ = std::make_unique<Packed>();
  Packed& packed = *result.packed_;
  describe(packed, kernel, shape, input_type, input_zero_point);
  const auto channels = static_cast<std::size_t>(packed.channels_padded);
  if (strip)
    packed.quads = reader.array<std::int8_t>(static_cast<std::size_t>(blocks_of(packed) * quad_bytes(shape)));
  else
    packed.weights = reader.array<std::int16_t>(static_cast<std::size_t>(shape.taps()) * channels);
  const PackedArray<std::int32_t> bias = reader.array<std::int32_t>(channels);
  if (!reader.finished()) return std::nullopt;
  packed.common.bias.assign(bias.data(), bias.data() + bias.size());
  return result;
}

std::size_t QDepthwiseWeights::bytes() const noexcept {
  return packed_->weights.bytes() + packed_->quads.bytes() + packed_->padding.size() +
         4 * packed_->common.bias.size();
}

}  // namespace pare::kernels
