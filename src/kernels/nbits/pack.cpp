// Packing of low-bit weights, and packed weights of a file.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <new>

#include "kernels/nbits/row.h"
#include "pare/error.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kDeepestInt8 = 1024;

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
  p.table.resize(static_cast<std::size_t>(stride > 0 ? entries * p.panels * kNBitsLanes : entries));
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
  p.panels = (shape.n + kNBitsLanes - 1) / kNBitsLanes;
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
  std::uint32_t* panel = words + n / kNBitsLanes * p.blocks * p.words_per_block * kNBitsLanes + n % kNBitsLanes;
  for (std::int64_t k = 0; k < p.shape.k; ++k) {
    const std::int64_t at = k % p.shape.block, field = at % 32 / 4, byte = 8 * (at % 4);
    std::uint32_t* piece = panel + (k / p.shape.block * p.words_per_block + at / 32 * 3) * kNBitsLanes;
    const std::uint32_t code = codes[static_cast<std::size_t>(k)];
    piece[field / 4 * kNBitsLanes] |= (code & 3) << (byte + 2 * (field % 4));
    piece[2 * kNBitsLanes] |= (code >> 2 & 1) << (byte + field);
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
  std::uint32_t* panel = words + n / kNBitsLanes * p.blocks * p.words_per_block * kNBitsLanes + n % kNBitsLanes;
  for (std::int64_t k = 0; k < p.shape.k; ++k) {
    const std::int64_t word = k / p.shape.block * p.words_per_block + k % p.shape.block / per_word,
                       at = k % p.shape.block % per_word;
    panel[word * kNBitsLanes] |= (codes[static_cast<std::size_t>(k)] ^ flip) << (8 * (at % 4) + bits * (at / 4));
  }
}

/// Scales, and what the centre of the codes differs from their zero points by.
void pack_groups(NBitsMatrix::Packed& p, const NBitsValues& values) {
  const float centre = static_cast<float>(1 << (p.shape.bits - 1));
  const auto count = static_cast<std::size_t>(p.panels * p.blocks * kNBitsLanes);
  std::vector<float> scale(count), offset(count);
  std::vector<std::int8_t> zero(count);
  bool any = false, whole = values.table.empty();
  for (std::int64_t n = 0; n < p.shape.n; ++n) {
    for (std::int64_t b = 0; b < p.blocks; ++b) {
      const std::int64_t from = n * p.blocks + b;
      const auto to = static_cast<std::size_t>((n / kNBitsLanes * p.blocks + b) * kNBitsLanes + n % kNBitsLanes);
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

}  // namespace

NBitsPanel NBitsMatrix::Packed::panel(std::int64_t index) const noexcept {
  const std::int64_t group = index * blocks * kNBitsLanes;
  NBitsPanel result{};
  result.words = words.data() + group * words_per_block;
  result.scale = scale.data() + group;
  result.offset = offset.empty() ? nullptr : offset.data() + group;
  result.zero = zero.empty() ? nullptr : zero.data() + group;
  result.table = table.data() + index * kNBitsLanes * table_stride;
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
    describe(p, kernel ? *kernel : best_nbits_kernel(), shape, values);
    std::vector<std::uint32_t> words(static_cast<std::size_t>(p.panels * p.blocks * p.words_per_block * kNBitsLanes));
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
  PackingKey key("nbits", 2, best_nbits_kernel().name);
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

std::optional<NBitsMatrix> NBitsMatrix::view(const NBitsShape& shape, const NBitsValues& values, PackedReader& reader) {
  NBitsMatrix result;
  result.packed_ = std::make_unique<Packed>();
  Packed& p = *result.packed_;
  describe(p, best_nbits_kernel(), shape, values);
  const auto groups = static_cast<std::size_t>(p.panels * p.blocks * kNBitsLanes);
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

bool NBitsMatrix::has(NBitsInputs inputs) const noexcept {
  const Packed& p = *packed_;
  if (inputs == NBitsInputs::kFloat) return true;
  if (inputs == NBitsInputs::kBf16) return p.kernel->tiles != nullptr;
  return p.kernel->wide_int8 && !p.zero.empty() && p.padded_k() / p.blocks <= kDeepestInt8;
}

}  // namespace pare::kernels
