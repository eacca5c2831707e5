// The table of low-bit products, and how a call is cut into panels.
#include "kernels/nbits/nbits.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/nbits/parts.h"
#include "kernels/nbits/row.h"
#include "kernels/table.h"
#include "pare/error.h"

namespace pare::kernels {

#define PARE_TILES(file, ns, isa, planes, base, int8)                                \
  namespace ns {                                                                     \
  void nbits_to_tile(const NBitsTileRows&) noexcept;                                 \
  void nbits_tiles(const NBitsTiles&) noexcept;                                      \
  }                                                                                  \
  namespace planes {                                                                 \
  void nbits_narrow(const NBitsNarrow&) noexcept;                                    \
  void nbits_decode(const NBitsPanel&, std::int64_t, std::int64_t, float*) noexcept; \
  }                                                                                  \
  namespace base {                                                                   \
  void nbits_wide(const NBitsWide&) noexcept;                                        \
  }                                                                                  \
  namespace int8 {                                                                   \
  void nbits_wide_int8(const NBitsWide&) noexcept;                                   \
  void nbits_digits(const NBitsDigits&) noexcept;                                    \
  }
#define PARE_NARROW(file, ns, isa)                \
  namespace ns {                                  \
  void nbits_narrow(const NBitsNarrow&) noexcept; \
  }
#define PARE_KERNEL(file, ns, isa)                \
  namespace ns {                                  \
  void nbits_narrow(const NBitsNarrow&) noexcept; \
  void nbits_wide(const NBitsWide&) noexcept;     \
  }
#define PARE_INT8(file, ns, isa, base)             \
  namespace ns {                                   \
  void nbits_wide_int8(const NBitsWide&) noexcept; \
  void nbits_digits(const NBitsDigits&) noexcept;  \
  }
#define PARE_PLANES(file, ns, isa, base, int8)                                       \
  namespace ns {                                                                     \
  void nbits_narrow(const NBitsNarrow&) noexcept;                                    \
  void nbits_decode(const NBitsPanel&, std::int64_t, std::int64_t, float*) noexcept; \
  }                                                                                  \
  namespace base {                                                                   \
  void nbits_decode(const NBitsPanel&, std::int64_t, std::int64_t, float*) noexcept; \
  }
#include "kernels/nbits/kernels.inc"
#undef PARE_TILES
#undef PARE_NARROW
#undef PARE_KERNEL
#undef PARE_INT8
#undef PARE_PLANES

namespace {

constexpr NBitsKernel kTable[] = {
#define PARE_TILES(file, ns, isa_, planes_, base, int8) \
  {.name = "nbits__" #ns,                               \
   .isa = Isa::isa_,                                    \
   .narrow = planes_::nbits_narrow,                     \
   .wide = base::nbits_wide,                            \
   .wide_int8 = int8::nbits_wide_int8,                  \
   .digits = int8::nbits_digits,                        \
   .decode = planes_::nbits_decode,                     \
   .to_tile = ns::nbits_to_tile,                        \
   .tiles = ns::nbits_tiles,                            \
   .planes = true},
#define PARE_PLANES(file, ns, isa_, base, int8) \
  {.name = "nbits__" #ns,                       \
   .isa = Isa::isa_,                            \
   .narrow = ns::nbits_narrow,                  \
   .wide = base::nbits_wide,                    \
   .wide_int8 = int8::nbits_wide_int8,          \
   .digits = int8::nbits_digits,                \
   .decode = ns::nbits_decode,                  \
   .planes = true},
#define PARE_INT8(file, ns, isa_, base) \
  {.name = "nbits__" #ns,               \
   .isa = Isa::isa_,                    \
   .narrow = base::nbits_narrow,        \
   .wide = base::nbits_wide,            \
   .wide_int8 = ns::nbits_wide_int8,    \
   .digits = ns::nbits_digits,          \
   .decode = base::nbits_decode},
#define PARE_KERNEL(file, ns, isa_)  \
  {.name = "nbits__" #ns,            \
   .isa = Isa::isa_,                 \
   .narrow = ns::nbits_narrow,       \
   .wide = ns::nbits_wide,           \
   .decode = ns::nbits_decode},
#define PARE_NARROW(file, ns, isa_) {.name = "nbits__" #ns, .isa = Isa::isa_, .narrow = ns::nbits_narrow},
#include "kernels/nbits/kernels.inc"
#undef PARE_TILES
#undef PARE_PLANES
#undef PARE_INT8
#undef PARE_KERNEL
#undef PARE_NARROW
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kNarrowRows = 4;           ///< that narrow takes at once
constexpr std::int64_t kWideRows = 8;             ///< from which a strip decoded once pays
constexpr std::int64_t kDeepestDigits = 1 << 19;  // 2^19 · 15 · 128 < 2^31
constexpr float kTiny = 1e-30f;                   // blocks below it count as zero: their inverse would overflow
constexpr int kLargestDigits = 127 * 65536 + 127 * 256 + 127;

/// A call's pieces of scratch.
struct Scratch {
  float* a;               ///< [m][padded k]
  float* a_sum;           ///< [m][blocks]
  std::uint8_t* a8;       ///< [m][padded k]; or three of them
  float* a_scale;         ///< [m][blocks]
  std::byte* strips;      ///< kNBitsStripBytes for each thread
  std::size_t bytes = 0;  ///< of all

  Scratch(const NBitsMatrix::Packed& p, std::int64_t m, int threads, void* base) {
    const auto take = [&](std::int64_t size) {
      std::byte* at = static_cast<std::byte*>(base) + bytes;
      bytes += static_cast<std::size_t>(rounded(size, 64));
      return at;
    };
    a = reinterpret_cast<float*>(take(4 * m * p.padded_k()));
    a_sum = reinterpret_cast<float*>(take(4 * m * p.blocks));
    a8 = reinterpret_cast<std::uint8_t*>(take(3 * m * p.padded_k()));
    a_scale = reinterpret_cast<float*>(take(4 * m * p.blocks));
    strips = take(kNBitsStripBytes * std::max(threads, 1));
  }
};

/// Copies rows [begin, end) to whole blocks, zeros after the last column, and sums each block.
void prepare_float(const NBitsMatrix::Packed& p, std::int64_t begin, std::int64_t end, const float* a,
                   const Scratch& s) noexcept {
  const std::int64_t padded = p.padded_k(), depth = padded / p.blocks;
  for (std::int64_t r = begin; r < end; ++r) {
    float* row = s.a + r * padded;
    std::copy_n(a + r * p.shape.k, p.shape.k, row);
    std::fill(row + p.shape.k, row + padded, 0.0f);
    for (std::int64_t b = 0; b < p.blocks && !p.offset.empty(); ++b) {
      float sum = 0;
      for (std::int64_t k = 0; k < depth; ++k) sum += row[b * depth + k];
      s.a_sum[r * p.blocks + b] = sum;
    }
  }
}

/// The largest size among numbers: sizes of floats are ordered as their bits are, which vectors compare without a word
/// on NaN; a NaN is the largest.
float largest(const float* a, std::int64_t count) noexcept {
  std::int32_t most = 0;
  for (std::int64_t i = 0; i < count; ++i) most = std::max(most, std::bit_cast<std::int32_t>(a[i]) & 0x7FFFFFFF);
  return std::bit_cast<float>(most);
}

/// Blocks of rows [begin, end) to 8 bits about 128.
void prepare_int8(const NBitsMatrix::Packed& p, std::int64_t begin, std::int64_t end, const float* a,
                  const Scratch& s) noexcept {
  const std::int64_t padded = p.padded_k(), depth = padded / p.blocks;
  for (std::int64_t r = begin; r < end; ++r) {
    for (std::int64_t b = 0; b < p.blocks; ++b) {
      const float* from = a + r * p.shape.k + b * depth;
      const std::int64_t count = std::min(depth, p.shape.k - b * depth);
      std::uint8_t* to = s.a8 + r * padded + b * depth;
      const float most = largest(from, count);
      const float scale = most / 127.0f, inverse = most > kTiny ? 127.0f / most : 0.0f;
      for (std::int64_t k = 0; k < count; ++k)
        to[k] = static_cast<std::uint8_t>(static_cast<int>(std::nearbyint(from[k] * inverse)) + 128);
      std::fill(to + count, to + depth, std::uint8_t{128});
      s.a_scale[r * p.blocks + b] = scale;
    }
  }
}

/// Each row's blocks to integers of 23 bits, in digits from −128 to 127.
void prepare_digits(const NBitsMatrix::Packed& p, std::int64_t m, const float* a, const Scratch& s) noexcept {
  const std::int64_t padded = p.padded_k(), depth = padded / p.blocks;
  auto* high = reinterpret_cast<std::int8_t*>(s.a8);
  std::int8_t *middle = high + m * padded, *low = middle + m * padded;
  std::fill_n(high, 3 * m * padded, std::int8_t{0});
  for (std::int64_t r = 0; r < m; ++r) {
    for (std::int64_t b = 0; b < p.blocks; ++b) {
      const float* from = a + r * p.shape.k + b * depth;
      const std::int64_t count = std::min(depth, p.shape.k - b * depth), to = r * padded + b * depth;
      float most = 0;
      for (std::int64_t k = 0; k < count; ++k) most = std::max(most, std::abs(from[k]));
      const float scale = most / static_cast<float>(kLargestDigits),
                  inverse = most > kTiny ? static_cast<float>(kLargestDigits) / most : 0.0f;
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < count; ++k) {
        const int q = std::clamp(static_cast<int>(std::nearbyint(from[k] * inverse)), -kLargestDigits, kLargestDigits);
        const int upper = (q + 128) >> 8;  // what is left lies in −128 … 127
        low[to + k] = static_cast<std::int8_t>(q - upper * 256);
        high[to + k] = static_cast<std::int8_t>((upper + 128) >> 8);
        middle[to + k] = static_cast<std::int8_t>(upper - ((upper + 128) >> 8) * 256);
        sum += q;
      }
      s.a_scale[r * p.blocks + b] = scale;
      s.a_sum[r * p.blocks + b] = static_cast<float>(static_cast<double>(sum) * static_cast<double>(scale));
    }
  }
}

enum class Form { kFloat, kInt8, kDigits };

/// One call, cut by panels.
class Product {
 public:
  Product(const NBitsMatrix::Packed& p, std::int64_t m, const float* bias, float* y, const Scratch& scratch, Form form)
      : p_(p), m_(m), bias_(bias), y_(y), s_(scratch), form_(form) {}

  bool wide() const noexcept {
    return form_ == Form::kInt8 || (form_ == Form::kFloat && p_.kernel->wide && m_ >= kWideRows);
  }
  std::int64_t units() const noexcept { return wide() ? (p_.panels + 1) / 2 : p_.panels; }
  void run(std::int64_t unit, std::byte* strip) const noexcept {
    if (wide()) return run_wide(unit, strip);
    form_ == Form::kDigits ? run_digits(unit) : run_narrow(unit);
  }

 private:
  void run_narrow(std::int64_t panel) const noexcept {
    for (std::int64_t row = 0; row < m_; row += kNarrowRows) {
      NBitsNarrow call{};
      call.panel = p_.panel(panel);
      call.a_stride = p_.padded_k();
      call.a = s_.a + row * call.a_stride;
      call.a_sum = s_.a_sum + row * p_.blocks;
      call.bias = bias_of(bias_, panel);
      call.y_stride = p_.shape.n;
      call.y = y_ + row * call.y_stride + panel * kNBitsLanes;
      call.rows = static_cast<int>(std::min(kNarrowRows, m_ - row));
      call.outputs = outputs_of(p_, panel);
      p_.kernel->narrow(call);
    }
  }

  void run_digits(std::int64_t panel) const noexcept {
    for (std::int64_t row = 0; row < m_; row += kNarrowRows) {
      NBitsDigits call{};
      call.panel = p_.panel(panel);
      call.a_stride = p_.padded_k();
      for (int d = 0; d < 3; ++d)
        call.digit[d] = reinterpret_cast<const std::int8_t*>(s_.a8) + (d * m_ + row) * call.a_stride;
      call.a_scale = s_.a_scale + row * p_.blocks;
      call.a_sum = s_.a_sum + row * p_.blocks;
      call.bias = bias_of(bias_, panel);
      call.y_stride = p_.shape.n;
      call.y = y_ + row * call.y_stride + panel * kNBitsLanes;
      call.rows = static_cast<int>(std::min(kNarrowRows, m_ - row));
      call.outputs = outputs_of(p_, panel);
      p_.kernel->digits(call);
    }
  }

  void run_wide(std::int64_t pair, std::byte* strip) const noexcept {
    NBitsWide call{};
    set_panels(p_, 2 * pair, bias_, call);
    call.rows = m_;
    call.a = s_.a, call.a8 = s_.a8, call.a_scale = s_.a_scale;
    call.a_stride = p_.padded_k();
    call.y_stride = p_.shape.n;
    call.y = y_ + 2 * pair * kNBitsLanes;
    call.decode = p_.kernel->decode;
    call.scratch = strip;
    form_ == Form::kInt8 ? p_.kernel->wide_int8(call) : p_.kernel->wide(call);
  }

  const NBitsMatrix::Packed& p_;
  std::int64_t m_;
  const float* bias_;
  float* y_;
  const Scratch& s_;
  Form form_;
};

/// Few rows of numbers of 2 or 4 bits go by digits where the CPU multiplies bytes.
Form form_of(const NBitsMatrix::Packed& p, std::int64_t m, const float* a, bool int8) noexcept {
  if (int8) return Form::kInt8;
  const bool digits =
      p.kernel->digits && p.numbers && p.shape.bits < 8 && m < kWideRows && p.padded_k() / p.blocks <= kDeepestDigits;
  if (!digits) return Form::kFloat;
  // Infinities and NaN have no digits.
  float sum = 0;
  for (std::int64_t i = 0; i < m * p.shape.k; ++i) sum += a[i] * 0.0f;
  return sum == 0 ? Form::kDigits : Form::kFloat;
}

}  // namespace

std::size_t nbits_scratch_bytes(const NBitsMatrix& matrix, std::int64_t m, int threads, NBitsInputs inputs) noexcept {
  const NBitsMatrix::Packed& p = matrix.packed();
  return inputs == NBitsInputs::kBf16 ? nbits_bf16_scratch_bytes(p, m, threads) : Scratch(p, m, threads, nullptr).bytes;
}

void nbits_matmul(const NBitsMatrix& matrix, std::int64_t m, const float* a, const float* bias, float* y, void* scratch,
                  int threads, NBitsInputs inputs) noexcept {
  const NBitsMatrix::Packed& p = matrix.packed();
  if (inputs == NBitsInputs::kBf16) return nbits_bf16_matmul(p, m, a, bias, y, scratch, threads);
  const Scratch s(p, m, threads, scratch);
  const Form form = form_of(p, m, a, inputs == NBitsInputs::kInt8);
  if (form == Form::kDigits)
    prepare_digits(p, m, a, s);
  else
    for_parts(m, m < kWideRows ? 1 : threads, [&](std::int64_t begin, std::int64_t end, int) {
      form == Form::kInt8 ? prepare_int8(p, begin, end, a, s) : prepare_float(p, begin, end, a, s);
    });
  const Product product(p, m, bias, y, s, form);
  for_parts(product.units(), threads, [&](std::int64_t begin, std::int64_t end, int part) {
    for (std::int64_t unit = begin; unit < end; ++unit) product.run(unit, s.strips + part * kNBitsStripBytes);
  });
}

const NBitsKernel& best_nbits_kernel() noexcept { return *best_row(kRows); }
std::span<const NBitsKernel* const> nbits_kernels() noexcept { return kRows; }
const char* nbits_kernel_name(const NBitsKernel& kernel) noexcept { return kernel.name; }
Isa nbits_kernel_isa(const NBitsKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
