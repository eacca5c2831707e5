#include "pack/byte_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace pare::pack {

namespace {

constexpr std::int64_t kGroup = 64;

// ln(p / (1 − p)) in 1/256 for p in 1/4096, and its inverse; both from one integer table (lpaq's), so that they are the
// same everywhere.
int squash(int x) {
  static constexpr int kTable[33] = {1,    2,    3,    6,    10,   16,   27,   45,   73,   120,  194,
                                     310,  488,  747,  1101, 1546, 2047, 2549, 2994, 3348, 3607, 3785,
                                     3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094};
  if (x > 2047) return 4095;
  if (x < -2047) return 0;
  const int fraction = x & 127, at = (x >> 7) + 16;
  return (kTable[at] * (128 - fraction) + kTable[at + 1] * fraction + 64) >> 7;
}

const std::array<std::int16_t, 4096>& stretch_table() {
  static const auto table = [] {
    std::array<std::int16_t, 4096> result{};
    int p = 0;
    for (int x = -2047; x <= 2047; ++x)
      for (const int top = squash(x); p <= top && p < 4096; ++p)
        result[static_cast<std::size_t>(p)] = static_cast<std::int16_t>(x);
    for (; p < 4096; ++p) result[static_cast<std::size_t>(p)] = 2047;
    return result;
  }();
  return table;
}

int stretch(std::uint32_t p16) { return stretch_table()[std::min<std::uint32_t>(p16 >> 4, 4095)]; }

/// A number for how large magnitudes are on average, four classes an octave; `mean` in 1/256.
std::size_t size_class(std::uint32_t mean, std::size_t classes) {
  const std::uint32_t m = std::max<std::uint32_t>(mean, 64);
  const int top = std::bit_width(m) - 1;
  const std::size_t found = static_cast<std::size_t>(top - 6) * 4 + (m >> (top - 2) & 3);
  return std::min(found, classes - 1);
}

}  // namespace

std::uint8_t ByteMode::to_byte() const noexcept {
  return static_cast<std::uint8_t>(column_major | masked << 1 | numbers << 2 | (centre != 0) << 3);
}

ByteMode ByteMode::from_byte(std::uint8_t bits) noexcept {
  return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, static_cast<std::uint8_t>(bits & 8 ? 128 : 0)};
}

ir::WeightView view_of(const Dims& dims, bool column_major) {
  ir::WeightView view;
  const std::int64_t count = element_count(dims);
  if (dims.empty() || count == 0) {
    view.outputs = 1, view.inputs = count;
  } else if (dims.size() == 1) {
    view.outputs = 1, view.inputs = count;
  } else if (dims.size() == 2 && column_major) {
    view.outputs = dims[1], view.inputs = dims[0];
    view.output_stride = 1, view.input_stride = dims[1];
  } else {
    view.outputs = dims[0], view.inputs = dims[1], view.taps = count / (dims[0] * dims[1]);
    view.output_stride = count / dims[0], view.input_stride = view.taps;
  }
  return view;
}

MaskModel::MaskModel() : weights_{65536, 65536 / 4, 65536 / 4} {}

template <class Coder>
int MaskModel::code_flag(Coder& coder, int value, int static_stretch, AdaptiveBit& input, AdaptiveBit& recent) {
  const std::array<int, kInputs> x = {static_stretch, stretch(input.probability()), stretch(recent.probability())};
  std::int64_t dot = 0;
  for (std::size_t i = 0; i < kInputs; ++i) dot += std::int64_t{weights_[i]} * x[i];
  const int p = std::clamp(squash(static_cast<int>(std::clamp<std::int64_t>(dot >> 16, -2047, 2047))), 1, 4095);
  value = coder.bit(value, static_cast<std::uint32_t>(p) << 4);
  const int error = ((value << 12) - p) * 2;
  for (std::size_t i = 0; i < kInputs; ++i) {
    const std::int64_t moved = std::int64_t{weights_[i]} + ((x[i] * error + 0x2000) >> 14);
    weights_[i] = static_cast<std::int32_t>(std::clamp<std::int64_t>(moved, -(1 << 20), 1 << 20));
  }
  input.update(value);
  recent.update(value);
  return value;
}

template <class Coder>
void MaskModel::code(Coder& coder, const ir::WeightView& view, std::uint8_t* zero) {
  // Both grow as places are reached: a damaged file may name more than it holds.
  std::vector<AdaptiveBit> inputs;
  std::vector<std::uint8_t> before;  // survivors of the tap before
  for (std::int64_t o = 0; o < view.outputs; ++o) {
    std::fill(before.begin(), before.end(), std::uint8_t{0});
    for (std::int64_t t = 0; t < view.taps; ++t) {
      std::uint32_t recent = 0;
      for (std::int64_t first = 0; first < view.inputs; first += kGroup) {
        const std::int64_t end = std::min(first + kGroup, view.inputs);
        std::uint32_t left = 0;
        for (std::int64_t i = first; i < end; ++i) left += zero[view.index(o, t, i)] == 0;
        left = survivors_.code(coder, left);
        if (before.size() < static_cast<std::size_t>(end)) before.resize(static_cast<std::size_t>(end));
        if (inputs.size() < static_cast<std::size_t>(t * view.inputs + end))
          inputs.resize(static_cast<std::size_t>(t * view.inputs + end));
        for (std::int64_t i = first; i < end; ++i) {
          const auto places = static_cast<std::uint32_t>(end - i);
          std::uint8_t& flag = zero[view.index(o, t, i)];
          int keeps = left >= places;  // all that are left survive
          if (left > 0 && left < places) {
            AdaptiveBit& by_input = inputs[static_cast<std::size_t>(t * view.inputs + i)];
            AdaptiveBit& by_recent = recent_[(recent & 7) << 3 | static_cast<std::uint32_t>(i & 3) << 1 |
                                             before[static_cast<std::size_t>(i)]];
            keeps = code_flag(coder, flag == 0, stretch(65536 * left / places), by_input, by_recent);
          }
          flag = static_cast<std::uint8_t>(!keeps);
          left -= static_cast<std::uint32_t>(keeps && left > 0);
          recent = recent << 1 | static_cast<std::uint32_t>(keeps);
          before[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(keeps);
        }
      }
    }
  }
}

template <class Coder>
std::uint8_t ByteModel::code_number(Coder& coder, std::uint8_t byte, std::uint8_t centre, std::size_t size_class) {
  const int value = static_cast<std::int8_t>(static_cast<std::uint8_t>(byte - centre));
  const std::uint32_t magnitude =
      magnitudes_[size_class].code(coder, static_cast<std::uint32_t>(value < 0 ? -value : value));
  const int negative = magnitude == 0 ? 0 : sign_.code(coder, value < 0);
  return static_cast<std::uint8_t>((negative ? 0 - magnitude : magnitude) + centre);
}

template <class Coder>
void ByteModel::code(Coder& coder, const ir::WeightView& view, ByteMode mode, const std::uint8_t* zero,
                     std::uint8_t* bytes) {
  std::uint32_t typical = 32 << 8;  // mean magnitude of the rows so far, in 1/256
  for (std::int64_t o = 0; o < view.outputs; ++o) {
    std::uint32_t mean = typical, seen = 4;
    for (std::int64_t t = 0; t < view.taps; ++t) {
      for (std::int64_t i = 0; i < view.inputs; ++i) {
        const std::int64_t at = view.index(o, t, i);
        if (zero && zero[at]) continue;
        if (!mode.numbers) {
          bytes[at] = static_cast<std::uint8_t>(symbols_.code(coder, bytes[at]));
          continue;
        }
        bytes[at] = code_number(coder, bytes[at], mode.centre, size_class(mean, kClasses));
        const int value = static_cast<std::int8_t>(static_cast<std::uint8_t>(bytes[at] - mode.centre));
        const auto step = static_cast<std::int32_t>(static_cast<std::uint32_t>(std::abs(value)) << 8) -
                          static_cast<std::int32_t>(mean);
        mean = static_cast<std::uint32_t>(static_cast<std::int32_t>(mean) + step / static_cast<std::int32_t>(seen));
        seen += seen < 128;
      }
    }
    typical = (3 * typical + mean) / 4;
  }
}

template void MaskModel::code(RangeEncoder&, const ir::WeightView&, std::uint8_t*);
template void MaskModel::code(RangeDecoder&, const ir::WeightView&, std::uint8_t*);
template void MaskModel::code(CostCounter&, const ir::WeightView&, std::uint8_t*);
template void ByteModel::code(RangeEncoder&, const ir::WeightView&, ByteMode, const std::uint8_t*, std::uint8_t*);
template void ByteModel::code(RangeDecoder&, const ir::WeightView&, ByteMode, const std::uint8_t*, std::uint8_t*);
template void ByteModel::code(CostCounter&, const ir::WeightView&, ByteMode, const std::uint8_t*, std::uint8_t*);

}  // namespace pare::pack
