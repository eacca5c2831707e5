// From bytes to codes.
#include <algorithm>
#include <new>
#include <set>

#include "kernels/qbits/row.h"
#include "pare/error.h"

namespace pare::kernels {
namespace {

std::int8_t weight_at(const QConvFilter& filter, std::int64_t o, std::int64_t i) noexcept {
  return static_cast<const std::int8_t*>(filter.data)[o * filter.strides.o + i * filter.strides.i];
}

/// All but codes and bias.
void describe(QBitsPacked& packed, const QBitsKernel& kernel, const ConvShape& shape, const QBitsCode& code,
              DType input_type, std::int32_t input_zero_point) {
  packed.kernel = &kernel;
  packed.common.shape = shape;
  packed.common.input_signed = input_type == DType::kInt8;
  packed.common.input_zero_point = input_zero_point;
  packed.code = code;
  const std::int64_t per_word = 32 / code.bits;
  packed.panels = (shape.out_c + kQBitsOutputs - 1) / kQBitsOutputs;
  packed.words = (shape.in_c + per_word - 1) / per_word;
}

void pack_codes(QBitsPacked& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const ConvShape& s = packed.common.shape;
  const QBitsCode& code = packed.code;
  const std::int64_t per_word = 32 / code.bits;
  const std::int32_t zero = packed.common.input_zero_point + (packed.common.input_signed ? 128 : 0);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(packed.panels * packed.words * kQBitsOutputs));
  packed.common.bias.assign(static_cast<std::size_t>(s.out_c), 0);
  for (std::int64_t o = 0; o < s.out_c; ++o) {
    std::int32_t sum = 0;
    std::uint32_t* lane = words.data() + o / kQBitsOutputs * packed.words * kQBitsOutputs + o % kQBitsOutputs;
    for (std::int64_t i = 0; i < s.in_c; ++i) {
      const std::int8_t w = weight_at(filter, o, i);
      const std::int64_t at = i % per_word;
      lane[i / per_word * kQBitsOutputs] |= static_cast<std::uint32_t>((w - code.lowest) / code.step)
                                            << (8 * (at % 4) + code.bits * (at / 4));
      sum += w;
    }
    packed.common.bias[static_cast<std::size_t>(o)] = (bias ? bias[o] : 0) - zero * sum;
  }
  packed.codes = PackedArray<std::uint32_t>(std::move(words));
}

}  // namespace

std::optional<QBitsCode> QBitsWeights::code_of(const ConvShape& s, const QConvFilter& filter) {
  if (s.taps() != 1 || s.groups != 1 || s.in_h * s.in_w != 1 || filter.is_unsigned) return std::nullopt;
  if (filter.zero_point &&
      std::any_of(filter.zero_point, filter.zero_point + s.out_c, [](std::int32_t z) { return z != 0; }))
    return std::nullopt;
  std::set<std::int32_t> values;
  for (std::int64_t o = 0; o < s.out_c; ++o)
    for (std::int64_t i = 0; i < s.in_c; ++i) {
      values.insert(weight_at(filter, o, i));
      if (values.size() > 16) return std::nullopt;
    }
  if (values.empty()) return std::nullopt;
  const std::int32_t low = *values.begin(), span = *values.rbegin() - low;
  if (values.size() <= 2) return QBitsCode{1, low, std::max(span, 1)};
  if (span < 4) return QBitsCode{2, low, 1};
  return span < 16 ? std::optional(QBitsCode{4, low, 1}) : std::nullopt;
}

QBitsWeights QBitsWeights::pack(const ConvShape& shape, const QConvFilter& filter, const QBitsCode& code,
                                DType input_type, std::int32_t input_zero_point, const std::int32_t* bias,
                                const QBitsKernel* kernel) {
  try {
    auto packed = std::make_shared<QBitsPacked>();
    describe(*packed, kernel ? *kernel : *best_row(qbits_kernels()), shape, code, input_type, input_zero_point);
    pack_codes(*packed, filter, bias);
    return QBitsWeights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "low-bit weights", "do not fit in memory when packed");
  }
}

std::string QBitsWeights::packing_key(const ConvShape& s, const QConvFilter& filter, const QBitsCode& code,
                                      DType input_type, std::int32_t input_zero_point, const std::int32_t* bias) {
  PackingKey key("qbits", 1, best_row(qbits_kernels())->name);
  key.add(s.in_c, s.out_c, filter.strides.o, filter.strides.i, code.bits, code.lowest, code.step);
  key.add(input_type, input_zero_point).add_array(bias, s.out_c);
  return key.text();
}

void QBitsWeights::write(PackedWriter& writer) const {
  writer.array(packed().codes);
  writer.array(PackedArray<std::int32_t>(packed().common.bias));
}

std::optional<QBitsWeights> QBitsWeights::view(const ConvShape& shape, const QBitsCode& code, DType input_type,
                                               std::int32_t input_zero_point, PackedReader& reader) {
  auto packed = std::make_shared<QBitsPacked>();
  describe(*packed, *best_row(qbits_kernels()), shape, code, input_type, input_zero_point);
  packed->codes = reader.array<std::uint32_t>(static_cast<std::size_t>(packed->panels * packed->words * kQBitsOutputs));
  const PackedArray<std::int32_t> bias = reader.array<std::int32_t>(static_cast<std::size_t>(shape.out_c));
  packed->common.bias.assign(bias.data(), bias.data() + bias.size());
  if (!reader.finished()) return std::nullopt;
  return QBitsWeights(std::move(packed));
}

const char* QBitsWeights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t QBitsWeights::bytes() const noexcept { return packed().codes.bytes() + 4 * packed().common.bias.size(); }

}  // namespace pare::kernels
