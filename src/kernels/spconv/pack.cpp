// From dense weights with zeros to slots.
#include <algorithm>
#include <array>
#include <new>

#include "kernels/spconv/row.h"
#include "pare/error.h"

namespace pare::kernels {
namespace {

struct Survivor {
  std::uint8_t index;
  std::int8_t weight;
};

std::int8_t weight_at(const QConvFilter& filter, const ConvShape& s, std::int64_t o, std::int64_t tap,
                      std::int64_t i) noexcept {
  return static_cast<const std::int8_t*>(filter.data)[o * filter.strides.o + i * filter.strides.i +
                                                      tap / s.kw * filter.strides.y + tap % s.kw * filter.strides.x];
}

/// The slots of one block, tap and group; returns how many.
int pack_slots(const QConvFilter& filter, const ConvShape& s, std::int64_t block, std::int64_t tap, std::int64_t group,
               std::vector<SpConvSlot>& data) {
  std::array<std::vector<Survivor>, kSpConvChannels> survivors;
  std::size_t most = 0;
  for (int c = 0; c < kSpConvChannels && block * kSpConvChannels + c < s.out_c; ++c) {
    const std::int64_t begin = group * kSpConvGroup, end = std::min<std::int64_t>(s.in_c, begin + kSpConvGroup);
    for (std::int64_t i = begin; i < end; ++i)
      if (const std::int8_t w = weight_at(filter, s, block * kSpConvChannels + c, tap, i); w != 0)
        survivors[c].push_back({static_cast<std::uint8_t>(i - begin), w});
    most = std::max(most, survivors[c].size());
  }
  const std::size_t slots = (most + 3) / 4, at = data.size();
  data.resize(at + slots);
  for (int c = 0; c < kSpConvChannels; ++c)
    for (std::size_t n = 0; n < survivors[c].size(); ++n) {
      std::uint8_t* slot = data[at + n / 4].bytes;
      slot[4 * c + n % 4] = survivors[c][n].index;
      slot[kSpConvSlot / 2 + 4 * c + n % 4] = static_cast<std::uint8_t>(survivors[c][n].weight);
    }
  return static_cast<int>(slots);
}

/// All but slots, their data and the bias.
void describe(SpConvPacked& packed, const SpConvKernel& kernel, const ConvShape& shape, DType input_type,
              std::int32_t input_zero_point) {
  packed.kernel = &kernel;
  packed.common.shape = shape;
  packed.common.input_signed = input_type == DType::kInt8;
  packed.common.input_zero_point = input_zero_point;
  packed.groups = (shape.in_c + kSpConvGroup - 1) / kSpConvGroup;
  packed.blocks = (shape.out_c + kSpConvChannels - 1) / kSpConvChannels;
  packed.padding.assign(static_cast<std::size_t>(packed.groups * kSpConvGroup),
                        static_cast<std::uint8_t>(input_zero_point));
}

/// Where each block's slots begin; returns how many there are.
std::int64_t find_blocks(SpConvPacked& packed) {
  const std::int64_t each = packed.common.shape.taps() * packed.groups;
  std::int64_t count = 0;
  const std::span slots(packed.slots.data(), packed.slots.size());
  const auto differs = [&](std::uint8_t n) { return n != slots[0]; };
  packed.uniform = slots.empty() || std::any_of(slots.begin(), slots.end(), differs) ? 0 : slots[0];
  for (std::int64_t block = 0; block < packed.blocks; ++block) {
    packed.first.push_back(count);
    for (std::int64_t i = 0; i < each; ++i) count += packed.slots[static_cast<std::size_t>(block * each + i)];
  }
  return count;
}

void pack_into(SpConvPacked& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const ConvShape& s = packed.common.shape;
  std::vector<std::uint8_t> slots;
  std::vector<SpConvSlot> data;
  for (std::int64_t block = 0; block < packed.blocks; ++block)
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      for (std::int64_t group = 0; group < packed.groups; ++group)
        slots.push_back(static_cast<std::uint8_t>(pack_slots(filter, s, block, tap, group, data)));
  packed.slots = PackedArray<std::uint8_t>(std::move(slots));
  packed.data = PackedArray<SpConvSlot>(std::move(data));
  find_blocks(packed);
  const std::int32_t zero = packed.common.input_zero_point + (packed.common.input_signed ? 128 : 0);
  packed.common.bias.assign(s.out_c, 0);
  for (std::int64_t o = 0; o < s.out_c; ++o) {
    std::int32_t sum = 0;
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      for (std::int64_t i = 0; i < s.in_c; ++i) sum += weight_at(filter, s, o, tap, i);
    packed.common.bias[o] = (bias ? bias[o] : 0) - zero * sum;
  }
}

}  // namespace

bool SpConvWeights::takes(const ConvShape& shape, const QConvFilter& filter) noexcept {
  if (shape.groups != 1 || filter.is_unsigned) return false;
  return !filter.zero_point ||
         std::all_of(filter.zero_point, filter.zero_point + shape.out_c, [](std::int32_t z) { return z == 0; });
}

SpConvWeights SpConvWeights::pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                  std::int32_t input_zero_point, const std::int32_t* bias, const SpConvKernel* kernel) {
  try {
    auto packed = std::make_shared<SpConvPacked>();
    describe(*packed, kernel ? *kernel : *best_row(spconv_kernels()), shape, input_type, input_zero_point);
    pack_into(*packed, filter, bias);
    return SpConvWeights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "sparse weights", "do not fit in memory when packed");
  }
}

std::string SpConvWeights::packing_key(const ConvShape& s, const QConvFilter& filter, DType input_type,
                                       std::int32_t input_zero_point, const std::int32_t* bias) {
  PackingKey key("spconv", 1, best_row(spconv_kernels())->name);
  key.add(s.in_c, s.out_c, s.kh, s.kw, filter.strides.o, filter.strides.i, filter.strides.y, filter.strides.x);
  key.add(input_type, input_zero_point).add_array(bias, s.out_c);
  return key.text();
}

void SpConvWeights::write(PackedWriter& writer) const {
  writer.number(static_cast<std::int64_t>(packed().data.size()));
  writer.array(packed().slots);
  writer.array(packed().data);
  writer.array(PackedArray<std::int32_t>(packed().common.bias));
}

std::optional<SpConvWeights> SpConvWeights::view(const ConvShape& shape, DType input_type,
                                                 std::int32_t input_zero_point, PackedReader& reader) {
  auto packed = std::make_shared<SpConvPacked>();
  describe(*packed, *best_row(spconv_kernels()), shape, input_type, input_zero_point);
  const std::int64_t count = reader.number();
  packed->slots = reader.array<std::uint8_t>(static_cast<std::size_t>(packed->blocks * shape.taps() * packed->groups));
  if (!reader.ok() || count < 0 || find_blocks(*packed) != count) return std::nullopt;
  packed->data = reader.array<SpConvSlot>(static_cast<std::size_t>(count));
  const PackedArray<std::int32_t> bias = reader.array<std::int32_t>(static_cast<std::size_t>(shape.out_c));
  packed->common.bias.assign(bias.data(), bias.data() + bias.size());
  if (!reader.finished()) return std::nullopt;
  return SpConvWeights(std::move(packed));
}

const char* SpConvWeights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t SpConvWeights::bytes() const noexcept {
  const SpConvPacked& p = packed();
  return p.data.bytes() + p.slots.bytes() + 8 * p.first.size() + 4 * p.common.bias.size() + p.padding.size();
}
double SpConvWeights::density() const noexcept {
  const ConvShape& s = packed().common.shape;
  const double done = static_cast<double>(packed().data.bytes()) / 2;
  return done / static_cast<double>(packed().blocks * kSpConvChannels * s.taps() * s.in_c);
}

}  // namespace pare::kernels
