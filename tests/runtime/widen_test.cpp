// 16-bit models on the float32 kernels.
#include "base/float16.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using ir::Shape;
using ir::ValueId;

/// Conv → Relu → spatial mean → MatMul → Softmax, all in `type`.
test::Builder network(DType type) {
  test::Builder b;
  const auto weight = [&](const Dims& dims) {
    return b.constant(cast(test::random_tensor(dims, ++b.seed), type), "w");
  };
  const ValueId x = b.input("x", Shape::of({2, 3, 9, 8}), type);
  const ValueId conv =
      b.node("Conv", {x, weight({8, 3, 3, 3}), weight({8})}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  const ValueId mean = b.node("GlobalAveragePool", {b.node("Relu", {conv}, {}, "relu")});
  const ValueId product = b.node("MatMul", {b.node("Flatten", {mean}), weight({8, 5})});
  b.finish({b.node("Softmax", {product}, {}, "y")});
  return b;
}

TEST(Widen, ShortFloatsRunOnKernelsAndRoundAsTheReference) {
  for (DType type : {DType::kFloat16, DType::kBFloat16}) {
    const test::Builder b = network(type);
    const NamedTensors inputs = {{"x", cast(test::random_tensor({2, 3, 9, 8}, 5), type)}};
    const Tensor got = test::run(b.model, inputs).at("y"), want = ir::evaluate(b.model, inputs).at("y");
    ASSERT_EQ(got.dtype(), type);
    const double step = type == DType::kFloat16 ? 0x1p-10 : 0x1p-7;
    EXPECT_LE(test::max_difference(cast(got, DType::kFloat32), cast(want, DType::kFloat32)), 2 * step);
    for (const std::string& kernel : test::kernels_of(*runtime::backend().compile(b.model, {}), {{"x", {2, 3, 9, 8}}}))
      EXPECT_NE(kernel, "reference");
  }
}

TEST(Widen, ObservedValuesKeepTheirType) {
  const test::Builder b = network(DType::kFloat16);
  exec::CompileOptions options;
  options.observed = {"relu"};
  const NamedTensors inputs = {{"x", cast(test::random_tensor({2, 3, 9, 8}, 5), DType::kFloat16)}};
  int seen = 0;
  runtime::backend().compile(b.model, options)->observe(inputs, [&](const std::string&, const Tensor& tensor) {
    EXPECT_EQ(tensor.dtype(), DType::kFloat16);
    ++seen;
  });
  EXPECT_EQ(seen, 1);
}

TEST(Widen, ComparisonsAndMixedTypes) {
  test::Builder b;
  const ValueId x = b.input("x", Shape::of({4, 6}), DType::kFloat16);
  const ValueId zero = b.constant(cast(Tensor::scalar(0.0F), DType::kFloat16));
  const ValueId positive = b.node("Greater", {x, zero});
  const ValueId chosen = b.node("Where", {positive, x, b.node("Mul", {x, x})});
  const ValueId power = b.node("Pow", {chosen, b.constant(Tensor::scalar(2.0F))});
  b.finish({b.node("Cast", {power}, {{"to", std::int64_t{1}}}, "y"), positive});
  test::expect_like_reference(b.model, {{"x", cast(test::random_tensor({4, 6}, 5), DType::kFloat16)}}, 1e-3);
}

}  // namespace
}  // namespace pare
