// Quantization whose parameters exist only at run time, against the scalar reference.
#include "runtime/graphs.h"

namespace pare {
namespace {

using ir::Shape;
using ir::ValueId;

template <class T>
Tensor random_bytes(const Dims& dims, std::uint64_t seed) {
  Rng rng(seed, kRngTest);
  Tensor tensor(dtype_of<T>, dims);
  for (T& x : tensor.mutable_data<T>()) x = static_cast<T>(rng.below(256));
  return tensor;
}

template <class W>
void expect_exact(const Dims& a, const Dims& b, const Tensor& b_zero) {
  test::Builder builder;
  const ValueId x = builder.input("x", Shape::of(a), DType::kUint8),
                zero = builder.input("zero", Shape::of({}), DType::kUint8);
  const ValueId w = builder.constant(random_bytes<W>(b, 3), "w");
  const ValueId points = b_zero.defined() ? builder.constant(b_zero, "points") : ir::kNoValue;
  builder.finish({builder.node("MatMulInteger", {x, w, zero, points}, {}, "y")});
  const NamedTensors inputs = {{"x", random_bytes<std::uint8_t>(a, 4)}, {"zero", Tensor::scalar<std::uint8_t>(131)}};
  test::expect_like_reference(builder.model, inputs);
  const auto executor = runtime::backend().compile(builder.model, {});
  for (const std::string& kernel : test::kernels_of(*executor, {{"x", a}, {"zero", {}}}))
    EXPECT_TRUE(kernel.starts_with("qconv")) << kernel;
}

TEST(Dynamic, MatMulIntegerIsExactAlsoWhereSumsPassF32) {
  expect_exact<std::int8_t>({5, 33}, {33, 7}, {});
  expect_exact<std::int8_t>({2, 3, 700}, {700, 17}, {});
  expect_exact<std::int8_t>({4, 1100}, {1100, 9}, random_bytes<std::int8_t>({9}, 8));
  expect_exact<std::uint8_t>({4, 520}, {520, 16}, Tensor::scalar<std::uint8_t>(3));
}

struct ConvCase {
  Dims x, w;
  std::int64_t groups = 1, stride = 1, dilation = 1;
  std::vector<std::int64_t> pads = {0, 0, 0, 0};
};

template <class X, class W>
void expect_exact_conv(const ConvCase& c, const Tensor& w_zero, bool channels_last) {
  SCOPED_TRACE(std::to_string(c.x[1]) + " channels, " + std::to_string(c.groups) + " groups");
  test::Builder b;
  const ValueId zero = b.input("zero", Shape::of({}), dtype_of<X>);
  const ValueId input = b.input("x", Shape::of(c.x), dtype_of<X>);
  const ValueId w = b.constant(random_bytes<W>(c.w, 3), "w");
  const ValueId points = w_zero.defined() ? b.constant(w_zero, "points") : ir::kNoValue;
  const ValueId y = b.node("ConvInteger", {input, w, zero, points},
                           {{"group", c.groups},
                            {"strides", std::vector<std::int64_t>{c.stride, c.stride}},
                            {"dilations", std::vector<std::int64_t>{c.dilation, c.dilation}},
                            {"pads", c.pads}});
  b.finish({channels_last ? b.node("Cast", {y}, {{"to", std::int64_t{1}}}) : y});
  const NamedTensors inputs = {{"x", random_bytes<X>(c.x, 4)}, {"zero", Tensor::scalar(static_cast<X>(77))}};
  test::expect_like_reference(b.model, inputs, 0);
  const auto kernels = test::kernels_of(*runtime::backend().compile(b.model, {}), {{"x", c.x}, {"zero", {}}});
  EXPECT_TRUE(std::ranges::any_of(kernels, [](const std::string& k) { return k.ends_with("_s32"); }));
  EXPECT_TRUE(std::ranges::find(kernels, "reference") == kernels.end());
}

TEST(Dynamic, ConvIntegerIsExact) {
  const std::vector<ConvCase> cases = {
      {{2, 3, 9, 8}, {5, 3, 3, 3}, 1, 1, 1, {1, 1, 1, 1}},      {{1, 40, 7, 5}, {17, 40, 3, 2}, 1, 2, 1, {0, 1, 2, 0}},
      {{1, 150, 4, 4}, {20, 150, 3, 3}, 1, 1, 1, {1, 1, 1, 1}}, {{2, 24, 9, 9}, {24, 1, 3, 3}, 24, 2, 1, {1, 1, 1, 1}},
      {{1, 12, 8, 6}, {18, 4, 3, 3}, 3, 1, 2, {2, 2, 2, 2}},    {{1, 300, 1, 1}, {9, 300, 1, 1}}};
  for (const ConvCase& c : cases) {
    expect_exact_conv<std::uint8_t, std::int8_t>(c, {}, true);
    expect_exact_conv<std::uint8_t, std::uint8_t>(c, Tensor::scalar<std::uint8_t>(120), false);
    expect_exact_conv<std::int8_t, std::int8_t>(c, random_bytes<std::int8_t>({c.w[0]}, 6), false);
  }
}

TEST(Dynamic, QuantizesByTheRangeOfTheInput) {
  for (const auto& [low, high] :
       {std::pair(-1.0F, 3.0F), std::pair(0.5F, 2.0F), std::pair(-2.0F, -1.0F), std::pair(0.0F, 0.0F)}) {
    test::Builder builder;
    ir::Node node;
    node.op_type = "DynamicQuantizeLinear";
    node.inputs = {builder.input("x", Shape::of({3, 7}))};
    for (const char* name : {"y", "scale", "zero"}) node.outputs.push_back(builder.model.graph.add_value(name));
    const std::vector<ValueId> outputs = node.outputs;
    builder.model.graph.add_node(node);
    builder.finish(outputs);
    test::expect_like_reference(builder.model, {{"x", test::random_tensor({3, 7}, 11, low, high)}}, 0);
  }
}

/// x → DynamicQuantizeLinear → MatMulInteger → Cast → Mul: what dynamic quantizers write.
TEST(Dynamic, TheWholePatternRuns) {
  test::Builder b;
  ir::Node node;
  node.op_type = "DynamicQuantizeLinear";
  node.inputs = {b.input("x", Shape::of({6, 20}))};
  for (const char* name : {"q", "scale", "zero"}) node.outputs.push_back(b.model.graph.add_value(name));
  const std::vector<ValueId> q = node.outputs;
  b.model.graph.add_node(node);
  const ValueId product = b.node("MatMulInteger", {q[0], b.constant(random_bytes<std::int8_t>({20, 8}, 2), "w"), q[2]});
  const ValueId real = b.node("Cast", {product}, {{"to", std::int64_t{1}}});
  b.finish({b.node("Mul", {real, b.node("Mul", {q[1], b.weight({8}, 0.01F, 0.02F)})}, {}, "y")});
  test::expect_like_reference(b.model, {{"x", test::random_tensor({6, 20}, 12)}});
}

}  // namespace
}  // namespace pare
