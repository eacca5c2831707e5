// FakeQuantize of every scheme against its paper's formula, and against QuantizeLinear → DequantizeLinear.
#include "ir/fake_quantize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "ir/node_tests.h"
#include "ir/op_case.h"
#include "pare/error.h"

namespace pare::testing {
namespace {

using Attributes = std::map<std::string, ir::AttributeValue>;

Tensor random(Dims dims, std::uint64_t seed, float scale = 1) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  Rng rng(seed, kRngTest);
  for (float& x : tensor.mutable_data<float>()) x = scale * static_cast<float>(rng.normal());
  return tensor;
}

ir::Model fake_quantize(const std::vector<Tensor>& inputs, const Attributes& attributes) {
  std::vector<std::pair<DType, ir::Shape>> types;
  for (const Tensor& tensor : inputs) types.emplace_back(tensor.dtype(), ir::Shape::of(tensor.dims()));
  ir::Model model = one_node("FakeQuantize", 17, types, attributes, 2);
  model.opsets["pare"] = 1;
  model.graph.node(model.graph.nodes()[0]).domain = "pare";
  return model;
}

NamedTensors run(const std::vector<Tensor>& inputs, const Attributes& attributes) {
  NamedTensors named;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined()) named["x" + std::to_string(i)] = inputs[i];
  return ir::evaluate(fake_quantize(inputs, attributes), named);
}

std::int64_t whole(std::int64_t value) { return value; }

TEST(FakeQuantize, LearnedStepsRoundAsQuantizeLinear) {
  const Tensor x = random({3, 4, 5}, 1), scale = Tensor::from<float>({3}, {0.01F, 0.2F, 0.7F});
  const Tensor zero = Tensor::from<std::int8_t>({3}, {0, 0, 0});
  const Attributes axis = {{"axis", whole(0)}};
  const Tensor q = run_one("QuantizeLinear", 17, {x, scale, zero}, axis);
  const Tensor expected = run_one("DequantizeLinear", 17, {q, scale, zero}, axis);
  const NamedTensors got = run({x, scale}, {{"low", whole(-128)}, {"high", whole(127)}, {"axis", whole(0)}});
  EXPECT_TRUE(got.at("y0").identical(expected));
  EXPECT_TRUE(got.at("y1").identical(scale));
}

TEST(FakeQuantize, AnOffsetIsAZeroPoint) {
  const Tensor x = random({40}, 2), scale = Tensor::from<float>({1}, {0.1F}),
               offset = Tensor::from<float>({1}, {-0.67F});
  const Tensor zero = Tensor::from<std::uint8_t>({1}, {7});                                      // round(0.67 / 0.1)
  const Tensor clipped = run_one("Clip", 17, {x, Tensor::scalar(-0.7F), Tensor::scalar(0.8F)});  // 0 to 15
  const Tensor q = run_one("QuantizeLinear", 17, {clipped, scale, zero}, {{"axis", whole(0)}});
  const Tensor expected = run_one("DequantizeLinear", 17, {q, scale, zero}, {{"axis", whole(0)}});
  EXPECT_TRUE(run({x, scale, offset}, {{"low", whole(0)}, {"high", whole(15)}}).at("y0").identical(expected));
}

TEST(FakeQuantize, PactClipsAtAlpha) {
  const Tensor x = random({50}, 3, 2), alpha = Tensor::from<float>({1}, {1.5F});
  const NamedTensors got = run({x, alpha}, {{"scheme", std::string("pact")}, {"low", whole(0)}, {"high", whole(7)}});
  for (std::size_t i = 0; i < 50; ++i) {
    const double v = static_cast<double>(x.data<float>()[i]), y = 0.5 * (std::fabs(v) - std::fabs(v - 1.5) + 1.5);
    EXPECT_NEAR(got.at("y0").data<float>()[i], std::nearbyint(y * 7 / 1.5) * 1.5 / 7, 1e-6);
  }
}

TEST(FakeQuantize, DorefaIsEvenlySpacedAfterTanh) {
  const Tensor w = random({4, 6}, 4);
  const NamedTensors got = run({w, Tensor::from<float>({1}, {1})},
                               {{"scheme", std::string("dorefa")}, {"low", whole(-7)}, {"high", whole(7)}});
  double largest = 0;
  for (const float value : w.data<float>())
    largest = std::max(largest, std::fabs(std::tanh(static_cast<double>(value))));
  for (std::size_t i = 0; i < 24; ++i) {
    const double unit = std::tanh(static_cast<double>(w.data<float>()[i])) / (2 * largest) + 0.5;
    EXPECT_NEAR(got.at("y0").data<float>()[i], 2 * std::nearbyint(unit * 7) / 7 - 1, 1e-6);
  }
}

TEST(FakeQuantize, BinaryAndTernaryByChannel) {
  const Tensor w = Tensor::from<float>({2, 4}, {1, -2, 3, -4, 0, 0.1F, -0.1F, 1});
  const Attributes axis = {
      {"scheme", std::string("binary")}, {"low", whole(-1)}, {"high", whole(1)}, {"axis", whole(0)}};
  const NamedTensors signs = run({w}, axis);
  EXPECT_EQ(difference(Tensor::from<float>({2, 4}, {2.5F, -2.5F, 2.5F, -2.5F, 0, 0.4F, -0.4F, 0.4F}), signs.at("y0")),
            "");
  Attributes ternary = axis;
  ternary["scheme"] = std::string("ternary");
  // Thresholds 0.7 · 2.5 = 1.75 and 0.7 · 0.4 = 0.28 (the zero counts in no mean).
  EXPECT_EQ(difference(Tensor::from<float>({2, 4}, {0, -3, 3, -3, 0, 0, 0, 1}), run({w}, ternary).at("y0")), "");
  EXPECT_EQ(difference(Tensor::from<float>({2}, {3, 1}), run({w}, ternary).at("y1")), "");
}

TEST(FakeQuantize, ZeroStaysZeroInEveryScheme) {
  const Tensor w = Tensor::from<float>({1, 4}, {0.3F, 0, -0.2F, 0}), one = Tensor::from<float>({1}, {0.5F});
  for (const char* scheme : {"lsq", "pact", "dorefa", "binary", "ternary"}) {
    const bool derived = ir::derives_scale(*ir::find_fake_scheme(scheme));
    const std::vector<Tensor> inputs = derived ? std::vector<Tensor>{w} : std::vector<Tensor>{w, one};
    const NamedTensors got = run(inputs, {{"scheme", std::string(scheme)}, {"low", whole(-3)}, {"high", whole(3)}});
    EXPECT_EQ(got.at("y0").data<float>()[1], 0) << scheme;
    EXPECT_EQ(got.at("y0").data<float>()[3], 0) << scheme;
  }
}

TEST(FakeQuantize, BadNodesAreNamed) {
  const Tensor x = random({2, 3}, 1), one = Tensor::from<float>({1}, {1}), two = Tensor::from<float>({2}, {1, 1});
  const auto refused = [](const std::vector<Tensor>& inputs, const Attributes& attributes) {
    ir::Model model = fake_quantize(inputs, attributes);
    try {
      ir::infer_shapes(model);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(refused({x, one}, {{"scheme", std::string("lsb")}}).find("lsq"), std::string::npos);
  EXPECT_NE(refused({x, one}, {{"low", whole(3)}}).find("around 0"), std::string::npos);
  EXPECT_NE(refused({x, one}, {{"axis", whole(2)}}).find("axis"), std::string::npos);
  EXPECT_NE(refused({x, two}, {}).find("scales"), std::string::npos);
  EXPECT_NE(refused({x}, {}).find("needs a scale"), std::string::npos);
  EXPECT_NE(refused({x, one}, {{"scheme", std::string("binary")}}).find("no scale"), std::string::npos);
  EXPECT_EQ(refused({x, two}, {{"axis", whole(0)}}), "");
}

}  // namespace
}  // namespace pare::testing
