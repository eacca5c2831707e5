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

void pack_into(SpConvWeights::Packed& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const ConvShape& s = packed.common.shape;
  packed.groups = (s.in_c + kSpConvGroup - 1) / kSpConvGroup;
  packed.blocks = (s.out_c + kSpConvChannels - 1) / kSpConvChannels;
  for (std::int64_t block = 0; block < packed.blocks; ++block) {
    packed.first.push_back(static_cast<std::int64_t>(packed.data.size()));
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      for (std::int64_t group = 0; group < packed.groups; ++group)
        packed.slots.push_back(static_cast<std::uint8_t>(pack_slots(filter, s, block, tap, group, packed.data)));
  }
  packed.padding.assign(packed.groups * kSpConvGroup, static_cast<std::uint8_t>(packed.common.input_zero_point));
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
  if (!kernel) {
    const auto rows = spconv_kernels();
    kernel = *std::find_if(rows.begin(), rows.end(), [](const SpConvKernel* row) { return isa_available(row->isa); });
  }
  SpConvWeights result;
  try {
    result.packed_ = std::make_unique<Packed>();
    result.packed_->kernel = kernel;
    result.packed_->common.shape = shape;
    result.packed_->common.input_signed = input_type == DType::kInt8;
    result.packed_->common.input_zero_point = input_zero_point;
    pack_into(*result.packed_, filter, bias);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "sparse weights", "do not fit in memory when packed");
  }
  return result;
}

const char* SpConvWeights::kernel_name() const noexcept { return packed_->kernel->name; }
std::size_t SpConvWeights::bytes() const noexcept {
  return packed_->data.size() * kSpConvSlot + packed_->slots.size() + 8 * packed_->first.size() + 4 * packed_->common.bias.size() +
         packed_->padding.size();
}
double SpConvWeights::density() const noexcept {
  const ConvShape& s = packed_->common.shape;
  const double done = static_cast<double>(packed_->data.size() * kSpConvSlot) / 2;
  return done / static_cast<double>(packed_->blocks * kSpConvChannels * s.taps() * s.in_c);
}

}  // namespace pare::kernels
