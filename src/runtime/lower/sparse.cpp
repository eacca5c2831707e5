#include "runtime/lower/sparse.h"

#include <algorithm>

#include "ir/sparsity.h"
#include "runtime/lower/sparse_cost.h"

namespace pare::runtime {

namespace {

constexpr double kWorthALook = 0.4;  ///< share of zeros below which even q = 32 cannot pay

constexpr double kDenseAmx = 600;  ///< multiply-adds a cycle of oneDNN's dense products on AMX tiles

double gathered_cycles(const kernels::ConvShape& s, double density) {
  const SparseCosts& c = sparse_costs();
  const double outputs = static_cast<double>(s.pixels() * s.out_c);
  return static_cast<double>(s.macs()) * density / 64 * c.slot + outputs / 16 * c.gathered_finish;
}
double dense_cycles(const kernels::ConvShape& s, bool amx) {
  const SparseCosts& c = sparse_costs();
  const double outputs = static_cast<double>(s.pixels() * s.out_c);
  return static_cast<double>(s.macs()) / (amx ? kDenseAmx : c.dense_s8) + outputs / 16 * c.dense_finish;
}

std::string described(const ir::Graph& graph, const Group& group, const Tensor& weight, double zeros) {
  const auto ref = ir::find_weight(graph, group.main());
  if (!ref) return format_decimal(100 * zeros) + " % zeros";
  auto pattern = ir::detect_balanced(weight, ref->view);
  if (const auto blocks = ir::SparsityPattern::parse("1x4"); !pattern && ir::has_pattern(weight, ref->view, blocks))
    pattern = blocks;
  return format_decimal(100 * zeros) + " % zeros" + (pattern ? " (" + pattern->to_string() + ")" : "");
}

/// Both forms, packed; null where a form does not take the weights.
SparseChoice pack(Lowerer& lw, const Group& group, const IntegerProduct& product, const kernels::ConvShape& shape,
                  const kernels::QConvFilter& filter, const std::vector<std::int32_t>& bias) {
  const Tensor& weight = *lw.graph().constant(product.weight.q);
  const std::string& name = lw.main(group).name;
  const DType type = product.input.dtype;
  const std::int32_t zero = product.input.zero_point[0];
  SparseChoice both;
  if (isa_available(Isa::kAvx512VnniVbmi) && kernels::SpConvWeights::takes(shape, filter))
    both.gathered = lw.cache().get<kernels::SpConvWeights>("sparse " + name, weight, [&] {
      return std::make_shared<const kernels::SpConvWeights>(
          kernels::SpConvWeights::pack(shape, filter, type, zero, bias.data()));
    });
  if (kernels::SpConv1x4Weights::takes(shape, filter))
    both.blocks = lw.cache().get<kernels::SpConv1x4Weights>("sparse 1x4 " + name, weight, [&] {
      return std::make_shared<const kernels::SpConv1x4Weights>(
          kernels::SpConv1x4Weights::pack(shape, filter, type, zero, bias.data()));
    });
  return both;
}

}  // namespace

SparseChoice choose_sparse(Lowerer& lw, const Group& group, const IntegerProduct& product,
                           const kernels::FilterStrides& strides, const std::vector<std::int32_t>& bias,
                           const kernels::ConvShape& shape, bool amx) {
  const Tensor& weight = *lw.graph().constant(product.weight.q);
  const double zeros = ir::sparsity(weight);
  if (zeros < kWorthALook || weight.dtype() != DType::kInt8) return {};
  std::vector<std::int32_t> zero(static_cast<std::size_t>(shape.out_c));
  for (std::size_t c = 0; c < zero.size(); ++c)
    zero[c] = product.weight.zero_point[product.weight.per_tensor() ? 0 : c];
  const std::string what = described(lw.graph(), group, weight, zeros);
  const auto dense = [&](const std::string& why) { return SparseChoice{nullptr, nullptr, what + ", but " + why}; };
  if (!isa_available(Isa::kAvx2)) return dense("no vectors to multiply with");
  SparseChoice found = pack(lw, group, product, shape, {weight.raw(), false, strides, zero.data()}, bias);
  if (!found.chosen()) return dense("groups, zero points or too few input channels");
  const double never = 1e300;
  const double gathered = found.gathered ? gathered_cycles(shape, found.gathered->density()) : never;
  const double blocks =
      found.blocks ? panel_cycles(sparse_costs().s8, shape, shape.taps() * shape.in_c / 4, found.blocks->density()) : never;
  const double gain = dense_cycles(shape, amx) / std::min(gathered, blocks);
  if (gain < 1) return dense("dense is faster (estimated " + format_decimal(1 / gain) + " times)");
  (gathered < blocks ? static_cast<void>(found.blocks.reset()) : found.gathered.reset());
  found.reason = what + ", estimated " + format_decimal(gain) + " times dense";
  return found;
}

}  // namespace pare::runtime
