#include "runtime/lower/sparse.h"

#include <algorithm>
#include <cstdio>

#include "ir/sparsity.h"

namespace pare::runtime {

namespace {

constexpr double kWorthALook = 0.4;  ///< share of zeros below which even q = 32 cannot pay

/// A byte permutation, a product of four inputs and a share of the loads.
constexpr double kCyclesASlot = 1.3;
/// Multiply-adds a cycle of oneDNN's dense products, and cycles an epilogue of 16 outputs takes.
constexpr double kDenseVnni = 115, kDenseAmx = 600, kSparseEpilogue = 11, kDenseEpilogue = 4;

double sparse_cycles(const kernels::ConvShape& s, double density) {
  const double outputs = static_cast<double>(s.pixels() * s.out_c);
  return static_cast<double>(s.macs()) * density / 64 * kCyclesASlot + outputs / 16 * kSparseEpilogue;
}
double dense_cycles(const kernels::ConvShape& s, bool amx) {
  const double outputs = static_cast<double>(s.pixels() * s.out_c);
  return static_cast<double>(s.macs()) / (amx ? kDenseAmx : kDenseVnni) + outputs / 16 * kDenseEpilogue;
}

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string described(const ir::Graph& graph, const Group& group, const Tensor& weight, double zeros) {
  const auto ref = ir::find_weight(graph, group.main());
  const auto pattern = ref ? ir::detect_balanced(weight, ref->view) : std::nullopt;
  return fixed(100 * zeros) + " % zeros" + (pattern ? " (" + pattern->to_string() + ")" : "");
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
  const kernels::QConvFilter filter{weight.raw(), false, strides, zero.data()};
  const std::string what = described(lw.graph(), group, weight, zeros);
  if (!kernels::SpConvWeights::takes(shape, filter)) return {nullptr, what + ", but groups or zero points"};
  if (!isa_available(Isa::kAvx512VnniVbmi)) return {nullptr, what + ", but no VBMI to gather inputs with"};
  auto packed = lw.cache().get<kernels::SpConvWeights>("sparse " + lw.main(group).name, weight, [&] {
    return std::make_shared<const kernels::SpConvWeights>(
        kernels::SpConvWeights::pack(shape, filter, product.input.dtype, product.input.zero_point[0], bias.data()));
  });
  const double gain = dense_cycles(shape, amx) / sparse_cycles(shape, packed->density());
  if (gain < 1) return {nullptr, what + ", but dense is faster (estimated " + fixed(1 / gain) + " times)"};
  return {packed, what + ", estimated " + fixed(gain) + " times dense"};
}

}  // namespace pare::runtime
