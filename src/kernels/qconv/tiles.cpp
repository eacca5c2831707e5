// Drives the tile kernels: gathers the inputs of a block of output pixels into rows, then runs every panel over the
// block.
//
// A row holds the k = taps · group_in inputs of one output pixel, so stride, dilation and padding cost nothing inside
// the kernel, and the gathered block (kBlockBytes) stays in L2 while the panels pass by.
#include <algorithm>
#include <cstring>

#include "kernels/qconv/row.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kBlockBytes = 160 * 1024;
constexpr std::int64_t kAlign = 64;

std::int64_t round_up(std::int64_t n, std::int64_t multiple) noexcept {
  return (n + multiple - 1) / multiple * multiple;
}

std::int64_t input_bytes(const QConvKernel& kernel) noexcept { return kernel.input == QConvInput::kCentredS16 ? 2 : 1; }

std::int64_t row_bytes(const QConvWeights::Packed& w) noexcept {
  return round_up(w.steps * w.kernel->depth * input_bytes(*w.kernel), 4);
}

std::int64_t block_rows(const QConvWeights::Packed& w) noexcept {
  const std::int64_t rows = w.kernel->rows;
  return std::max<std::int64_t>(1, kBlockBytes / (row_bytes(w) * rows)) * rows;
}

constexpr std::int64_t kChunk = 16;  ///< inputs widened at a time; a row may be written that much past its end

/// How inputs become elements of a row.
struct Widen {
  QConvInput input;
  bool is_signed;
  std::int32_t zero_point;  ///< in the input's own type
  const std::uint8_t* end;  ///< of the whole input

  /// Writes up to kChunk − 1 elements past `count`, which later parts of the row or the next row overwrite.
  void copy(const std::uint8_t* in, std::int64_t count, std::byte* out) const noexcept {
    if (input == QConvInput::kRawU8) {
      if (!is_signed)
        std::memcpy(out, in, count);
      else
        for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<std::byte>(in[i] ^ 0x80);
      return;
    }
    auto* wide = reinterpret_cast<std::int16_t*>(out);
    const bool whole_chunks = end - in >= count + kChunk;
    if (is_signed)
      widen(reinterpret_cast<const std::int8_t*>(in), count, whole_chunks, wide);
    else
      widen(in, count, whole_chunks, wide);
  }

  template <class T>
  void widen(const T* in, std::int64_t count, bool whole_chunks, std::int16_t* out) const noexcept {
    const auto zero = static_cast<std::int16_t>(zero_point);
    std::int64_t i = 0;
    for (; i < (whole_chunks ? count : count - kChunk + 1); i += kChunk) {
      for (std::int64_t j = 0; j < kChunk; ++j) out[i + j] = static_cast<std::int16_t>(in[i + j] - zero);
    }
    for (; i < count; ++i) out[i] = static_cast<std::int16_t>(in[i] - zero);
  }

  void fill_zero_point(std::int64_t count, std::byte* out) const noexcept {
    if (input == QConvInput::kRawU8)
      std::memset(out, zero_point + (is_signed ? 128 : 0), count);
    else
      std::memset(out, 0, 2 * count);
  }
};

/// One kernel row of taps of one output pixel; y is inside the image.
void gather_taps(const ConvShape& s, const Widen& widen, const std::uint8_t* line, std::int64_t x0,
                 std::int64_t element, std::byte* out) noexcept {
  const std::int64_t c = s.group_in();
  if (s.dilation_w == 1 && s.groups == 1) {  // taps are contiguous: the part inside the image is one copy
    const std::int64_t left = std::clamp<std::int64_t>(-x0, 0, s.kw),
                       right = std::clamp<std::int64_t>(s.in_w - x0, left, s.kw);
    if (left > 0) widen.fill_zero_point(left * c, out);
    if (right > left) widen.copy(line + (x0 + left) * c, (right - left) * c, out + left * c * element);
    if (right < s.kw) widen.fill_zero_point((s.kw - right) * c, out + right * c * element);
    return;
  }
  for (std::int64_t kx = 0; kx < s.kw; ++kx, out += c * element) {
    const std::int64_t x = x0 + kx * s.dilation_w;
    if (x < 0 || x >= s.in_w)
      widen.fill_zero_point(c, out);
    else
      widen.copy(line + x * s.in_c, c, out);
  }
}

/// Coordinates of an output pixel, stepped instead of divided out each time.
struct Pixel {
  std::int64_t n, y, x;

  Pixel(const ConvShape& s, std::int64_t index) noexcept
      : n(index / (s.out_h * s.out_w)), y(index / s.out_w % s.out_h), x(index % s.out_w) {}
  void step(const ConvShape& s) noexcept {
    if (++x < s.out_w) return;
    x = 0;
    if (++y < s.out_h) return;
    y = 0, ++n;
  }
};

void gather_row(const QConvCall& call, const Widen& widen, std::int64_t group, const Pixel& pixel,
                std::byte* out) noexcept {
  const ConvShape& s = call.shape;
  const QConvWeights::Packed& w = *call.weights;
  const std::int64_t element = input_bytes(*w.kernel), taps_bytes = s.kw * s.group_in() * element;
  std::byte* at = out;
  for (std::int64_t ky = 0; ky < s.kh; ++ky, at += taps_bytes) {
    const std::int64_t y = pixel.y * s.stride_h - s.pad_top + ky * s.dilation_h;
    if (y < 0 || y >= s.in_h) {
      widen.fill_zero_point(s.kw * s.group_in(), at);
      continue;
    }
    const auto* line =
        static_cast<const std::uint8_t*>(call.input) + (pixel.n * s.in_h + y) * s.in_w * s.in_c + group * s.group_in();
    gather_taps(s, widen, line, pixel.x * s.stride_w - s.pad_left, element, at);
  }
  const std::int64_t tail = out + row_bytes(w) - at;
  if (tail > 0) std::memset(at, 0, tail);  // meets zero weights
}

std::int32_t centred_sum(const QConvWeights::Packed& w, const std::byte* row, std::int64_t k) noexcept {
  std::int32_t sum = 0;
  if (w.kernel->input == QConvInput::kCentredS16) {
    const auto* x = reinterpret_cast<const std::int16_t*>(row);
    for (std::int64_t i = 0; i < k; ++i) sum += x[i];
    return sum;
  }
  const auto* x = reinterpret_cast<const std::uint8_t*>(row);
  for (std::int64_t i = 0; i < k; ++i) sum += x[i];
  return sum - static_cast<std::int32_t>(k) * (w.input_zero_point + (w.input_signed ? 128 : 0));
}

/// Rows that need no gathering: a dense 1×1 convolution of raw u8 inputs.
bool reads_input_directly(const QConvCall& call) noexcept {
  const ConvShape& s = call.shape;
  const QConvWeights::Packed& w = *call.weights;
  return w.kernel->input == QConvInput::kRawU8 && !w.input_signed && s.groups == 1 && s.taps() == 1 &&
         s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 && s.pad_left == 0 && s.out_h == s.in_h &&
         s.out_w == s.in_w && s.in_c % w.kernel->depth == 0;
}

struct Block {
  const std::byte* rows;
  const std::int32_t* row_sum;
  std::int64_t pixel, count, group;
};

void run_block(const QConvCall& call, const ProductPart& part, const Block& block) noexcept {
  const QConvWeights::Packed& w = *call.weights;
  const QConvKernel& kernel = *w.kernel;
  const std::int64_t stride = row_bytes(w), panel_size = w.steps * kernel.lanes * kernel.depth,
                     group_out = call.shape.group_out();
  for (std::int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
    QConvTile tile{};
    tile.input_stride = stride;
    tile.weights = w.weights.data() + (block.group * w.panels + panel) * panel_size;
    tile.steps = w.steps;
    tile.channels = static_cast<int>(std::min(kernel.lanes, group_out - panel * kernel.lanes));
    for (std::int64_t r = 0; r < block.count; r += kernel.rows) {
      tile.input = block.rows + r * stride;
      tile.rows = static_cast<int>(std::min(kernel.rows, block.count - r));
      tile.finish = qconv_finish_at(w, *call.epilogue, block.pixel + r, block.group * group_out + panel * kernel.lanes,
                                    call.output);
      tile.finish.row_sum = block.row_sum + r;
      kernel.tile(tile);
    }
  }
}

}  // namespace

std::size_t qconv_tile_scratch_bytes(const QConvWeights::Packed& w, const ConvShape&) noexcept {
  return round_up(block_rows(w) * (row_bytes(w) + 4) + 2 * kChunk, kAlign) + kAlign;
}

void qconv_run_tiles(const QConvCall& call, const ProductPart& part, std::byte* scratch) noexcept {
  const QConvWeights::Packed& w = *call.weights;
  const ConvShape& s = call.shape;
  const std::int64_t capacity = block_rows(w), stride = row_bytes(w), k = s.taps() * s.group_in();
  const auto* input_end = static_cast<const std::uint8_t*>(call.input) + s.batch * s.in_h * s.in_w * s.in_c;
  const Widen widen{w.kernel->input, w.input_signed, w.input_zero_point, input_end};
  scratch += (kAlign - reinterpret_cast<std::uintptr_t>(scratch) % kAlign) % kAlign;
  auto* row_sum = reinterpret_cast<std::int32_t*>(scratch);
  std::byte* gathered = scratch + capacity * 4;
  const bool direct = reads_input_directly(call);
  for (std::int64_t pixel = part.pixel_begin; pixel < part.pixel_end; pixel += capacity) {
    const std::int64_t count = std::min(capacity, part.pixel_end - pixel);
    for (std::int64_t group = 0; group < s.groups; ++group) {
      const std::byte* rows = direct ? static_cast<const std::byte*>(call.input) + pixel * stride : gathered;
      Pixel at(s, pixel);
      for (std::int64_t r = 0; r < count; ++r, at.step(s)) {
        if (!direct) gather_row(call, widen, group, at, gathered + r * stride);
        if (!w.weight_zero_point.empty()) row_sum[r] = centred_sum(w, rows + r * stride, k);
      }
      run_block(call, part, {rows, row_sum, pixel, count, group});
    }
  }
}

}  // namespace pare::kernels
