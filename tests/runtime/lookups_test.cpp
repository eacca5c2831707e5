// Functions of one 8-bit tensor as tables: what is folded, what is not, and that not a bit changes.
#include <cstring>
#include <functional>

#include "ir/infer.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using test::Builder;

const Dims kDims = {2, 6, 5, 7};

ir::ValueId image(Builder& b) { return b.input("x", ir::Shape::of(kDims)); }
ir::ValueId scalar(Builder& b, float value) { return b.constant(Tensor::from<float>({1, 1}, {value})); }

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.dims() == b.dims() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

/// Kernels of the plan; the result must be the reference's, bit for bit.
std::vector<std::string> kernels_of_exact(const ir::Model& model) {
  const NamedTensors inputs = {{"x", test::random_tensor(kDims, 11)}};
  const auto executor = runtime::backend().compile(model, {});
  const NamedTensors got = executor->run(inputs), want = ir::evaluate(model, inputs);
  for (const auto& [name, tensor] : want) EXPECT_TRUE(same(got.at(name), tensor)) << name;
  return test::kernels_of(*executor, {{"x", kDims}});
}

std::int64_t count(const std::vector<std::string>& kernels, const std::string& name) {
  return std::count(kernels.begin(), kernels.end(), name);
}

/// x / √2 → Erf → + 1 → · x → · ½, quantized after each step, the constants as well: as static quantizers write GELU.
ir::ValueId quantized_gelu(Builder& b, ir::ValueId x) {
  const ir::ValueId erf = b.qdq(b.node("Erf", {b.node("Div", {x, scalar(b, 1.41421356f)})}), 2 / 255.0f, 128);
  const ir::ValueId plus = b.qdq(b.node("Add", {erf, b.qdq(scalar(b, 1), 1 / 255.0f, 0)}), 2 / 255.0f, 0);
  const ir::ValueId product = b.qdq(b.node("Mul", {x, plus}), 0.02f, 20);
  return b.qdq(b.node("Mul", {product, scalar(b, 0.5f)}), 0.01f, 20);
}

TEST(Lookups, AChainOverOneTensorIsOneTable) {
  for (const DType type : {DType::kUint8, DType::kInt8}) {
    Builder b;
    const ir::ValueId x = b.qdq(image(b), 0.02f, type == DType::kUint8 ? 120 : -8, type);
    const auto kernels = kernels_of_exact(b.finish({quantized_gelu(b, x)}));
    EXPECT_EQ(count(kernels, "table_8bit"), 1);
    EXPECT_EQ(count(kernels, "binary_8bit") + count(kernels, "unary_f32"), 0);
  }
}

TEST(Lookups, AValueTimesAFunctionOfItIsOneTable) {
  Builder b;
  const ir::ValueId x = b.qdq(image(b), 0.03f, 128);
  const ir::ValueId gate = b.qdq(b.node("HardSigmoid", {x}, {{"alpha", 1 / 6.0f}}), 1 / 255.0f, 0);
  const auto kernels = kernels_of_exact(b.finish({b.qdq(b.node("Mul", {x, gate}), 0.02f, 19)}));
  EXPECT_EQ(count(kernels, "table_8bit"), 1);
  EXPECT_EQ(count(kernels, "binary_8bit"), 0);
}

TEST(Lookups, WhatIsReadBetweenStays) {
  Builder b;
  const ir::ValueId x = b.qdq(image(b), 0.03f, 128);
  const ir::ValueId gate = b.qdq(b.node("Sigmoid", {x}), 1 / 255.0f, 0);
  const ir::ValueId swish = b.qdq(b.node("Mul", {x, gate}), 0.02f, 19);
  const ir::Model& model = b.finish({swish, b.node("GlobalMaxPool", {gate})});
  EXPECT_EQ(count(kernels_of_exact(model), "table_8bit"), 2);
}

TEST(Lookups, ObservedValuesAreThoseOfTheUnfoldedGraph) {
  Builder b;
  const ir::ValueId x = b.qdq(image(b), 0.03f, 128);
  const ir::ValueId gate = b.node("Sigmoid", {x});
  const ir::Model& model = b.finish({b.qdq(b.node("Mul", {x, b.qdq(gate, 1 / 255.0f, 0)}), 0.02f, 19)});
  const std::string name = model.graph.value(gate).name;
  const NamedTensors inputs = {{"x", test::random_tensor(kDims, 11)}};
  exec::CompileOptions options;
  options.observed = {name};
  std::vector<Tensor> seen;
  const auto executor = runtime::backend().compile(model, options);
  const NamedTensors got = executor->observe(inputs, [&](const std::string&, const Tensor& tensor) {
    seen.emplace_back(tensor.dtype(), tensor.dims());
    std::copy_n(tensor.raw(), tensor.bytes(), seen.back().mutable_raw());
  });
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].dims(), kDims);
  for (const auto& [output, tensor] : ir::evaluate(model, inputs)) EXPECT_TRUE(same(got.at(output), tensor));
}

TEST(Lookups, TwoTensorsChannelsAndOtherShapesAreNoTable) {
  const auto folded = [](const std::function<ir::ValueId(Builder&, ir::ValueId)>& of) {
    Builder b;
    const ir::ValueId x = b.qdq(image(b), 0.03f, 128);
    return count(kernels_of_exact(b.finish({b.qdq(of(b, x), 0.05f, 100)})), "table_8bit");
  };
  const auto pooled = [](Builder& b, ir::ValueId x) { return b.qdq(b.node("GlobalAveragePool", {x}), 0.01f, 100); };
  EXPECT_EQ(folded([&](Builder& b, ir::ValueId x) { return b.node("Mul", {x, pooled(b, x)}); }), 0);
  EXPECT_EQ(folded([](Builder& b, ir::ValueId x) { return b.node("Add", {x, b.weight({6, 1, 1})}); }), 0);
  EXPECT_EQ(folded([](Builder& b, ir::ValueId x) {
              return b.node("Add", {x, b.constant(Tensor::from<float>({1, 1, 1, 1, 1}, {1}))});
            }),
            0);
  EXPECT_EQ(folded([](Builder& b, ir::ValueId x) { return b.node("Add", {x, x}); }), 1);
}

}  // namespace
}  // namespace pare
