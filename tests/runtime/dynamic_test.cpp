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
