// Gemm and MatMul with a constant matrix on the right, and batches of products.
#include <algorithm>
#include <optional>

#include "runtime/lower/float_product.h"
#include "runtime/lower/nbits.h"
#include "runtime/lower/product.h"

namespace pare::runtime {

namespace {

/// Sizes of the right operand where it is constant. Of integer weights nothing else is asked for: their real values would
/// be made for nothing.
std::optional<Dims> constant_dims(Lowerer& lw, const Group& group) {
  const ir::ValueId right = lw.main(group).input(1);
  if (group.integer) return lw.dims(right);
  const Tensor weight = lw.constant(right);
  return weight.defined() ? std::optional(weight.dims()) : std::nullopt;
}

/// Product of all axes but the last.
std::int64_t rows(const Dims& dims) {
  std::int64_t count = 1;
  for (std::size_t i = 0; i + 1 < dims.size(); ++i) count *= dims[i];
  return count;
}

std::optional<std::string> lower_right_constant(Lowerer& lw, const Group& group, bool transposed, const Tensor& bias) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0)), weight_dims = lw.dims(node.input(1));
  const std::int64_t m = rows(in), k = in.back(), n = weight_dims[transposed ? 0 : 1];
  if (m == 0 || k == 0 || n == 0) return "an empty product";
  const kernels::ConvShape shape = kernels::ConvShape::matmul(m, k, n);
  const kernels::FilterStrides strides =
      transposed ? kernels::FilterStrides{k, 1, 0, 0} : kernels::FilterStrides{1, n, 0, 0};
  if (group.integer) return lower_integer(lw, group, shape, strides, Layout::kOnnx);
  const Tensor right = lw.constant(node.input(1));
  return lower_float(lw, group,
                     {shape, strides, right, bias, Layout::kOnnx, "inner_product",
                      [&](const onednn::ProductTypes& types, std::string& why) {
                        return onednn::inner_product(node.name, m, k, n, right, transposed, bias, post_ops(group), types,
                                                     lw.cache(), why);
                      }});
}

/// The dense operand of `dims` as part of a batch whose leading axes are `batch`.
onednn::Batched batched(const Dims& dims, const Dims& batch) {
  onednn::Batched operand;
  const std::size_t leading = dims.size() - 2;
  operand.row = dims.back();
  operand.dims.assign(batch.size(), 1);
  operand.strides.assign(batch.size(), 1);
  std::int64_t stride = dims[leading] * dims.back();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::size_t at = batch.size() - 1 - i;
    if (i < leading) operand.dims[at] = dims[leading - 1 - i];
    operand.strides[at] = stride;
    stride *= operand.dims[at];
  }
  return operand;
}

/// Batched product with numpy broadcasting of the leading axes, both operands of rank ≥ 2.
std::optional<std::string> lower_batched(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims a = lw.dims(node.input(0)), b = lw.dims(node.input(1)), out = lw.dims(node.output(0));
  if (a.size() < 2 || b.size() < 2) return "a vector operand";
  if (!group.follow.empty() || group.bias != ir::kNoValue) return "only products with constant matrices fuse";
  if (element_count(out) == 0 || a.back() == 0) return "an empty product";
  const Dims batch(out.begin(), out.end() - 2);
  std::string reason;
  std::shared_ptr<const onednn::BatchedProduct> product =
      onednn::batched_product(a[a.size() - 2], a.back(), b.back(), batched(a, batch), batched(b, batch), batch, reason);
  if (!product) return reason;
  const BufferId x = lw.read(node.input(0)), y = lw.read(node.input(1)), z = lw.write(group.output),
                 scratch = lw.scratch(product->scratch_bytes());
  lw.emit(group, {"matmul_f32__onednn", product->implementation()}, {x, y}, {z, scratch}, [=](const Frame& frame) {
    product->run(frame.at<float>(x), frame.at<float>(y), frame.at<float>(z), frame.at(scratch));
  });
  return std::nullopt;
}

}  // namespace

std::optional<std::string> lower_Gemm(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  if (takes_nbits(lw, group)) {
    lower_nbits(lw, group);
    return std::nullopt;
  }
  const std::optional<Dims> weight = constant_dims(lw, group);
  const Tensor bias = lw.constant(node.input(2));
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  if (node.int_or("transA", 0) || node.float_or("alpha", 1) != 1) return "transA or alpha";
  if (!weight) return "the right operand is not constant";
  Tensor flat;
  if (node.input(2) != ir::kNoValue) {
    const std::int64_t n = weight->at(node.int_or("transB", 0) ? 0 : 1);
    if (!bias.defined() || node.float_or("beta", 1) != 1 || bias.numel() != n || (bias.rank() > 0 && bias.dim(-1) != n))
      return "the bias is not one constant per output";
    flat = bias.reshaped({n});
  }
  return lower_right_constant(lw, group, node.int_or("transB", 0) != 0, flat);
}

std::optional<std::string> lower_MatMul(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  if (takes_nbits(lw, group)) {
    lower_nbits(lw, group);
    return std::nullopt;
  }
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  const Dims in = lw.dims(node.input(0)), weight = lw.dims(node.input(1));
  const bool constant = constant_dims(lw, group).has_value();
  if (constant && weight.size() == 2 && in.size() >= 2)
    return lower_right_constant(lw, group, false, lw.constant(group.bias));
  return lower_batched(lw, group);
}

}  // namespace pare::runtime
