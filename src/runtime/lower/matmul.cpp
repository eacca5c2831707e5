// Gemm and MatMul with a constant matrix on the right; other products run row by row of the batch in plain loops.
#include <algorithm>

#include "runtime/lower/product.h"

namespace pare::runtime {

namespace {

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
  if (group.integer) {
    const kernels::FilterStrides strides =
        transposed ? kernels::FilterStrides{k, 1, 0, 0} : kernels::FilterStrides{1, n, 0, 0};
    return lower_integer(lw, group, kernels::ConvShape::matmul(m, k, n), strides, Layout::kOnnx);
  }
  std::string reason;
  std::shared_ptr<const onednn::Product> product = onednn::inner_product(
      node.name, m, k, n, lw.constant(node.input(1)), transposed, bias, post_ops(group), lw.cache(), reason);
  if (!product) return reason;
  const ir::ValueId added = added_value(group);
  const BufferId x = lw.read(node.input(0)), add = added == ir::kNoValue ? kNoBuffer : lw.read(added);
  emit_product(lw, group, std::move(product), "inner_product_f32__onednn", x, add, lw.write(group.output));
  return std::nullopt;
}

/// Batched product with numpy broadcasting of the leading axes, both operands of rank ≥ 2.
std::optional<std::string> lower_batched(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims a = lw.dims(node.input(0)), b = lw.dims(node.input(1)), out = lw.dims(node.output(0));
  if (a.size() < 2 || b.size() < 2) return "a vector operand";
  if (!group.follow.empty() || group.bias != ir::kNoValue) return "only products with constant matrices fuse";
  const std::int64_t m = a[a.size() - 2], k = a.back(), n = b.back(), count = rows(out) / std::max<std::int64_t>(m, 1);
  // Which matrix of an operand a matrix of the result reads.
  const auto source = [&](const Dims& dims, std::int64_t index) {
    std::int64_t found = 0, stride = 1;
    for (std::size_t i = 3; i <= out.size(); ++i) {
      const std::int64_t position = index % out[out.size() - i];
      index /= out[out.size() - i];
      if (i > dims.size()) continue;
      if (dims[dims.size() - i] != 1) found += position * stride;
      stride *= dims[dims.size() - i];
    }
    return found;
  };
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  for (std::int64_t i = 0; i < count; ++i) pairs.emplace_back(source(a, i) * m * k, source(b, i) * k * n);
  const BufferId x = lw.read(node.input(0)), y = lw.read(node.input(1)), z = lw.write(group.output);
  lw.emit(group, {"matmul_f32__plain", "the right operand is not a constant matrix"}, {x, y}, {z},
          [=](const Frame& frame) {
            for (std::size_t i = 0; i < pairs.size(); ++i)
              kernels::matmul(m, n, k, {frame.at<float>(x) + pairs[i].first, k, 1},
                              {frame.at<float>(y) + pairs[i].second, n, 1}, 1.0f, {}, 0.0f,
                              frame.at<float>(z) + static_cast<std::int64_t>(i) * m * n);
          });
  return std::nullopt;
}

}  // namespace

std::optional<std::string> lower_Gemm(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Tensor weight = lw.constant(node.input(1)), bias = lw.constant(node.input(2));
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  if (node.int_or("transA", 0) || node.float_or("alpha", 1) != 1) return "transA or alpha";
  if (!weight.defined()) return "the right operand is not constant";
  Tensor flat;
  if (node.input(2) != ir::kNoValue) {
    const std::int64_t n = weight.dim(node.int_or("transB", 0) ? 0 : 1);
    if (!bias.defined() || node.float_or("beta", 1) != 1 || bias.numel() != n || (bias.rank() > 0 && bias.dim(-1) != n))
      return "the bias is not one constant per output";
    flat = bias.reshaped({n});
  }
  return lower_right_constant(lw, group, node.int_or("transB", 0) != 0, flat);
}

std::optional<std::string> lower_MatMul(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  const Dims in = lw.dims(node.input(0)), weight = lw.dims(node.input(1));
  const bool constant = lw.constant(node.input(1)).defined();
  if (constant && weight.size() == 2 && in.size() >= 2)
    return lower_right_constant(lw, group, false, lw.constant(group.bias));
  return lower_batched(lw, group);
}

}  // namespace pare::runtime
