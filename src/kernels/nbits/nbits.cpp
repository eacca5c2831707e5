// The table of low-bit products, packing, and how a call is cut into panels.
#include "kernels/nbits/nbits.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <new>

#include "base/threads.h"
#include "kernels/nbits/row.h"
#include "kernels/table.h"
#include "pare/error.h"

namespace pare::kernels {

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
#define PARE_PLANES(file, ns, isa, base, int8)                                                \
  namespace ns {                                                                              \
  void nbits_narrow(const NBitsNarrow&) noexcept;                                             \
  void nbits_decode(const NBitsPanel&, std::int64_t, std::int64_t, float*) noexcept;          \
  }                                                                                           \
  namespace base {                                                                            \
  void nbits_decode(const NBitsPanel&, std::int64_t, std::int64_t, float*) noexcept;          \
  }
#include "kernels/nbits/kernels.inc"
#undef PARE_NARROW
#undef PARE_KERNEL
#undef PARE_INT8
#undef PARE_PLANES

namespace {

constexpr NBitsKernel kTable[] = {
#define PARE_NARROW(file, ns, isa) \
  {"nbits__" #ns, Isa::isa, ns::nbits_narrow, nullptr, nullptr, nullptr, nullptr, false},
#define PARE_KERNEL(file, ns, isa) \
  {"nbits__" #ns, Isa::isa, ns::nbits_narrow, ns::nbits_wide, nullptr, nullptr, ns::nbits_decode, false},
#define PARE_INT8(file, ns, isa, base)                                                                   \
  {"nbits__" #ns,    Isa::isa, base::nbits_narrow, base::nbits_wide, ns::nbits_wide_int8, ns::nbits_digits, \
   base::nbits_decode, false},
#define PARE_PLANES(file, ns, isa, base, int8)                                                               \
  {"nbits__" #ns,    Isa::isa, ns::nbits_narrow, base::nbits_wide, int8::nbits_wide_int8, int8::nbits_digits, \
   ns::nbits_decode, true},
#include "kernels/nbits/kernels.inc"
#undef PARE_NARROW
#undef PARE_KERNEL
#undef PARE_INT8
#undef PARE_PLANES
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kNarrowRows = 4;  ///< that narrow takes at once
constexpr std::int64_t kWideRows = 8;    ///< from which a strip decoded once pays
constexpr std::int64_t kDeepestInt8 = 1024;
constexpr std::int64_t kDeepestDigits = 1 << 19;  // 2^19 · 15 · 128 < 2^31
constexpr float kTiny = 1e-30f;  // blocks below it count as zero: their inverse would overflow
constexpr int kLargestDigits = 127 * 65536 + 127 * 256 + 127;

std::int64_t rounded(std::int64_t value, std::int64_t to) { return (value + to - 1) / to * to; }

/// Sixteen entries whatever the code: the lookup sees bits of the next one.
void make_table16(NBitsMatrix::Packed& p, std::span<const float> table) {
  const std::size_t codes = std::size_t{1} << p.shape.bits;
  p.code = NBitsCode::kTable16;
  p.table.resize(16);
  for (std::size_t i = 0; i < 16; ++i) {
    const std::size_t code = i % codes;
    p.table[i] = table.empty() ? static_cast<float>(code) - static_cast<float>(codes / 2)
                               : (code < table.size() ? table[code] : 0.0f);
  }
}

/// The bytes of 256 numbers, the lowest of all first.
void to_planes(float* table) {
  std::array<std::array<std::uint8_t, 4>, 256> numbers;
  std::memcpy(numbers.data(), table, sizeof numbers);
  std::array<std::array<std::uint8_t, 256>, 4> planes;
  for (std::size_t b = 0; b < 4; ++b)
    for (std::size_t i = 0; i < 256; ++i) planes[b][i] = numbers[i][b];
  std::memcpy(table, planes.data(), sizeof planes);
}

/// One table, or one for each output: each of 16 or 256 entries, zeros after its last.
void make_row_tables(NBitsMatrix::Packed& p, const NBitsValues& values) {
  const bool wide = p.shape.bits == 8;
  const std::int64_t entries = wide ? 256 : 16, stride = values.table_stride;
  p.code = wide ? NBitsCode::kRows256 : NBitsCode::kRows16;
  p.table_stride = stride > 0 ? entries : 0;
  p.table.resize(static_cast<std::size_t>(stride > 0 ? entries * p.panels * kLanes : entries));
  const auto given = static_cast<std::int64_t>(values.table.size());
  for (std::int64_t n = 0; n < (stride > 0 ? p.shape.n : 1); ++n) {
    const std::int64_t count = std::min({entries, given - n * stride, stride > 0 ? stride : entries});
    float* table = p.table.data() + n * entries;
    std::copy_n(values.table.data() + n * stride, count, table);
    if (wide && p.kernel->planes) to_planes(table);
  }
}

/// All but the arrays.
void describe(NBitsMatrix::Packed& p, const NBitsKernel& kernel, const NBitsShape& shape, const NBitsValues& values) {
  p.kernel = &kernel;
  p.shape = shape;
  p.numbers = values.table.empty();
  p.panels = (shape.n + kLanes - 1) / kLanes;
  p.blocks = shape.blocks();
  if (values.table_stride > 0 || (shape.bits == 8 && !p.numbers))
    make_row_tables(p, values);
  else if (shape.bits < 8)
    make_table16(p, values.table);
  else
    p.code = NBitsCode::kSigned8;
  const std::int64_t words = p.by_rows() ? 16 : shape.bits == 3 ? 3 : 1;  // that hold whole codes together
  const std::int64_t codes = p.by_rows() ? 512 / (shape.bits < 8 ? 4 : 8) : 32 * words / shape.bits;
  const std::int64_t pieces = (std::min(shape.block, shape.k) + codes - 1) / codes;
  p.words_per_block = pieces * words;
  p.depth = pieces * codes;
}

/// Codes of one output of a matrix by rows.
void pack_in_row(const NBitsMatrix::Packed& p, std::int64_t n, const std::vector<std::uint8_t>& codes,
                 std::uint32_t* words) {
  std::uint32_t* row = words + n * p.words_per_block;
  for (std::int64_t k = 0; k < p.shape.k; ++k) {
    const std::uint32_t code = codes[static_cast<std::size_t>(k)];
    if (p.code == NBitsCode::kRows16) {
      row[k / 128 * 16 + k % 16] |= code << (k % 128 / 16 * 4);
      continue;
    }
    const std::int64_t at = k % 64, byte = p.kernel->planes ? at % 16 / 4 * 16 + at / 16 * 4 + at % 4 : at;
    row[k / 64 * 16 + byte / 4] |= code << (byte % 4 * 8);
  }
}

/// Codes of one output of 3 bits into their lane.
void pack_three_bits(const NBitsMatrix::Packed& p, std::int64_t n, const std::vector<std::uint8_t>& codes,
                     std::uint32_t* words) {
  std::uint32_t* panel = words + n / kLanes * p.blocks * p.words_per_block * kLanes + n % kLanes;
  for (std::int64_t k = 0; k < p.shape.k; ++k) {
    const std::int64_t at = k % p.shape.block, field = at % 32 / 4, byte = 8 * (at % 4);
    std::uint32_t* piece = panel + (k / p.shape.block * p.words_per_block + at / 32 * 3) * kLanes;
    const std::uint32_t code = codes[static_cast<std::size_t>(k)];
    piece[field / 4 * kLanes] |= (code & 3) << (byte + 2 * (field % 4));
    piece[2 * kLanes] |= (code >> 2 & 1) << (byte + field);
  }
}

/// Codes of one output into their lane.
void pack_row(const NBitsMatrix::Packed& p, std::int64_t n, const std::vector<std::uint8_t>& codes,
              std::uint32_t* words) {
  const int bits = p.shape.bits;
  if (p.by_rows()) return pack_in_row(p, n, codes, words);
  if (bits == 3) return pack_three_bits(p, n, codes, words);
  const std::int64_t per_word = 32 / bits;
  const std::uint32_t flip = p.code == NBitsCode::kSigned8 ? 128 : 0;
  std::uint32_t* panel = words + n / kLanes * p.blocks * p.words_per_block * kLanes + n % kLanes;
  for (std::int64_t k = 0; k < p.shape.k; ++k) {
    const std::int64_t word = k / p.shape.block * p.words_per_block + k % p.shape.block / per_word,
                       at = k % p.shape.block % per_word;
    panel[word * kLanes] |= (codes[static_cast<std::size_t>(k)] ^ flip) << (8 * (at % 4) + bits * (at / 4));
  }
}

/// Scales, and what the centre of the codes differs from their zero points by.
void pack_groups(NBitsMatrix::Packed& p, const NBitsValues& values) {
  const float centre = static_cast<float>(1 << (p.shape.bits - 1));
  const auto count = static_cast<std::size_t>(p.panels * p.blocks * kLanes);
  std::vector<float> scale(count), offset(count);
  std::vector<std::int8_t> zero(count);
  bool any = false, whole = values.table.empty();
  for (std::int64_t n = 0; n < p.shape.n; ++n) {
    for (std::int64_t b = 0; b < p.blocks; ++b) {
      const std::int64_t from = n * p.blocks + b;
      const auto to = static_cast<std::size_t>((n / kLanes * p.blocks + b) * kLanes + n % kLanes);
      const float point = values.zero && values.table.empty() ? values.zero[from] : centre;
      scale[to] = values.scale ? values.scale[from] : 1.0f;
      offset[to] = (centre - point) * scale[to];
      any = any || offset[to] != 0;
      // In s8: of 8-bit codes, which are kept less 128, likewise.
      const float kept = p.shape.bits == 8 ? point - 128 : point;
      whole = whole && kept == std::nearbyint(kept) && kept >= (p.shape.bits == 8 ? 0.0f : -100.0f) &&
              kept <= (p.shape.bits == 8 ? 0.0f : 100.0f);
      zero[to] = whole ? static_cast<std::int8_t>(kept) : std::int8_t{0};
    }
  }
  p.scale = PackedArray<float>(std::move(scale));
  if (any) p.offset = PackedArray<float>(std::move(offset));
  if (whole) p.zero = PackedArray<std::int8_t>(std::move(zero));
}

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

/// Copies rows to whole blocks, zeros after the last column, and sums each block.
void prepare_float(const NBitsMatrix::Packed& p, std::int64_t m, const float* a, const Scratch& s) noexcept {
  const std::int64_t padded = p.padded_k(), depth = padded / p.blocks;
  for (std::int64_t r = 0; r < m; ++r) {
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

/// Each row's blocks to 8 bits about 128.
void prepare_int8(const NBitsMatrix::Packed& p, std::int64_t m, const float* a, const Scratch& s) noexcept {
  const std::int64_t padded = p.padded_k(), depth = padded / p.blocks;
  for (std::int64_t r = 0; r < m; ++r) {
    for (std::int64_t b = 0; b < p.blocks; ++b) {
      const float* from = a + r * p.shape.k + b * depth;
      const std::int64_t count = std::min(depth, p.shape.k - b * depth);
      std::uint8_t* to = s.a8 + r * padded + b * depth;
      float most = 0;
      for (std::int64_t k = 0; k < count; ++k) most = std::max(most, std::abs(from[k]));
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
  int outputs(std::int64_t panel) const noexcept {
    return static_cast<int>(std::clamp<std::int64_t>(p_.shape.n - panel * kLanes, 0, kLanes));
  }
  const float* bias(std::int64_t panel) const noexcept { return bias_ ? bias_ + panel * kLanes : nullptr; }

  void run_narrow(std::int64_t panel) const noexcept {
    for (std::int64_t row = 0; row < m_; row += kNarrowRows) {
      NBitsNarrow call{};
      call.panel = p_.panel(panel);
      call.a_stride = p_.padded_k();
      call.a = s_.a + row * call.a_stride;
      call.a_sum = s_.a_sum + row * p_.blocks;
      call.bias = bias(panel);
      call.y_stride = p_.shape.n;
      call.y = y_ + row * call.y_stride + panel * kLanes;
      call.rows = static_cast<int>(std::min(kNarrowRows, m_ - row));
      call.outputs = outputs(panel);
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
      call.bias = bias(panel);
      call.y_stride = p_.shape.n;
      call.y = y_ + row * call.y_stride + panel * kLanes;
      call.rows = static_cast<int>(std::min(kNarrowRows, m_ - row));
      call.outputs = outputs(panel);
      p_.kernel->digits(call);
    }
  }

  void run_wide(std::int64_t pair, std::byte* strip) const noexcept {
    NBitsWide call{};
    for (int i = 0; i < 2; ++i) {
      const std::int64_t panel = 2 * pair + i;
      if (panel >= p_.panels) continue;
      call.panel[i] = p_.panel(panel);
      call.bias[i] = bias(panel);
      call.outputs[i] = outputs(panel);
    }
    call.rows = m_;
    call.a = s_.a, call.a8 = s_.a8, call.a_scale = s_.a_scale;
    call.a_stride = p_.padded_k();
    call.y_stride = p_.shape.n;
    call.y = y_ + 2 * pair * kLanes;
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

NBitsPanel NBitsMatrix::Packed::panel(std::int64_t index) const noexcept {
  const std::int64_t group = index * blocks * kLanes;
  NBitsPanel result{};
  result.words = words.data() + group * words_per_block;
  result.scale = scale.data() + group;
  result.offset = offset.empty() ? nullptr : offset.data() + group;
  result.zero = zero.empty() ? nullptr : zero.data() + group;
  result.table = table.data() + index * kLanes * table_stride;
  result.table_stride = table_stride;
  result.planes = code == NBitsCode::kRows256 && kernel->planes;
  result.code = code;
  result.bits = shape.bits;
  result.blocks = blocks;
  result.words_per_block = words_per_block;
  result.depth = depth;
  return result;
}

NBitsMatrix::NBitsMatrix() = default;
NBitsMatrix::~NBitsMatrix() = default;
NBitsMatrix::NBitsMatrix(NBitsMatrix&&) noexcept = default;
NBitsMatrix& NBitsMatrix::operator=(NBitsMatrix&&) noexcept = default;

NBitsMatrix NBitsMatrix::pack(const NBitsShape& shape, const NBitsValues& values,
                              const std::function<void(std::int64_t, std::uint8_t*)>& row, const NBitsKernel* kernel) {
  NBitsMatrix result;
  try {
    result.packed_ = std::make_unique<Packed>();
    Packed& p = *result.packed_;
    describe(p, kernel ? *kernel : *best_row(kRows), shape, values);
    std::vector<std::uint32_t> words(static_cast<std::size_t>(p.panels * p.blocks * p.words_per_block * kLanes));
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(shape.k));
    for (std::int64_t n = 0; n < shape.n; ++n) {
      row(n, codes.data());
      pack_row(p, n, codes, words.data());
    }
    p.words = PackedArray<std::uint32_t>(std::move(words));
    pack_groups(p, values);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "low-bit weights", "do not fit in memory when packed");
  }
  return result;
}

std::string NBitsMatrix::packing_key(const NBitsShape& s, const NBitsValues& values) {
  PackingKey key("nbits", 2, best_row(kRows)->name);
  key.add(s.n, s.k, s.block, s.bits, values.table_stride);
  key.add_array(values.scale, s.n * s.blocks()).add_array(values.zero, s.n * s.blocks());
  key.add_array(values.table.data(), static_cast<std::int64_t>(values.table.size()));
  return key.text();
}

void NBitsMatrix::write(PackedWriter& writer) const {
  const Packed& p = *packed_;
  writer.number((p.offset.empty() ? 0 : 1) | (p.zero.empty() ? 0 : 2));
  writer.array(p.words);
  writer.array(p.scale);
  if (!p.offset.empty()) writer.array(p.offset);
  if (!p.zero.empty()) writer.array(p.zero);
}

std::optional<NBitsMatrix> NBitsMatrix::view(const NBitsShape& shape, const NBitsValues& values,
                                             PackedReader& reader) {
  NBitsMatrix result;
  result.packed_ = std::make_unique<Packed>();
  Packed& p = *result.packed_;
  describe(p, *best_row(kRows), shape, values);
  const auto groups = static_cast<std::size_t>(p.panels * p.blocks * kLanes);
  const std::int64_t present = reader.number();
  p.words = reader.array<std::uint32_t>(groups * static_cast<std::size_t>(p.words_per_block));
  p.scale = reader.array<float>(groups);
  if (present & 1) p.offset = reader.array<float>(groups);
  if (present & 2) p.zero = reader.array<std::int8_t>(groups);
  if (!reader.finished()) return std::nullopt;
  return result;
}

const char* NBitsMatrix::kernel_name() const noexcept { return packed_->kernel->name; }

std::size_t NBitsMatrix::bytes() const noexcept {
  const Packed& p = *packed_;
  return p.words.bytes() + p.scale.bytes() + p.offset.bytes() + p.zero.bytes() + p.table.size() * sizeof(float);
}

bool NBitsMatrix::has_int8() const noexcept {
  const Packed& p = *packed_;
  return p.kernel->wide_int8 && !p.zero.empty() && p.padded_k() / p.blocks <= kDeepestInt8;
}

std::size_t nbits_scratch_bytes(const NBitsMatrix& matrix, std::int64_t m, int threads) noexcept {
  return Scratch(matrix.packed(), m, threads, nullptr).bytes;
}

void nbits_matmul(const NBitsMatrix& matrix, std::int64_t m, const float* a, const float* bias, float* y, void* scratch,
                  int threads, bool int8) noexcept {
  const NBitsMatrix::Packed& p = matrix.packed();
  const Scratch s(p, m, threads, scratch);
  const Form form = form_of(p, m, a, int8);
  if (form == Form::kInt8) prepare_int8(p, m, a, s);
  if (form == Form::kFloat) prepare_float(p, m, a, s);
  if (form == Form::kDigits) prepare_digits(p, m, a, s);
  const Product product(p, m, bias, y, s, form);
  const std::int64_t parts = std::max(threads, 1), units = product.units();
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part)
      for (std::int64_t unit = units * part / parts; unit < units * (part + 1) / parts; ++unit)
        product.run(unit, s.strips + part * kNBitsStripBytes);
  };
  if (parts == 1)
    body(0, 1);
  else
    parallel_for(parts, 1, std::ref(body));
}

std::span<const NBitsKernel* const> nbits_kernels() noexcept { return kRows; }
const char* nbits_kernel_name(const NBitsKernel& kernel) noexcept { return kernel.name; }
Isa nbits_kernel_isa(const NBitsKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
