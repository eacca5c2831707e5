// The table of depthwise strips, their packing, and the walk over chunks of channels, rows and strips.
#include "kernels/depthwise_strip/depthwise_strip.h"

#include <algorithm>
#include <functional>
#include <new>

#include "base/threads.h"
#include "kernels/depthwise_strip/row.h"
#include "kernels/packed.h"
#include "kernels/window.h"
#include "pare/error.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa, lanes)               \
  namespace ns {                                        \
  void depthwise_strip(const DepthwiseStrip&) noexcept; \
  }
#include "kernels/depthwise_strip/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr DepthwiseStripKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa, lanes) {"depthwise_strip_f32__" #ns, Isa::isa, lanes, ns::depthwise_strip},
#include "kernels/depthwise_strip/kernels.inc"
#undef PARE_KERNEL
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kChunk = 64;  ///< channels

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct Range {
  std::int64_t begin, end;
};

struct Walk {
  const DepthwiseStripPacked& w;
  const ConvShape& s;
  const float* in;
  const ConvEpilogue& epilogue;
  FusedActivation activation;
  float* out;

  std::int64_t rows() const noexcept { return s.batch * s.out_h; }
  std::int64_t chunks() const noexcept { return divide_up(s.out_c, kChunk); }

  void strip(std::int64_t row, std::int64_t from, std::int64_t to, std::int64_t channel) const noexcept {
    const std::int64_t image = row / s.out_h, y = row % s.out_h;
    const Window taps = window(y, s.stride_h, s.pad_top, s.kh, 1, s.in_h);
    const std::int64_t at = (row * s.out_w + from) * s.out_c + channel;
    w.kernel->strip({in + (image * s.in_h + taps.start) * s.in_w * s.in_c + channel, from * s.stride_w - s.pad_left,
                     s.in_w, s.in_w * s.in_c, s.in_c, w.weights.data() + taps.first * s.kw * w.channels + channel,
                     s.kw * w.channels, w.channels, static_cast<int>(taps.taps), static_cast<int>(s.kw),
                     static_cast<int>(s.stride_w), w.bias.data() + channel,
                     epilogue.residual ? epilogue.residual + at : nullptr, out + at, static_cast<int>(to - from),
                     std::min(kChunk, s.out_c - channel), epilogue.lo, epilogue.hi, activation});
  }

  void run(const Range& some_rows, const Range& some_chunks) const noexcept {
    const std::int64_t strips = divide_up(s.out_w, kMostStrip);
    for (std::int64_t chunk = some_chunks.begin; chunk < some_chunks.end; ++chunk)
      for (std::int64_t row = some_rows.begin; row < some_rows.end; ++row)
        for (std::int64_t i = 0; i < strips; ++i)
          strip(row, s.out_w * i / strips, s.out_w * (i + 1) / strips, chunk * kChunk);
  }
};

}  // namespace

bool depthwise_strip_fits(const ConvShape& s) noexcept {
  return s.groups > 1 && s.groups == s.in_c && s.groups == s.out_c && s.kh == s.kw && (s.kw == 3 || s.kw == 5) &&
         s.stride_h == s.stride_w && (s.stride_w == 1 || s.stride_w == 2) && s.dilation_h == 1 && s.dilation_w == 1;
}

DepthwiseStripWeights DepthwiseStripWeights::pack(const ConvShape& s, const float* filter, const FilterStrides& f,
                                                  const float* bias, const DepthwiseStripKernel* kernel) {
  try {
    auto packed = std::make_shared<DepthwiseStripPacked>();
    packed->kernel = kernel ? kernel : best_row(kRows);
    packed->channels = divide_up(s.out_c, packed->kernel->lanes) * packed->kernel->lanes;
    packed->weights.assign(static_cast<std::size_t>(s.taps() * packed->channels), 0.0f);
    packed->bias.assign(static_cast<std::size_t>(packed->channels), 0.0f);
    if (bias) std::copy_n(bias, s.out_c, packed->bias.begin());
    float* to = packed->weights.data();
    for (std::int64_t y = 0; y < s.kh; ++y)
      for (std::int64_t x = 0; x < s.kw; ++x, to += packed->channels)
        for (std::int64_t c = 0; c < s.out_c; ++c) to[c] = filter[c * f.o + y * f.y + x * f.x];
    return DepthwiseStripWeights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "weights of a depthwise convolution", "do not fit in memory when packed");
  }
}

std::string DepthwiseStripWeights::packing_key(const ConvShape& s, const FilterStrides& f, const float* bias) {
  PackingKey key("depthwise_strip", 1, best_row(kRows)->name);
  key.add(s.out_c, s.kh, s.kw, f.o, f.y, f.x).add_array(bias, s.out_c);
  return key.text();
}

const char* DepthwiseStripWeights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t DepthwiseStripWeights::bytes() const noexcept {
  return (packed().weights.size() + packed().bias.size()) * sizeof(float);
}

void depthwise_strip(const DepthwiseStripWeights& weights, const ConvShape& shape, const float* in,
                     const ConvEpilogue& epilogue, FusedActivation activation, float* out, int threads) noexcept {
  const Walk walk{weights.packed(), shape, in, epilogue, activation, out};
  const Range rows{0, walk.rows()}, chunks{0, walk.chunks()};
  const std::int64_t parts = std::max(threads, 1);
  if (parts == 1) return walk.run(rows, chunks);
  // By rows, as the products before and after it, unless that leaves the longest part clearly longer.
  const bool by_chunks =
      5 * divide_up(chunks.end, parts) * rows.end < 4 * divide_up(rows.end, parts) * chunks.end;
  const auto body = [&](std::int64_t first, std::int64_t last) {
    by_chunks ? walk.run(rows, {first, last}) : walk.run({first, last}, chunks);
  };
  const std::int64_t work = std::max<std::int64_t>(1, shape.macs() / 4 / (by_chunks ? chunks.end : rows.end));
  parallel_for(by_chunks ? chunks.end : rows.end, divide_up(kGrainOperations, work), std::ref(body));
}

std::span<const DepthwiseStripKernel* const> depthwise_strip_kernels() noexcept { return kRows; }
Isa depthwise_strip_kernel_isa(const DepthwiseStripKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
