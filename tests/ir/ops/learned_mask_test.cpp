// The operators of learned masks against the papers' formulas, written out.
#include "ir/learned_masks.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
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

ir::Model mask_node(const std::string& type, const std::vector<Tensor>& inputs) {
  std::vector<std::pair<DType, ir::Shape>> types;
  for (const Tensor& tensor : inputs) types.emplace_back(tensor.dtype(), ir::Shape::of(tensor.dims()));
  ir::Model model = one_node(type, 17, types);
  model.opsets["pare"] = 1;
  model.graph.node(model.graph.nodes()[0]).domain = "pare";
  return model;
}

Tensor run(const std::string& type, const std::vector<Tensor>& inputs) {
  NamedTensors named;
  for (std::size_t i = 0; i < inputs.size(); ++i) named["x" + std::to_string(i)] = inputs[i];
  return ir::evaluate(mask_node(type, inputs), named).at("y0");
}

std::string refused(const std::string& type, const std::vector<Tensor>& inputs) {
  ir::Model model = mask_node(type, inputs);
  try {
    ir::infer_shapes(model);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(LearnedMasks, MovementMaskTakesTheMaskOnly) {
  const Tensor w = Tensor::from<float>({4}, {1, -2, 3, -4}), mask = Tensor::from<float>({4}, {1, 0, 0, 1});
  const Tensor y = run("MovementMask", {w, random({4}, 1), mask});
  EXPECT_TRUE(y.identical(Tensor::from<float>({4}, {1, 0, 0, -4})));
  EXPECT_FALSE(std::signbit(y.data<float>()[1])) << "no negative zero";
}

TEST(LearnedMasks, SoftThresholdShrinksAndZeros) {
  const Tensor w = random({3, 7}, 2), s = Tensor::from<float>({1}, {-0.4F});
  const Tensor y = run("SoftThreshold", {w, s});
  const double threshold = std::exp(-0.4) / (std::exp(-0.4) + 1);
  for (std::size_t i = 0; i < 21; ++i) {
    const double x = static_cast<double>(w.data<float>()[i]);
    const double expected = x > threshold ? x - threshold : x < -threshold ? x + threshold : 0;
    EXPECT_NEAR(y.data<float>()[i], expected, 1e-6);
    EXPECT_FALSE(y.data<float>()[i] == 0 && std::signbit(y.data<float>()[i]));
  }
}

TEST(LearnedMasks, HardConcreteIsThePapersGate) {
  const Tensor w = random({2, 3}, 3), one_each = Tensor::from<float>({2, 3}, {-5, -2.5F, -2.3F, 0, 2.3F, 2.5F});
  const Tensor y = run("HardConcrete", {w, one_each});
  for (std::size_t i = 0; i < 6; ++i) {
    const double alpha = std::exp(static_cast<double>(one_each.data<float>()[i]));
    const double gate = std::min(1.0, std::max(0.0, alpha / (1 + alpha) * 1.2 - 0.1));
    EXPECT_NEAR(y.data<float>()[i], static_cast<double>(w.data<float>()[i]) * gate, 1e-6);
  }
  EXPECT_EQ(y.data<float>()[1], 0) << "shut below log(1/11) = -2.398";
  EXPECT_NE(y.data<float>()[2], 0);
  EXPECT_EQ(y.data<float>()[5], w.data<float>()[5]) << "open above 2.398";
}

TEST(LearnedMasks, AGateForEachRowOrColumn) {
  const Tensor w = random({2, 3}, 4);
  const Tensor rows = run("HardConcrete", {w, Tensor::from<float>({2, 1}, {-9, 9})});
  const Tensor columns = run("HardConcrete", {w, Tensor::from<float>({1, 3}, {9, -9, 9})});
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(rows.data<float>()[i], i < 3 ? 0 : w.data<float>()[i]);
    EXPECT_EQ(columns.data<float>()[i], i % 3 == 1 ? 0 : w.data<float>()[i]);
  }
}

TEST(LearnedMasks, TheChanceToBeOpenIsThatOfTheDistribution) {
  // A gate is shut where s(ζ − γ) + γ ≤ 0 with s = sigmoid((log u − log(1 − u) + log α)/β), u uniform.
  Rng rng(5, kRngTest);
  for (const double log_alpha : {-2.0, 0.0, 1.5}) {
    int open = 0;
    for (int i = 0; i < 20000; ++i) {
      const double u = rng.uniform();
      const double s = 1 / (1 + std::exp(-(std::log(u) - std::log(1 - u) + log_alpha) / (2.0 / 3)));
      open += s * 1.2 - 0.1 > 0;
    }
    EXPECT_NEAR(ir::concrete_open(log_alpha), open / 20000.0, 0.015);  // four standard errors
  }
}

TEST(LearnedMasks, BadNodesAreNamed) {
  const Tensor w = random({2, 3}, 6), other = random({3, 2}, 7), one = Tensor::from<float>({1}, {0});
  EXPECT_EQ(refused("MovementMask", {w, w, w}), "");
  EXPECT_NE(refused("MovementMask", {w, other, w}).find("another shape"), std::string::npos);
  EXPECT_NE(refused("SoftThreshold", {w, w}).find("no single number"), std::string::npos);
  EXPECT_NE(refused("HardConcrete", {w, other}).find("does not broadcast"), std::string::npos);
  EXPECT_NE(refused("HardConcrete", {w, one}).find("does not broadcast"), std::string::npos);
  EXPECT_NE(refused("SoftThreshold", {w, Tensor::from<std::int8_t>({1}, {0})}).find("float32"), std::string::npos);
}

}  // namespace
}  // namespace pare::testing
