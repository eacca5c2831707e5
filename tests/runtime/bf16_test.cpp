// Products in bfloat16 (CompileOptions::precision): what they compute, between which of them values stay narrow.
#include "base/cpu.h"
#include "base/float16.h"
#include "kernels/random.h"
#include "pare/error.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using test::Builder;

const exec::CompileOptions kBf16{.precision = DType::kBFloat16};

Tensor rounded(const Tensor& tensor) { return cast(cast(tensor, DType::kBFloat16), DType::kFloat32); }

class Bf16 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!isa_available(Isa::kAvx512Bf16)) GTEST_SKIP() << "this CPU has no products of bfloat16";
  }
};

/// The builder's graph run in bfloat16 against the scalar reference of `as_written`, whose roundings are written out.
void expect_like(const Builder& b, const Builder& as_written, const Tensor& x, double tolerance) {
  const Tensor got = test::run(b.model, {{"x", x}}, kBf16).begin()->second;
  const Tensor want = ir::evaluate(as_written.model, {{"x", x}}).begin()->second;
  double largest = 0;
  for (float value : want.data<float>()) largest = std::max(largest, static_cast<double>(std::abs(value)));
  EXPECT_LE(test::max_difference(got, want), tolerance * largest);
}

/// x → rounding to bfloat16 and back, where `written_out`.
ir::ValueId narrow(Builder& b, ir::ValueId x, bool written_out) {
  if (!written_out) return x;
  const auto to = [](DType type) { return ir::AttributeValue(static_cast<std::int64_t>(type)); };
  return b.node("Cast", {b.node("Cast", {x}, {{"to", to(DType::kBFloat16)}})}, {{"to", to(DType::kFloat32)}});
}

ir::ValueId narrow_weight(Builder& b, const Dims& dims, bool written_out) {
  const Tensor weight = test::random_tensor(dims, ++b.seed);
  return b.constant(written_out ? rounded(weight) : weight, "w");
}

/// Products in bfloat16 by oneDNN or by our own kernels.
std::int64_t products(const Builder& b, const std::map<std::string, Dims>& shapes) {
  const auto names = test::kernels_of(*runtime::backend().compile(b.model, kBf16), shapes);
  return std::count_if(names.begin(), names.end(), [](const std::string& name) {
    return name.starts_with("conv_bf16__") || name.starts_with("depthwise_bf16__") || name == "inner_product_bf16__onednn";
  });
}

std::int64_t count(const Builder& b, const std::map<std::string, Dims>& shapes, const std::string& kernel) {
  const auto names = test::kernels_of(*runtime::backend().compile(b.model, kBf16), shapes);
  return std::count(names.begin(), names.end(), kernel);
}

Builder convolution(const Dims& in, std::int64_t outputs, bool written_out, const std::string& activation = "Relu") {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape::of(in)), w = narrow_weight(b, {outputs, in[1], 3, 3}, written_out),
                    bias = b.weight({outputs});
  const std::vector<std::int64_t> pads = {1, 1, 1, 1};
  b.finish({b.node(activation, {b.node("Conv", {narrow(b, x, written_out), w, bias}, {{"pads", pads}})})});
  return b;
}

TEST_F(Bf16, AConvolutionMultipliesRoundedOperandsAndSumsInFloat) {
  for (std::int64_t channels : {3, 16, 37}) {
    SCOPED_TRACE(channels);
    const Dims in = {2, channels, 9, 7};
    const Builder b = convolution(in, 24, false);
    EXPECT_EQ(products(b, {{"x", in}}), 1);
    expect_like(b, convolution(in, 24, true), test::random_tensor(in, 9), 1e-5);
  }
}

TEST_F(Bf16, ActivationsThatNoEpilogueHasComeAfterOurOwnProducts) {
  const Dims in = {2, 16, 9, 7};
  for (const char* activation : {"HardSigmoid", "Tanh"}) {
    SCOPED_TRACE(activation);
    const Builder b = convolution(in, 24, false, activation);
    EXPECT_EQ(products(b, {{"x", in}}), 1);
    EXPECT_EQ(count(b, {{"x", in}}, "unary_f32"), 0);
    expect_like(b, convolution(in, 24, true, activation), test::random_tensor(in, 9), 1e-5);
  }
}

Builder product(std::int64_t k, std::int64_t n, bool written_out) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape::of({5, k})), w = narrow_weight(b, {k, n}, written_out);
  b.finish({b.node("Add", {b.node("MatMul", {narrow(b, x, written_out), w}), b.weight({n})})});
  return b;
}

TEST_F(Bf16, AMatrixProductToo) {
  for (std::int64_t k : {1, 33, 128}) {
    const Builder b = product(k, 17, false);
    EXPECT_EQ(products(b, {{"x", {5, k}}}), 1);
    expect_like(b, product(k, 17, true), test::random_tensor({5, k}, 3), 1e-5);
  }
}

/// Two convolutions and the addition of the block's input, in ResNet's order.
Builder block(bool written_out) {
  Builder b;
  const std::vector<std::int64_t> pads = {1, 1, 1, 1};
  const auto conv = [&](ir::ValueId x) {
    return b.node("Conv", {x, narrow_weight(b, {16, 16, 3, 3}, written_out), b.weight({16})}, {{"pads", pads}});
  };
  const ir::ValueId x = b.input("x", ir::Shape::of({1, 16, 8, 8}));
  const ir::ValueId first = narrow(b, b.node("Relu", {conv(narrow(b, x, written_out))}), written_out);
  const ir::ValueId second = narrow(b, b.node("Relu", {conv(first)}), written_out);
  b.finish({b.node("Relu", {b.node("Add", {conv(second), first})})});
  return b;
}

TEST_F(Bf16, ValuesBetweenProductsStayNarrow) {
  const Builder b = block(false);
  const std::map<std::string, Dims> shapes = {{"x", {1, 16, 8, 8}}};
  EXPECT_EQ(products(b, shapes), 3);
  EXPECT_EQ(count(b, shapes, "to_bf16"), 1);  // of the model's input
  EXPECT_EQ(count(b, shapes, "to_f32"), 0);
  // Sums in another order may round to the other neighbour: one place of bfloat16 in a few of the 144 inputs of a sum.
  expect_like(b, block(true), test::random_tensor({1, 16, 8, 8}, 4), 2e-3);
}

TEST_F(Bf16, AMaxPoolBetweenProductsPicksNarrowValues) {
  const auto graph = [](bool written_out) {
    Builder b;
    const ir::ValueId x = b.input("x", ir::Shape::of({1, 16, 9, 9}));
    const ir::ValueId y =
        b.node("Conv", {narrow(b, x, written_out), narrow_weight(b, {24, 16, 1, 1}, written_out), b.weight({24})});
    const std::vector<std::int64_t> window = {3, 3}, strides = {2, 2};
    const ir::ValueId z = b.node("MaxPool", {narrow(b, y, written_out)}, {{"kernel_shape", window}, {"strides", strides}});
    b.finish({b.node("Conv", {z, narrow_weight(b, {8, 24, 1, 1}, written_out), b.weight({8})})});
    return b;
  };
  const Builder b = graph(false);
  const std::map<std::string, Dims> shapes = {{"x", {1, 16, 9, 9}}};
  EXPECT_EQ(products(b, shapes), 2);
  EXPECT_EQ(count(b, shapes, "max_pool_bf16"), 1);
  EXPECT_EQ(count(b, shapes, "to_bf16"), 1);  // of the model's input
  EXPECT_EQ(count(b, shapes, "to_f32"), 0);
  expect_like(b, graph(true), test::random_tensor({1, 16, 9, 9}, 4), 2e-3);
}

TEST_F(Bf16, AReaderInFloatGetsFloat) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape::of({1, 16, 8, 8}));
  const ir::ValueId y = b.node("Conv", {x, b.weight({16, 16, 1, 1})});
  const ir::ValueId z = b.node("Conv", {y, b.weight({16, 16, 1, 1})});
  b.finish({b.node("Mul", {z, b.node("Exp", {y})})});
  const std::map<std::string, Dims> shapes = {{"x", {1, 16, 8, 8}}};
  EXPECT_EQ(products(b, shapes), 2);
  EXPECT_EQ(count(b, shapes, "to_bf16"), 2);  // of the input, and of y, which both kinds read
  EXPECT_EQ(count(b, shapes, "to_f32"), 0);
  const NamedTensors inputs = {{"x", test::random_tensor({1, 16, 8, 8}, 4)}};
  const Tensor wide = test::run(b.model, inputs).begin()->second;
  const Tensor got = test::run(b.model, inputs, kBf16).begin()->second;
  float largest = 0;
  for (float value : wide.data<float>()) largest = std::max(largest, std::abs(value));
  EXPECT_LE(test::max_difference(got, wide), 0.05 * largest);
  EXPECT_GT(test::max_difference(got, wide), 0);
}

TEST_F(Bf16, ValuesThatAreObservedAreFloat) {
  const Builder b = block(false);
  const std::string name = b.model.graph.value(b.model.graph.node(b.model.graph.nodes()[1]).output(0)).name;
  exec::CompileOptions options = kBf16;
  options.observed = {name};
  const auto executor = runtime::backend().compile(b.model, options);
  int seen = 0;
  executor->observe({{"x", test::random_tensor({1, 16, 8, 8}, 4)}}, [&](const std::string& value, const Tensor& tensor) {
    EXPECT_EQ(value, name);
    EXPECT_EQ(tensor.dtype(), DType::kFloat32);
    ++seen;
  });
  EXPECT_EQ(seen, 1);
}

TEST(Bf16Refusal, ACpuWithoutItIsNamed) {
  const kernels::test::ScopedEnv force("PARE_FORCE_ISA", "avx2");
  const Builder b = product(8, 8, false);
  try {
    (void)runtime::backend().compile(b.model, kBf16);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("bfloat16"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace pare
