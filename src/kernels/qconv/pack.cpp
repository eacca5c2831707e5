// Packing of weights into panels.
#include <algorithm>
#include <new>

#include "base/huge_memory.h"
#include "kernels/amx/chunks.h"
#include "kernels/qconv/row.h"
#include "pare/error.h"

namespace pare::kernels {
namespace {

struct alignas(64) Line {
  std::int8_t values[64] = {};
};

std::int32_t weight_at(const QConvFilter& filter, std::int64_t o, std::int64_t i, std::int64_t y, std::int64_t x) {
  const std::int64_t at = o * filter.strides.o + i * filter.strides.i + y * filter.strides.y + x * filter.strides.x;
  if (filter.is_unsigned) return static_cast<const std::uint8_t*>(filter.data)[at] - 128;
  return static_cast<const std::int8_t*>(filter.data)[at];
}

/// Writes one output channel into its lane; returns Σw.
std::int32_t pack_channel(const QConvWeights::Packed& packed, const QConvFilter& filter, std::int64_t o,
                          std::int8_t* lane) {
  const ConvShape& s = packed.shape;
  const std::int64_t depth = packed.kernel->depth, step = packed.kernel->lanes * depth;
  const bool chunked = packed.kernel->chunked;
  const amx::Chunks chunks(s, 1);
  std::int32_t sum = 0;
  std::int64_t k = 0;
  for (std::int64_t y = 0; y < s.kh; ++y) {
    for (std::int64_t x = 0; x < s.kw; ++x) {
      for (std::int64_t i = 0; i < s.group_in(); ++i, ++k) {
        const std::int32_t w = weight_at(filter, o, i, y, x);
        const std::int64_t place = chunked ? chunks.place(k) : k;
        lane[place / depth * step + place % depth] = static_cast<std::int8_t>(w);
        sum += w;
      }
    }
  }
  return sum;
}

void pack_zero_points(QConvWeights::Packed& packed, const QConvFilter& filter) {
  std::vector<std::int32_t> zero(packed.shape.out_c, filter.is_unsigned ? -128 : 0);
  for (std::int64_t o = 0; filter.zero_point && o < packed.shape.out_c; ++o) zero[o] += filter.zero_point[o];
  if (std::any_of(zero.begin(), zero.end(), [](std::int32_t z) { return z != 0; }))
    packed.weight_zero_point = std::move(zero);
}

void pack_all(QConvWeights::Packed& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const ConvShape& s = packed.shape;
  const QConvKernel& kernel = *packed.kernel;
  const std::int64_t panel_size = packed.steps * kernel.lanes * kernel.depth;
  const std::int64_t bytes = s.groups * packed.panels * panel_size;
  // Aligned: a load of weights that crosses cache lines takes twice as long.
  const auto lines = std::make_shared<HugeVector<Line>>(static_cast<std::size_t>((bytes + 63) / 64));
  std::int8_t* weights = lines->data()->values;
  packed.bias.assign(s.out_c, 0);
  pack_zero_points(packed, filter);
  const std::int32_t raw_zero =
      packed.input_zero_point + (kernel.input == QConvInput::kRawU8 && packed.input_signed ? 128 : 0);
  for (std::int64_t o = 0; o < s.out_c; ++o) {
    const std::int64_t group = o / s.group_out(), c = o % s.group_out();
    std::int8_t* panel = weights + (group * packed.panels + c / kernel.lanes) * panel_size;
    const std::int32_t sum = pack_channel(packed, filter, o, panel + c % kernel.lanes * kernel.depth);
    packed.bias[o] = bias ? bias[o] : 0;
    if (kernel.input != QConvInput::kCentredS16) packed.bias[o] -= raw_zero * sum;
  }
  packed.weights = PackedArray<std::int8_t>(weights, static_cast<std::size_t>(bytes), lines);
}

const QConvKernel& best_kernel() {
  for (const QConvKernel* row : qconv_kernels())
    if (isa_available(row->isa)) return *row;
  return *qconv_kernels().back();
}

/// All but the weights themselves.
void describe(QConvWeights::Packed& packed, const QConvKernel& kernel, const ConvShape& shape, DType input_type,
              std::int32_t input_zero_point) {
  packed.kernel = &kernel;
  packed.shape = shape;
  packed.input_signed = input_type == DType::kInt8;
  packed.input_zero_point = input_zero_point;
  const std::int64_t k = shape.taps() * shape.group_in();
  packed.steps = kernel.chunked ? amx::Chunks(shape, 1).steps() : (k + kernel.depth - 1) / kernel.depth;
  packed.panels = (shape.group_out() + kernel.lanes - 1) / kernel.lanes;
}

}  // namespace

QConvWeights::QConvWeights() = default;
QConvWeights::~QConvWeights() = default;
QConvWeights::QConvWeights(QConvWeights&&) noexcept = default;
QConvWeights& QConvWeights::operator=(QConvWeights&&) noexcept = default;

QConvWeights QConvWeights::pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                std::int32_t input_zero_point, const std::int32_t* bias, const QConvKernel* kernel) {
  QConvWeights result;
  try {
    result.packed_ = std::make_unique<Packed>();
    describe(*result.packed_, kernel ? *kernel : best_kernel(), shape, input_type, input_zero_point);
    pack_all(*result.packed_, filter, bias);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "convolution weights", "do not fit in memory when packed");
  }
  return result;
}

std::string QConvWeights::packing_key(const ConvShape& s, const QConvFilter& filter, DType input_type,
                                      std::int32_t input_zero_point, const std::int32_t* bias) {
  PackingKey key("qconv", 1, best_kernel().name);
  key.add(s.in_c, s.out_c, s.groups, s.kh, s.kw, filter.strides.o, filter.strides.i, filter.strides.y,
          filter.strides.x);
  key.add(filter.is_unsigned, input_type, input_zero_point);
  key.add_array(filter.zero_point, s.out_c).add_array(bias, s.out_c);
  return key.text();
}

void QConvWeights::write(PackedWriter& writer) const {
  writer.number(packed_->weight_zero_point.empty() ? 0 : 1);
  writer.array(packed_->weights);
  writer.array(PackedArray<std::int32_t>(packed_->bias));
  if (!packed_->weight_zero_point.empty()) writer.array(PackedArray<std::int32_t>(packed_->weight_zero_point));
}

std::optional<QConvWeights> QConvWeights::view(const ConvShape& shape, DType input_type, std::int32_t input_zero_point,
                                               PackedReader& reader) {
  QConvWeights result;
  result.packed_ = std::make_unique<Packed>();
  Packed& packed = *result.packed_;
  describe(packed, best_kernel(), shape, input_type, input_zero_point);
  const auto channels = static_cast<std::size_t>(shape.out_c);
  const auto copy = [&] {
    const PackedArray<std::int32_t> values = reader.array<std::int32_t>(channels);
    return std::vector<std::int32_t>(values.data(), values.data() + values.size());
  };
  const bool has_zero_points = reader.number() != 0;
  packed.weights = reader.array<std::int8_t>(static_cast<std::size_t>(shape.groups * packed.panels * packed.steps *
                                                                      packed.kernel->lanes * packed.kernel->depth));
  packed.bias = copy();
  if (has_zero_points) packed.weight_zero_point = copy();
  if (!reader.finished()) return std::nullopt;
  return result;
}

const char* QConvWeights::kernel_name() const noexcept { return packed_->kernel->name; }

std::size_t QConvWeights::bytes() const noexcept {
  return packed_->weights.size() + 4 * (packed_->bias.size() + packed_->weight_zero_point.size());
}

}  // namespace pare::kernels
