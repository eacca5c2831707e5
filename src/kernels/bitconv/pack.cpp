// From weights of −1, 0 and 1 to masks.
#include <algorithm>
#include <new>

#include "kernels/bitconv/row.h"
#include "pare/error.h"

namespace pare::kernels {
namespace {

std::int8_t weight_at(const QConvFilter& filter, const ConvShape& s, std::int64_t o, std::int64_t tap,
                      std::int64_t i) noexcept {
  return static_cast<const std::int8_t*>(filter.data)[o * filter.strides.o + i * filter.strides.i +
                                                      tap / s.kw * filter.strides.y + tap % s.kw * filter.strides.x];
}

template <class Test>
bool all_weights(const ConvShape& s, const QConvFilter& filter, Test test) noexcept {
  for (std::int64_t o = 0; o < s.out_c; ++o)
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      for (std::int64_t i = 0; i < s.in_c; ++i)
        if (!test(weight_at(filter, s, o, tap, i))) return false;
  return true;
}

/// All but masks and bias.
void describe(BitConvPacked& packed, const BitConvKernel& kernel, const ConvShape& shape, const BitInputs& inputs,
              bool binary) {
  packed.kernel = &kernel;
  packed.common.shape = shape;
  packed.common.input_signed = inputs.type == DType::kInt8;
  packed.common.input_zero_point = inputs.zero_point;
  packed.inputs = inputs;
  packed.binary = binary;
  packed.groups = (shape.in_c + kBitGroup - 1) / kBitGroup;
  packed.blocks = (shape.out_c + kBitChannels - 1) / kBitChannels;
  packed.padding.resize(static_cast<std::size_t>(packed.words()));
  const std::vector<std::uint8_t> outside(static_cast<std::size_t>(shape.in_c),
                                          static_cast<std::uint8_t>(inputs.zero_point));
  kernel.encode({outside.data(), shape.in_c, static_cast<std::uint8_t>(inputs.lowest), inputs.bits, packed.padding.data()});
}

void pack_masks(BitConvPacked& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const ConvShape& s = packed.common.shape;
  std::vector<std::uint32_t> masks(static_cast<std::size_t>(packed.blocks * packed.block_words()));
  const std::int64_t step = (packed.binary ? 1 : 2) * kBitChannels;
  packed.common.bias.assign(static_cast<std::size_t>(s.out_c), 0);
  for (std::int64_t o = 0; o < s.out_c; ++o) {
    std::int32_t sum = 0;
    std::uint32_t* block = masks.data() + o / kBitChannels * packed.block_words() + o % kBitChannels;
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      for (std::int64_t i = 0; i < s.in_c; ++i) {
        const std::int8_t w = weight_at(filter, s, o, tap, i);
        std::uint32_t* mask = block + (tap * packed.groups + i / kBitGroup) * step + (w < 0 ? kBitChannels : 0);
        if (w > 0 || (w < 0 && !packed.binary)) *mask |= 1u << (i % kBitGroup);
        sum += w;
      }
    packed.common.bias[static_cast<std::size_t>(o)] =
        (bias ? bias[o] : 0) + (packed.inputs.lowest - packed.inputs.zero_point) * sum;
  }
  packed.masks = PackedArray<std::uint32_t>(std::move(masks));
}

}  // namespace

bool BitConvWeights::takes(const ConvShape& shape, const QConvFilter& filter, const BitInputs& inputs) noexcept {
  if (shape.groups != 1 || filter.is_unsigned || inputs.bits < 1 || inputs.bits > 2) return false;
  const std::int32_t pad = inputs.zero_point - inputs.lowest;
  if (pad < 0 || pad >= 1 << inputs.bits) return false;
  if (filter.zero_point &&
      std::any_of(filter.zero_point, filter.zero_point + shape.out_c, [](std::int32_t z) { return z != 0; }))
    return false;
  return all_weights(shape, filter, [](std::int8_t w) { return w >= -1 && w <= 1; });
}

BitConvWeights BitConvWeights::pack(const ConvShape& shape, const QConvFilter& filter, const BitInputs& inputs,
                                    const std::int32_t* bias, const BitConvKernel* kernel) {
  try {
    auto packed = std::make_shared<BitConvPacked>();
    const bool binary = all_weights(shape, filter, [](std::int8_t w) { return w != 0; });
    describe(*packed, kernel ? *kernel : *best_row(bitconv_kernels()), shape, inputs, binary);
    pack_masks(*packed, filter, bias);
    return BitConvWeights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "weights of one or two bits", "do not fit in memory when packed");
  }
}

std::string BitConvWeights::packing_key(const ConvShape& s, const QConvFilter& filter, const BitInputs& inputs,
                                        const std::int32_t* bias) {
  PackingKey key("bitconv", 1, best_row(bitconv_kernels())->name);
  key.add(s.in_c, s.out_c, s.kh, s.kw, filter.strides.o, filter.strides.i, filter.strides.y, filter.strides.x);
  key.add(inputs.type, inputs.zero_point, inputs.lowest, inputs.bits).add_array(bias, s.out_c);
  return key.text();
}

void BitConvWeights::write(PackedWriter& writer) const {
  writer.number(packed().binary ? 1 : 0);
  writer.array(packed().masks);
  writer.array(PackedArray<std::int32_t>(packed().common.bias));
}

std::optional<BitConvWeights> BitConvWeights::view(const ConvShape& shape, const BitInputs& inputs,
                                                   PackedReader& reader) {
  auto packed = std::make_shared<BitConvPacked>();
  describe(*packed, *best_row(bitconv_kernels()), shape, inputs, reader.number() != 0);
  packed->masks = reader.array<std::uint32_t>(static_cast<std::size_t>(packed->blocks * packed->block_words()));
  const PackedArray<std::int32_t> bias = reader.array<std::int32_t>(static_cast<std::size_t>(shape.out_c));
  packed->common.bias.assign(bias.data(), bias.data() + bias.size());
  if (!reader.finished()) return std::nullopt;
  return BitConvWeights(std::move(packed));
}

const char* BitConvWeights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t BitConvWeights::bytes() const noexcept {
  return packed().masks.bytes() + 4 * (packed().common.bias.size() + packed().padding.size());
}
bool BitConvWeights::binary() const noexcept { return packed().binary; }

}  // namespace pare::kernels
