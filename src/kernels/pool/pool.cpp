// Windows over NHWC: for each output pixel the taps one after the other, all channels of a tap in one vectorized loop.
#include "kernels/pool/pool.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

#include "base/threads.h"
#include "kernels/pool/line.h"
#include "kernels/quantize/quantize.h"
#include "kernels/table.h"
#include "kernels/window.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)             \
  namespace ns {                               \
  void max_line(const MaxLine& line) noexcept; \
  }
#include "kernels/pool/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr std::int64_t kChannels = 256;  ///< channels whose sums are kept on the stack at a time

/// The taps of one output pixel inside the image.
struct Taps {
  Window y, x;
  std::int64_t count;  ///< what an average divides by
  std::int64_t first;  ///< element offset of the first tap's channel 0
};

std::int64_t counted(const Window& w, bool padded, std::int64_t out, std::int64_t stride, std::int64_t pad,
                     std::int64_t pad_end, std::int64_t kernel, std::int64_t dilation, std::int64_t size) noexcept {
  if (!padded) return w.taps;
  const std::int64_t room = size + pad_end - (out * stride - pad);  // taps in the padded extent start before this
  return std::clamp<std::int64_t>((room + dilation - 1) / dilation, 0, kernel);
}

Taps taps_of(const PoolShape& s, std::int64_t pixel) noexcept {
  const std::int64_t n = pixel / (s.out_h * s.out_w), oy = pixel / s.out_w % s.out_h, ox = pixel % s.out_w;
  Taps t;
  t.y = window(oy, s.stride_h, s.pad_top, s.kh, s.dilation_h, s.in_h);
  t.x = window(ox, s.stride_w, s.pad_left, s.kw, s.dilation_w, s.in_w);
  t.count = counted(t.y, s.count_include_pad, oy, s.stride_h, s.pad_top, s.pad_bottom, s.kh, s.dilation_h, s.in_h) *
            counted(t.x, s.count_include_pad, ox, s.stride_w, s.pad_left, s.pad_right, s.kw, s.dilation_w, s.in_w);
  t.first = ((n * s.in_h + t.y.start) * s.in_w + t.x.start) * s.channels;
  return t;
}

/// tap(element offset) for each tap inside the image.
template <class Tap>
void for_taps(const PoolShape& s, const Taps& t, const Tap& tap) noexcept {
  for (std::int64_t y = 0; y < t.y.taps; ++y) {
    for (std::int64_t x = 0; x < t.x.taps; ++x)
      tap(t.first + (y * s.dilation_h * s.in_w + x * s.dilation_w) * s.channels);
  }
}

template <class Pixel>
void for_pixels(const PoolShape& s, const Pixel& pixel) noexcept {
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) pixel(p);
  };
  const std::int64_t work = std::max<std::int64_t>(1, s.kh * s.kw * s.channels);
  parallel_for(s.batch * s.out_h * s.out_w, std::max<std::int64_t>(1, kGrainOperations / work), std::ref(body));
}

template <class T>
void keep_larger(const T* __restrict value, std::int64_t count, T* __restrict best) noexcept {  // a NaN wins
  for (std::int64_t c = 0; c < count; ++c) best[c] = (value[c] > best[c] || value[c] != value[c]) ? value[c] : best[c];
}

template <class T>
void max_pool_as(const PoolShape& s, const T* in, T* out) noexcept {
  constexpr T kLowest =
      std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  for_pixels(s, [&](std::int64_t pixel) {
    T* best = out + pixel * s.channels;
    bool first = true;
    for_taps(s, taps_of(s, pixel), [&](std::int64_t at) {
      if (first)
        std::memcpy(best, in + at, s.channels * sizeof(T));
      else
        keep_larger(in + at, s.channels, best);
      first = false;
    });
    if (first) std::fill_n(best, s.channels, kLowest);
  });
}

/// The best row; nullptr: the loops above.
auto line_kernel() noexcept -> void (*)(const MaxLine&) noexcept {
#define PARE_KERNEL(file, ns, isa) \
  if (isa_available(Isa::isa)) return ns::max_line;
#include "kernels/pool/kernels.inc"
#undef PARE_KERNEL
  return nullptr;
}

/// No window lies wholly in the padding.
bool reads_everywhere(const PoolShape& s) noexcept {
  const auto reads = [](std::int64_t out, std::int64_t stride, std::int64_t pad, std::int64_t kernel,
                        std::int64_t dilation, std::int64_t size) {
    for (std::int64_t i = 0; i < out; ++i)
      if (window(i, stride, pad, kernel, dilation, size).taps == 0) return false;
    return true;
  };
  return reads(s.out_h, s.stride_h, s.pad_top, s.kh, s.dilation_h, s.in_h) &&
         reads(s.out_w, s.stride_w, s.pad_left, s.kw, s.dilation_w, s.in_w);
}

void max_pool_by_lines(const PoolShape& s, DType type, const void* in, void* out,
                       void (*line)(const MaxLine&) noexcept) noexcept {
  const std::int64_t pixel = s.channels * bits(type) / 8;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Window y = window(i % s.out_h, s.stride_h, s.pad_top, s.kh, s.dilation_h, s.in_h);
      line({type, static_cast<const std::byte*>(in) + (i / s.out_h * s.in_h + y.start) * s.in_w * pixel, y.taps,
            s.dilation_h * s.in_w * pixel, s.in_w, s.kw, s.stride_w, s.pad_left, s.dilation_w, s.out_w, pixel,
            static_cast<std::byte*>(out) + i * s.out_w * pixel});
    }
  };
  const std::int64_t work = std::max<std::int64_t>(1, s.out_w * s.kh * s.kw * pixel / 64);
  parallel_for(s.batch * s.out_h, std::max<std::int64_t>(1, kGrainOperations / 8 / work), std::ref(body));
}

/// The bits of a bfloat16 as an integer that is in the order of its numbers, and back; a NaN is the largest.
std::int16_t flipped(std::int16_t bits) noexcept {
  return static_cast<std::int16_t>(bits ^ (static_cast<std::int16_t>(bits >> 15) & 0x7FFF));
}
std::int16_t rank_of(std::int16_t bits) noexcept {
  return (bits & 0x7FFF) > 0x7F80 ? std::int16_t{0x7FFF} : flipped(bits);
}

void max_pool_bf16(const PoolShape& s, const std::int16_t* in, std::int16_t* out) noexcept {
  for_pixels(s, [&](std::int64_t pixel) {
    std::int16_t* __restrict best = out + pixel * s.channels;  // ranks, until the last tap is seen
    std::fill_n(best, s.channels, flipped(static_cast<std::int16_t>(0xFF80)));
    for_taps(s, taps_of(s, pixel), [&](std::int64_t at) {
      for (std::int64_t c = 0; c < s.channels; ++c) best[c] = std::max(best[c], rank_of(in[at + c]));
    });
    for (std::int64_t c = 0; c < s.channels; ++c) best[c] = flipped(best[c]);
  });
}

template <class T>
void average_pool_as(const PoolShape& s, std::int32_t zero_point, float multiplier, const T* in, const QuantParams& to,
                     std::uint8_t* out) noexcept {
  for_pixels(s, [&](std::int64_t pixel) {
    const Taps t = taps_of(s, pixel);
    for (std::int64_t from = 0; from < s.channels; from += kChannels) {
      const std::int64_t n = std::min(kChannels, s.channels - from);
      std::int32_t sum[kChannels] = {};
      for_taps(s, t, [&](std::int64_t at) {
        for (std::int64_t c = 0; c < n; ++c) sum[c] += in[at + from + c] - zero_point;
      });
      float v[kChannels];
      for (std::int64_t c = 0; c < n; ++c)
        v[c] = t.count ? static_cast<float>(sum[c]) * multiplier / static_cast<float>(t.count) : 0.0f;
      quantize_span(v, n, {to.type, 1.0f, to.zero_point}, out + pixel * s.channels + from);
    }
  });
}

/// Channels that are summed together: shorter reads take up to three times as long.
constexpr std::int64_t kBlock = 1024;

/// use(batch, first channel, number of channels) in parallel; sums of one channel are never split.
template <class Use>
void for_channel_blocks(std::int64_t batch, std::int64_t pixels, std::int64_t channels, const Use& use) noexcept {
  const std::int64_t blocks = (channels + kBlock - 1) / kBlock;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      use(i / blocks, i % blocks * kBlock, std::min(kBlock, channels - i % blocks * kBlock));
  };
  parallel_for(batch * blocks, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, pixels * kBlock)),
               std::ref(body));
}

template <class T>
void global_average_as(std::int64_t batch, std::int64_t pixels, std::int64_t channels, const QuantParams& from,
                       const T* in, const QuantParams& to, void* out) noexcept {
  const bool real = to.type == DType::kFloat32;
  const float multiplier = real ? from.scale : from.scale / to.scale;
  for_channel_blocks(batch, pixels, channels, [&](std::int64_t n, std::int64_t first, std::int64_t count) {
    std::int32_t sum[kBlock] = {};
    for (std::int64_t p = 0; p < pixels; ++p) {
      const T* value = in + (n * pixels + p) * channels + first;
      for (std::int64_t c = 0; c < count; ++c) sum[c] += value[c] - from.zero_point;
    }
    float v[kBlock];
    for (std::int64_t c = 0; c < count; ++c)
      v[c] = static_cast<float>(sum[c]) * multiplier / static_cast<float>(pixels);
    const std::int64_t at = n * channels + first;
    if (real)
      std::memcpy(static_cast<float*>(out) + at, v, count * sizeof(float));
    else
      quantize_span(v, count, {to.type, 1.0f, to.zero_point}, static_cast<std::uint8_t*>(out) + at);
  });
}

}  // namespace

void max_pool(const PoolShape& shape, DType type, const void* in, void* out) noexcept {
  const auto line = line_kernel();
  if (line && type != DType::kBFloat16 && reads_everywhere(shape)) return max_pool_by_lines(shape, type, in, out, line);
  if (type == DType::kFloat32)
    max_pool_as(shape, static_cast<const float*>(in), static_cast<float*>(out));
  else if (type == DType::kBFloat16)
    max_pool_bf16(shape, static_cast<const std::int16_t*>(in), static_cast<std::int16_t*>(out));
  else if (type == DType::kInt8)
    max_pool_as(shape, static_cast<const std::int8_t*>(in), static_cast<std::int8_t*>(out));
  else
    max_pool_as(shape, static_cast<const std::uint8_t*>(in), static_cast<std::uint8_t*>(out));
}

void average_pool(const PoolShape& s, const float* in, float* out) noexcept {
  for_pixels(s, [&](std::int64_t pixel) {
    const Taps t = taps_of(s, pixel);
    float* sum = out + pixel * s.channels;
    std::fill_n(sum, s.channels, 0.0f);
    for_taps(s, t, [&](std::int64_t at) {
      for (std::int64_t c = 0; c < s.channels; ++c) sum[c] += in[at + c];
    });
    if (t.count == 0) return;
    for (std::int64_t c = 0; c < s.channels; ++c) sum[c] /= static_cast<float>(t.count);
  });
}

void average_pool(const PoolShape& shape, const QuantParams& from, const void* in, const QuantParams& to,
                  void* out) noexcept {
  auto* target = static_cast<std::uint8_t*>(out);
  const float multiplier = from.scale / to.scale;
  if (from.type == DType::kInt8)
    average_pool_as(shape, from.zero_point, multiplier, static_cast<const std::int8_t*>(in), to, target);
  else
    average_pool_as(shape, from.zero_point, multiplier, static_cast<const std::uint8_t*>(in), to, target);
}

void global_average_pool(std::int64_t batch, std::int64_t pixels, std::int64_t channels, const float* in,
                         float* out) noexcept {
  for_channel_blocks(batch, pixels, channels, [&](std::int64_t n, std::int64_t first, std::int64_t count) {
    double sum[kBlock] = {};
    const float* value = in + n * pixels * channels + first;
    std::int64_t p = 0;
    for (; p + 8 <= pixels; p += 8, value += 8 * channels) {
      const float *low = value, *high = value + 4 * channels;
      for (std::int64_t c = 0; c < count; ++c)
        sum[c] += ((low[c] + low[channels + c]) + (low[2 * channels + c] + low[3 * channels + c])) +
                  ((high[c] + high[channels + c]) + (high[2 * channels + c] + high[3 * channels + c]));
    }
    for (; p < pixels; ++p, value += channels)
      for (std::int64_t c = 0; c < count; ++c) sum[c] += value[c];
    for (std::int64_t c = 0; c < count; ++c)
      out[n * channels + first + c] = static_cast<float>(sum[c] / static_cast<double>(pixels));
  });
}

void global_average_pool(std::int64_t batch, std::int64_t pixels, std::int64_t channels, const QuantParams& from,
                         const void* in, const QuantParams& to, void* out) noexcept {
  if (from.type == DType::kInt8)
    global_average_as(batch, pixels, channels, from, static_cast<const std::int8_t*>(in), to, out);
  else
    global_average_as(batch, pixels, channels, from, static_cast<const std::uint8_t*>(in), to, out);
}

}  // namespace pare::kernels
