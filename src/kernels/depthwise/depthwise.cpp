// The table of depthwise convolutions, packing, and the walk over lines of outputs.
#include "kernels/depthwise/depthwise.h"

#include <algorithm>
#include <functional>
#include <new>
#include <vector>

#include "base/float16.h"
#include "base/threads.h"
#include "kernels/depthwise/row.h"
#include "kernels/window.h"
#include "pare/error.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa, type, lanes)         \
  namespace ns {                                        \
  void depthwise_strip(const DepthwiseStrip&) noexcept; \
  }
#include "kernels/depthwise/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr std::int64_t kL1Share = 32 * 1024, kLeastL2 = 512 * 1024;  ///< bytes
constexpr std::int64_t kLongRead = 8;  ///< blocks of channels

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr bool is_narrow(DType type) { return type == DType::kBFloat16; }

constexpr DepthwiseKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa, type, lanes)                                                           \
  {is_narrow(DType::type) ? "depthwise_bf16__" #ns : "depthwise_f32__" #ns, Isa::isa, DType::type, lanes, \
   ns::depthwise_strip},
#include "kernels/depthwise/kernels.inc"
#undef PARE_KERNEL
};

constexpr auto kRows = rows_of(kTable);

const DepthwiseKernel* best_kernel(DType type) {
  for (const DepthwiseKernel* row : kRows)
    if (row->type == type && isa_available(row->isa)) return row;
  return nullptr;
}

struct Walk {
  const DepthwisePacked& w;
  const ConvShape& s;
  const std::byte* in;
  const FloatEpilogue& epilogue;
  void* out;

  std::int64_t element() const noexcept { return is_narrow(w.kernel->type) ? 2 : 4; }

  /// Outputs from ox on of line `line` of all images, of some blocks of channels.
  void strip(std::int64_t line, std::int64_t ox, int outputs, std::int64_t block, std::int64_t block_end) const noexcept {
    const std::int64_t image = line / s.out_h, oy = line % s.out_h;
    const Window rows = window(oy, s.stride_h, s.pad_top, s.kh, s.dilation_h, s.in_h);
    const std::int64_t step = outputs > 1 ? 1 : s.dilation_w;
    const int columns = static_cast<int>((outputs - 1) * s.stride_w + s.kw);
    const void* at[kDepthwiseTaps * 8];  // a line of a strip has 17 columns at most
    const void** next = at;
    for (std::int64_t row = 0; row < rows.taps; ++row) {
      const std::int64_t y = rows.start + row * s.dilation_h;
      const std::byte* from = in + (image * s.in_h + y) * s.in_w * s.in_c * element();
      for (std::int64_t column = 0; column < columns; ++column) {
        const std::int64_t x = ox * s.stride_w - s.pad_left + column * step;
        *next++ = x >= 0 && x < s.in_w ? from + x * s.in_c * element()
                                       : reinterpret_cast<const std::byte*>(w.zeros.data());
      }
    }
    w.kernel->strip({at, static_cast<int>(rows.taps), columns, outputs, static_cast<int>(s.stride_w),
                     static_cast<int>(s.kw), w.weights.data()->values + rows.first * s.kw * w.kernel->lanes, w.taps,
                     w.bias.data()->values, s.in_c, block, block_end, (line * s.out_w + ox) * s.in_c, &epilogue, out});
  }

  /// What the next line of outputs reads and this one does not, for a strip.
  void fetch(std::int64_t line, std::int64_t ox) const noexcept {
    const std::int64_t image = line / s.out_h, pixels = kDepthwiseStrip * s.stride_w, x = ox * s.stride_w;
    const std::int64_t next = (line % s.out_h) * s.stride_h - s.pad_top + (s.kh - 1) * s.dilation_h + 1;
    for (std::int64_t y = std::max<std::int64_t>(next, 0); y < std::min(next + s.stride_h, s.in_h); ++y) {
      const std::byte* at = in + ((image * s.in_h + y) * s.in_w + x) * s.in_c * element();
      for (const std::byte* end = at + pixels * s.in_c * element(); at < end; at += 64) __builtin_prefetch(at, 0, 2);
    }
  }

  std::int64_t blocks() const noexcept { return divide_up(s.in_c, w.kernel->lanes); }

  void lines(std::int64_t begin, std::int64_t end, std::int64_t first_block, std::int64_t last_block) const noexcept {
    const bool strips = (s.kw == 3 || s.kw == 5) && s.dilation_w == 1 && (s.stride_w == 1 || s.stride_w == 2);
    const std::int64_t whole = strips ? s.out_w / kDepthwiseStrip * kDepthwiseStrip : 0;
    // Where the image stays in L2, so many channels that the lines which the next one reads again stay in L1, but no
    // fewer than make long reads. From memory, pixels come as they lie.
    const std::int64_t block_bytes = (s.kh + 1) * s.in_w * w.kernel->lanes * element(), all = last_block - first_block;
    const bool near = (s.in_h * s.in_w + s.out_h * s.out_w) * s.in_c * element() <= std::max(cpu_info().l2, kLeastL2);
    const std::int64_t most = near ? std::max(kLongRead, kL1Share / block_bytes) : all;
    const std::int64_t group = divide_up(all, divide_up(all, most));
    for (std::int64_t block = first_block; block < last_block; block += group) {
      const std::int64_t block_end = std::min(block + group, last_block);
      for (std::int64_t line = begin; line < end; ++line) {
        for (std::int64_t ox = 0; ox < whole; ox += kDepthwiseStrip) {
          if (!near) fetch(line, ox);
          strip(line, ox, kDepthwiseStrip, block, block_end);
        }
        for (std::int64_t ox = whole; ox < s.out_w; ++ox) strip(line, ox, 1, block, block_end);
      }
    }
  }
};

}  // namespace

bool depthwise_fits(const ConvShape& s) noexcept {
  return s.groups > 1 && s.groups == s.in_c && s.groups == s.out_c && s.taps() <= kDepthwiseTaps;
}

bool depthwise_takes(DType type) { return best_kernel(type) != nullptr; }

DepthwiseWeights DepthwiseWeights::pack(const ConvShape& s, DType type, const float* filter, const FilterStrides& f,
                                        const float* bias, const DepthwiseKernel* kernel) {
  try {
    DepthwisePacked packed;
    packed.kernel = kernel ? kernel : best_kernel(type);
    packed.channels = s.in_c, packed.taps = s.taps();
    const std::int64_t lanes = packed.kernel->lanes, blocks = divide_up(s.in_c, lanes);
    const auto lines = [](std::int64_t floats) {
      return std::vector<DepthwiseLine>(static_cast<std::size_t>(divide_up(floats, 16)));
    };
    packed.weights = lines(blocks * lanes * s.taps());
    packed.bias = lines(blocks * lanes);
    packed.zeros = lines(blocks * lanes);
    const bool narrow = is_narrow(packed.kernel->type);
    for (std::int64_t c = 0; c < s.in_c; ++c) {
      const std::int64_t own = c % lanes, lane = narrow ? own % 2 * (lanes / 2) + own / 2 : own;
      float* to = packed.weights.data()->values + c / lanes * s.taps() * lanes + lane;
      for (std::int64_t y = 0; y < s.kh; ++y)
        for (std::int64_t x = 0; x < s.kw; ++x, to += lanes) {
          const float weight = filter[c * f.o + y * f.y + x * f.x];
          *to = narrow ? bfloat16_to_float(float_to_bfloat16(weight)) : weight;
        }
      if (bias) packed.bias.data()->values[c / lanes * lanes + lane] = bias[c];
    }
    return DepthwiseWeights(std::make_shared<const DepthwisePacked>(std::move(packed)));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "convolution weights", "do not fit in memory when packed");
  }
}

std::string DepthwiseWeights::packing_key(const ConvShape& s, DType type, const FilterStrides& f, const float* bias) {
  PackingKey key("depthwise", 1, best_kernel(type)->name);
  key.add(s.in_c, s.kh, s.kw, f.o, f.y, f.x).add_array(bias, s.out_c);
  return key.text();
}

const char* DepthwiseWeights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t DepthwiseWeights::bytes() const noexcept {
  return (packed().weights.size() + packed().bias.size() + packed().zeros.size()) * sizeof(DepthwiseLine);
}

void depthwise(const DepthwiseWeights& weights, const ConvShape& shape, const void* in, const FloatEpilogue& epilogue,
               void* out, int threads) noexcept {
  const Walk walk{weights.packed(), shape, static_cast<const std::byte*>(in), epilogue, out};
  const std::int64_t lines = shape.batch * shape.out_h, blocks = walk.blocks();
  if (threads <= 1) return walk.lines(0, lines, 0, blocks);
  // By lines, as the products before and after it, unless that leaves the longest part clearly longer.
  const auto longest = [&](std::int64_t all) { return divide_up(all, threads); };
  const bool by_blocks = 5 * longest(blocks) * lines < 4 * longest(lines) * blocks;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    by_blocks ? walk.lines(0, lines, begin, end) : walk.lines(begin, end, 0, blocks);
  };
  const std::int64_t units = by_blocks ? blocks : lines,
                     work = std::max<std::int64_t>(1, shape.macs() / 8 / std::max<std::int64_t>(1, units));
  parallel_for(units, std::max<std::int64_t>(1, kGrainOperations / work), std::ref(body));
}

std::span<const DepthwiseKernel* const> depthwise_kernels() noexcept { return kRows; }
const char* depthwise_kernel_name(const DepthwiseKernel& kernel) noexcept { return kernel.name; }
Isa depthwise_kernel_isa(const DepthwiseKernel& kernel) noexcept { return kernel.isa; }
DType depthwise_kernel_type(const DepthwiseKernel& kernel) noexcept { return kernel.type; }

}  // namespace pare::kernels
