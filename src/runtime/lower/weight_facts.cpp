#include "runtime/lower/weight_facts.h"

#include <algorithm>
#include <array>

#include "ir/sparsity.h"
#include "kernels/spconv/spconv.h"
#include "runtime/lower/sparse_cost.h"

namespace pare::runtime {

namespace {

constexpr std::int64_t kQuad = 4, kBlocks1x4 = -1;

/// The weights of one output and tap.
struct Taps {
  const std::int8_t* weights;
  std::int64_t step, count;
};

/// Zeros, quads and values of them.
void look_along(const Taps& t, WeightFacts& facts, std::array<bool, 256>& seen) {
  for (std::int64_t i = 0, quad = 0; i < t.count; ++i) {
    const std::int8_t w = t.weights[i * t.step];
    seen[static_cast<std::uint8_t>(w)] = true;
    facts.zeros += w == 0;
    quad |= w;
    if (i % kQuad != kQuad - 1 && i + 1 < t.count) continue;
    facts.quads += quad != 0;
    quad = 0;
  }
}

void look_at_bytes(const kernels::ConvShape& s, const kernels::FilterStrides& f, const Tensor& weight, WeightFacts& facts) {
  const auto* w = reinterpret_cast<const std::int8_t*>(weight.raw());
  std::array<bool, 256> seen{};
  for (std::int64_t o = 0; o < s.out_c; ++o)
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      look_along({w + o * f.o + tap / s.kw * f.y + tap % s.kw * f.x, f.i, s.in_c}, facts, seen);
  facts.values = std::count(seen.begin(), seen.end(), true);
  for (int value = 127; value >= -128; --value)
    if (seen[static_cast<std::uint8_t>(value)]) facts.low = value;
  for (int value = -128; value <= 127; ++value)
    if (seen[static_cast<std::uint8_t>(value)]) facts.high = value;
}

std::int64_t pattern_of(const ir::Graph& graph, const Group& group, const Tensor& weight) {
  const auto ref = ir::find_weight(graph, group.main());
  if (!ref) return 0;
  if (const auto balanced = ir::detect_balanced(weight, ref->view)) return balanced->q;
  return ir::has_pattern(weight, ref->view, ir::SparsityPattern::parse("1x4")) ? kBlocks1x4 : 0;
}

WeightFacts look(const ir::Graph& graph, const Group& group, const kernels::ConvShape& shape,
                 const kernels::FilterStrides& strides, const Tensor& weight) {
  WeightFacts facts;
  facts.count = weight.numel();
  if (weight.dtype() == DType::kInt8)
    look_at_bytes(shape, strides, weight, facts);
  else
    facts.zeros = static_cast<std::int64_t>(ir::sparsity(weight) * static_cast<double>(facts.count) + 0.5);
  if (weight.dtype() != DType::kInt8 || facts.sparsity() < kSparse8Bit) return facts;
  facts.pattern = pattern_of(graph, group, weight);
  facts.slots = static_cast<std::int64_t>(kernels::spconv_slots(shape, {weight.raw(), false, strides, nullptr}) + 0.5);
  return facts;
}

}  // namespace

std::string WeightFacts::to_string() const {
  const std::string share = format_decimal(100 * sparsity()) + " % zeros";
  if (pattern == 0) return share;
  return share + (pattern == kBlocks1x4 ? " (1x4)" : " (" + std::to_string(pattern) + ":64)");
}

void WeightFacts::write(kernels::PackedWriter& writer) const {
  for (const std::int64_t number : {count, zeros, slots, quads, std::int64_t{low}, std::int64_t{high}, values, pattern})
    writer.number(number);
}

std::optional<WeightFacts> WeightFacts::view(kernels::PackedReader& reader) {
  WeightFacts facts;
  for (std::int64_t* number : {&facts.count, &facts.zeros, &facts.slots, &facts.quads}) *number = reader.number();
  facts.low = static_cast<std::int32_t>(reader.number());
  facts.high = static_cast<std::int32_t>(reader.number());
  facts.values = reader.number(), facts.pattern = reader.number();
  if (!reader.finished()) return std::nullopt;
  return facts;
}

std::shared_ptr<const WeightFacts> weight_facts(Lowerer& lw, const Group& group, const kernels::ConvShape& shape,
                                                const kernels::FilterStrides& strides, const Tensor& weight) {
  kernels::PackingKey key("facts", 2, "");
  key.add(shape.in_c, shape.out_c, shape.kh, shape.kw, strides.o, strides.i, strides.y, strides.x);
  return lw.cache().get_packed<WeightFacts>(
      key.text(), weight, [](kernels::PackedReader& reader) { return WeightFacts::view(reader); },
      [&] { return look(lw.graph(), group, shape, strides, weight); });
}

}  // namespace pare::runtime
