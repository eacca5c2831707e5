// FakeQuantize in the trainer: the values of the reference, the gradients of the papers, literally.
#include "ir/fake_quantize.h"

#include <cmath>

#include "train/fixture.h"

namespace pare::train {
namespace {

using Attributes = std::vector<std::pair<std::string, ir::AttributeValue>>;

Attributes grid(const std::string& scheme, std::int64_t low, std::int64_t high, std::int64_t axis = -1,
                bool activation = false) {
  Attributes attributes = {{"scheme", scheme}, {"low", low}, {"high", high}, {"axis", axis}};
  if (activation) attributes.emplace_back("activation", std::int64_t{1});
  return attributes;
}

/// x [batch, 6] · FQ(w) [6, 5] + probe → logits. The gradient of `probe`, one number for every logit, is ∂L/∂logits.
ir::Model weight_model(const Tensor& w, const Tensor& scale, const Attributes& attributes) {
  Builder b;
  b.input("x", {8, 6}).constant("w", w).constant("probe", Tensor(DType::kFloat32, {8, 5}));
  std::vector<std::string> inputs = {"w"};
  if (scale.defined()) {
    b.constant("s", scale);
    inputs.emplace_back("s");
  }
  b.node("pare.FakeQuantize", inputs, {"rounded", "step"}, attributes);
  b.node("MatMul", {"x", "rounded"}, {"y"}).node("Add", {"y", "probe"}, {"logits"});
  return b.build({"logits"});
}

/// x [8, 5] + shift → FQ → + probe → logits.
ir::Model activation_model(const std::vector<std::pair<std::string, Tensor>>& given, const Attributes& attributes) {
  Builder b;
  b.input("x", {8, 5}).constant("one", Tensor::from<float>({5, 5}, [] {
                                  std::vector<float> eye(25, 0);
                                  for (std::size_t i = 0; i < 5; ++i) eye[6 * i] = 1;
                                  return eye;
                                }()));
  b.constant("probe", Tensor(DType::kFloat32, {8, 5}));
  std::vector<std::string> inputs = {"h"};
  for (const auto& [name, tensor] : given) {
    b.constant(name, tensor);
    inputs.push_back(name);
  }
  b.node("MatMul", {"x", "one"}, {"h"}).node("pare.FakeQuantize", inputs, {"y", "step"}, attributes);
  b.node("Add", {"y", "probe"}, {"logits"});
  return b.build({"logits"});
}

std::vector<double> doubles(const Tensor& tensor) { return {tensor.data<float>().begin(), tensor.data<float>().end()}; }

/// ∂L/∂rounded [6, 5] = xᵀ · ∂L/∂logits.
std::vector<double> weight_gradient(const data::Batch& batch, const Tensor& probe) {
  std::vector<double> out(30, 0);
  const auto x = batch.inputs.at("x").data<float>(), g = probe.data<float>();
  for (std::size_t n = 0; n < 8; ++n)
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t o = 0; o < 5; ++o)
        out[5 * i + o] += static_cast<double>(x[6 * n + i]) * static_cast<double>(g[5 * n + o]);
  return out;
}

/// Esser et al. 2020, equation 3.
double lsq_slope(double v, double s, double low, double high) {
  if (v / s <= low) return low;
  if (v / s >= high) return high;
  return -v / s + std::nearbyint(v / s);
}

TEST(FakeQuantize, ForwardIsTheReferencesInEveryScheme) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1), one = Tensor::from<float>({1}, {0.2F}),
               five = random_tensor({5}, 2, 0.03F, 0.3F), six = random_tensor({6}, 3, 0.03F, 0.3F);
  const std::vector<std::pair<Tensor, Attributes>> cases = {
      {one, grid("lsq", -8, 7)},      {five, grid("lsq", -2, 1, 1)},   {six, grid("lsq", -127, 127, 0)},
      {one, grid("fixed", -9, 9)},    {one, grid("dorefa", -7, 7)},    {five, grid("dorefa", -3, 3, 1)},
      {{}, grid("binary", -1, 1, 1)}, {{}, grid("ternary", -1, 1, 1)}, {{}, grid("ternary", -1, 1)},
      {{}, grid("binary", -1, 1)},    {one, grid("pact", 0, 15)}};
  for (const auto& [scale, attributes] : cases) {
    const ir::Model model = weight_model(w, scale, attributes);
    const Tensor expected = ir::evaluate(model, batch.inputs).at("logits");
    const Tensor got = factory().create(model, nullptr, plain_options())->forward(batch.inputs).at("logits");
    for (std::size_t i = 0; i < 40; ++i)
      EXPECT_NEAR(got.data<float>()[i], expected.data<float>()[i], 2e-6)
          << std::get<std::string>(attributes[0].second) << " " << i;
  }
}

TEST(FakeQuantize, RoundsEveryElementAsTheReference) {
  // Whole tensors, over the edge of what one thread takes, halves and saturation among them.
  Builder b;
  b.free_input("x", "batch", {3, 200, 150}).constant("s", Tensor::from<float>({1}, {0.25F}));
  b.constant("o", Tensor::from<float>({1}, {-1.1F}));
  b.node("pare.FakeQuantize", {"x", "s", "o"}, {"y"}, grid("lsq", 0, 15, -1, true));
  b.node("Flatten", {"y"}, {"out"});
  const ir::Model model = b.build({"out"});
  Tensor x = random_tensor({2, 3, 200, 150}, 5, 2);
  for (std::size_t i = 0; i < 1000; ++i) x.mutable_data<float>()[7 * i] = 0.125F * static_cast<float>(i % 40) - 2;
  const NamedTensors inputs = {{"x", x}};
  exec::TrainerOptions options = plain_options();
  options.threads = 2;
  EXPECT_TRUE(factory()
                  .create(model, nullptr, options)
                  ->forward(inputs)
                  .at("out")
                  .identical(ir::evaluate(model, inputs).at("out")));
}

TEST(FakeQuantize, LsqGradientsOfWeightsByChannel) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1), s = random_tensor({5}, 2, 0.05F, 0.4F);
  const auto trainer = factory().create(weight_model(w, s, grid("lsq", -2, 1, 1)), nullptr, plain_options());
  EXPECT_EQ(trainer->parameters(), (std::vector<std::string>{"w", "s", "probe"}));
  const NamedTensors got = trainer->gradients(batch);
  const std::vector<double> g = weight_gradient(batch, got.at("probe")), weights = doubles(w), scales = doubles(s);
  std::vector<double> expected(5, 0);
  int saturated = 0;
  for (std::size_t i = 0; i < 30; ++i) {
    const double v = weights[i], scale = scales[i % 5];
    expected[i % 5] += g[i] * lsq_slope(v, scale, -2, 1) / std::sqrt(6.0 * 1.0);  // N = 6 weights, Qp = 1
    const bool inside = v / scale > -2 && v / scale < 1;
    saturated += inside ? 0 : 1;
    EXPECT_NEAR(got.at("w").data<float>()[i], inside ? g[i] : 0, 1e-6) << i;
  }
  EXPECT_TRUE(saturated > 3 && saturated < 27) << saturated;
  for (std::size_t c = 0; c < 5; ++c) EXPECT_NEAR(got.at("s").data<float>()[c], expected[c], 1e-6) << c;
}

TEST(FakeQuantize, LsqPlusGradientsOfActivations) {
  const data::Batch batch = batch_for({8, 5}, 5);
  const double s = 0.3F, beta = -0.7F, z = 2;  // round(0.7 / 0.3)
  const auto trainer = factory().create(
      activation_model({{"s", Tensor::from<float>({1}, {0.3F})}, {"o", Tensor::from<float>({1}, {-0.7F})}},
                       grid("lsq", 0, 3, -1, true)),
      nullptr, plain_options());
  const NamedTensors got = trainer->gradients(batch);
  const auto x = batch.inputs.at("x").data<float>(), g = got.at("probe").data<float>();
  double scale = 0, offset = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    // Bhalgat et al. 2020, equations 4 and 5, with β on the grid: β = −z·s.
    const double shifted = static_cast<double>(x[i]) + z * s;
    scale += static_cast<double>(g[i]) * lsq_slope(shifted, s, 0, 3);
    offset += shifted / s <= 0 || shifted / s >= 3 ? static_cast<double>(g[i]) : 0;
  }
  const double factor = 1 / std::sqrt(5.0 * 3.0);  // five features of a sample, Qp = 3
  EXPECT_NEAR(got.at("s").data<float>()[0], scale * factor, 1e-6) << beta;
  EXPECT_NEAR(got.at("o").data<float>()[0], offset * factor, 1e-6);
}

/// Where every value saturates nothing is rounded: the gradient is the derivative.
TEST(FakeQuantize, SaturatedStepsMatchCentralDifferences) {
  const data::Batch batch = batch_for({8, 6}, 5);
  Tensor w = random_tensor({6, 5}, 1);
  for (float& value : w.mutable_data<float>()) value += value > 0 ? 3.0F : -3.0F;
  const auto trainer =
      factory().create(weight_model(w, Tensor::from<float>({1}, {0.5F}), grid("lsq", -2, 1)), nullptr, plain_options());
  const double got = static_cast<double>(trainer->gradients(batch).at("s").data<float>()[0]) * std::sqrt(30.0);
  double loss[2];
  for (int side = 0; side < 2; ++side) {
    trainer->set_parameter("s", Tensor::from<float>({1}, {0.5F + (side == 0 ? -1e-3F : 1e-3F)}));
    loss[side] = trainer->evaluate(batch).loss;
  }
  EXPECT_NEAR(got, (loss[1] - loss[0]) / 2e-3, 1e-3 * std::fabs(got) + 1e-4);
}

TEST(FakeQuantize, PactGradientOfTheClippingPoint) {
  const data::Batch batch = batch_for({8, 5}, 5);
  const auto trainer =
      factory().create(activation_model({{"alpha", Tensor::from<float>({1}, {0.6F})}}, grid("pact", 0, 3, -1, true)),
                       nullptr, plain_options());
  const NamedTensors got = trainer->gradients(batch);
  const auto x = batch.inputs.at("x").data<float>(), g = got.at("probe").data<float>();
  double expected = 0;
  for (std::size_t i = 0; i < 40; ++i) expected += x[i] >= 0.6F ? static_cast<double>(g[i]) : 0;  // equation 3
  EXPECT_NEAR(got.at("alpha").data<float>()[0], expected, 1e-6);
}

TEST(FakeQuantize, BinaryGradientsByTheProductRule) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1);
  const auto trainer = factory().create(weight_model(w, {}, grid("binary", -1, 1, 1)), nullptr, plain_options());
  EXPECT_EQ(trainer->parameters(), (std::vector<std::string>{"w", "probe"}));
  const NamedTensors got = trainer->gradients(batch);
  const std::vector<double> g = weight_gradient(batch, got.at("probe")), weights = doubles(w);
  for (std::size_t c = 0; c < 5; ++c) {
    double mean = 0, shared = 0;
    for (std::size_t i = c; i < 30; i += 5) {
      mean += std::fabs(weights[i]) / 6;
      shared += g[i] * (weights[i] > 0 ? 1 : -1) / 6;
    }
    for (std::size_t i = c; i < 30; i += 5) {
      const double sign = weights[i] > 0 ? 1 : -1;
      EXPECT_NEAR(got.at("w").data<float>()[i], shared * sign + (std::fabs(weights[i]) <= 1 ? g[i] * mean : 0), 1e-6)
          << i;
    }
  }
}

TEST(FakeQuantize, TernaryGradientsPassUnchanged) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const auto trainer =
      factory().create(weight_model(random_tensor({6, 5}, 1), {}, grid("ternary", -1, 1, 1)), nullptr, plain_options());
  const NamedTensors got = trainer->gradients(batch);
  const std::vector<double> g = weight_gradient(batch, got.at("probe"));
  for (std::size_t i = 0; i < 30; ++i) EXPECT_NEAR(got.at("w").data<float>()[i], g[i], 1e-6) << i;
}

TEST(FakeQuantize, DorefaGradientsGoThroughTanhAndItsLargest) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1);
  const auto trainer = factory().create(weight_model(w, Tensor::from<float>({1}, {0.8F}), grid("dorefa", -3, 3)),
                                        nullptr, plain_options());
  const NamedTensors got = trainer->gradients(batch);
  const std::vector<double> g = weight_gradient(batch, got.at("probe")), weights = doubles(w);
  std::size_t top = 0;
  std::vector<double> bent;
  for (const double value : weights) bent.push_back(std::tanh(value));
  for (std::size_t i = 0; i < 30; ++i)
    if (std::fabs(bent[i]) > std::fabs(bent[top])) top = i;
  const double m = std::fabs(bent[top]), sign = bent[top] > 0 ? 1 : -1;
  double through_largest = 0, scale = 0;
  for (std::size_t i = 0; i < 30; ++i) {
    through_largest += g[i] * 0.8 * -bent[i] / (m * m) * sign * (1 - bent[top] * bent[top]);
    scale += g[i] * (2 * std::nearbyint((bent[i] / (2 * m) + 0.5) * 3) - 3) / 3;
  }
  for (std::size_t i = 0; i < 30; ++i)
    EXPECT_NEAR(got.at("w").data<float>()[i],
                g[i] * 0.8 * (1 - bent[i] * bent[i]) / m + (i == top ? through_largest : 0), 2e-6)
        << i;
  EXPECT_NEAR(got.at("s").data<float>()[0], scale / std::sqrt(30.0 * 3.0), 1e-6);
}

TEST(FakeQuantize, FixedStepsAreNotLearned) {
  const auto trainer =
      factory().create(weight_model(random_tensor({6, 5}, 1), Tensor::from<float>({1}, {0.1F}), grid("fixed", -99, 99)),
                       nullptr, plain_options());
  const data::Batch batch = batch_for({8, 6}, 5);
  const NamedTensors got = trainer->gradients(batch);
  EXPECT_EQ(got.at("s").data<float>()[0], 0);
  const std::vector<double> g = weight_gradient(batch, got.at("probe"));
  for (std::size_t i = 0; i < 30; ++i) EXPECT_NEAR(got.at("w").data<float>()[i], g[i], 1e-6) << i;
}

TEST(FakeQuantize, ConvolutionWeightsInAnyLayout) {
  // Weights of convolutions lie channels-last in the trainer.
  Builder b;
  b.input("x", {4, 3, 5, 5})
      .constant("w", random_tensor({4, 3, 3, 3}, 1))
      .constant("s", random_tensor({4}, 2, 0.05F, 0.3F));
  b.node("pare.FakeQuantize", {"w", "s"}, {"rounded", "step"}, grid("lsq", -4, 3, 0))
      .node("Conv", {"x", "rounded"}, {"c"});
  b.node("GlobalAveragePool", {"c"}, {"p"}).node("Flatten", {"p"}, {"logits"});
  const ir::Model model = b.build({"logits"});
  const data::Batch batch = batch_for({4, 3, 5, 5}, 4);
  exec::TrainerOptions options = plain_options();
  options.threads = 2;
  const auto trainer = factory().create(model, nullptr, options);
  const Tensor got = trainer->forward(batch.inputs).at("logits"),
               expected = ir::evaluate(model, batch.inputs).at("logits");
  for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(got.data<float>()[i], expected.data<float>()[i], 2e-6);
  trainer->step(batch, 0.1);
  EXPECT_FALSE(trainer->parameter("s").identical(random_tensor({4}, 2, 0.05F, 0.3F)));
}

TEST(UpdateRule, RateZeroKeepsAParameterAndItsNormOut) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1), s = Tensor::from<float>({1}, {0.3F});
  exec::TrainerOptions options = plain_options();
  options.optimizer.momentum = 0.9;
  const auto trainer = factory().create(weight_model(w, s, grid("lsq", -2, 1)), nullptr, options);
  const double all = trainer->step(batch, 0).gradient_norm;
  trainer->set_update_rule("s", {.rate = 0, .decay = {}});
  EXPECT_LT(trainer->step(batch, 0.1).gradient_norm, all);
  EXPECT_TRUE(trainer->parameter("s").identical(s));
  EXPECT_FALSE(trainer->parameter("w").identical(w));
  trainer->set_update_rule("s", {});
  trainer->step(batch, 0.1);
  EXPECT_FALSE(trainer->parameter("s").identical(s));
  EXPECT_EQ(thrown_by([&] { trainer->set_update_rule("t", {}); }).code(), ErrorCode::kBadInput);
}

TEST(UpdateRule, DecayAndRateOfOneParameter) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor s = Tensor::from<float>({1}, {0.3F});
  const auto plain =
      factory().create(weight_model(random_tensor({6, 5}, 1), s, grid("lsq", -2, 1)), nullptr, plain_options());
  const auto ruled =
      factory().create(weight_model(random_tensor({6, 5}, 1), s, grid("lsq", -2, 1)), nullptr, plain_options());
  ruled->set_update_rule("s", {.rate = 0.5, .decay = 0.2});
  plain->step(batch, 0.1);
  ruled->step(batch, 0.1);
  const float moved = 0.3F - plain->parameter("s").data<float>()[0];
  EXPECT_NEAR(ruled->parameter("s").data<float>()[0], 0.3F - 0.5F * (moved + 0.1F * 0.2F * 0.3F), 1e-6);
}

TEST(FakeQuantize, AResumedTrainingTakesTheSameWay) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const ir::Model model =
      weight_model(random_tensor({6, 5}, 1), random_tensor({5}, 2, 0.05F, 0.4F), grid("lsq", -2, 1, 1));
  exec::TrainerOptions options = plain_options();
  options.optimizer.momentum = 0.9;
  const auto whole = factory().create(model, nullptr, options), first = factory().create(model, nullptr, options),
             second = factory().create(model, nullptr, options);
  for (int i = 0; i < 6; ++i) whole->step(batch, 0.1);
  for (int i = 0; i < 3; ++i) first->step(batch, 0.1);
  second->load_state(first->save_state());
  for (int i = 0; i < 3; ++i) second->step(batch, 0.1);
  expect_identical(*whole, *second);
}

/// As cluster-preserving training has it: w = centroids[members] is rounded, and the gradients of a cluster meet in its value.
TEST(FakeQuantize, AClustersGradientIsTheSumOfItsWeights) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor centroids = Tensor::from<float>({4}, {-0.6F, 0, 0.35F, 0.9F}), steps = random_tensor({5}, 2, 0.03F, 0.3F);
  std::vector<std::int64_t> members;
  Tensor w(DType::kFloat32, {6, 5});
  for (std::size_t i = 0; i < 30; ++i) {
    members.push_back(static_cast<std::int64_t>(i * 7 % 4));
    w.mutable_data<float>()[i] = centroids.data<float>()[i * 7 % 4];
  }
  const NamedTensors plain =
      factory().create(weight_model(w, steps, grid("lsq", -2, 1, 1)), nullptr, plain_options())->gradients(batch);
  Builder b;
  b.input("x", {8, 6}).constant("centroids", centroids).constant("s", steps);
  b.constant("members", Tensor::from<std::int64_t>({6, 5}, members)).constant("probe", Tensor(DType::kFloat32, {8, 5}));
  b.node("Gather", {"centroids", "members"}, {"w"}, {{"axis", std::int64_t{0}}});
  b.node("pare.FakeQuantize", {"w", "s"}, {"rounded", "step"}, grid("lsq", -2, 1, 1));
  b.node("MatMul", {"x", "rounded"}, {"y"}).node("Add", {"y", "probe"}, {"logits"});
  const auto trainer = factory().create(b.build({"logits"}), nullptr, plain_options());
  const NamedTensors shared = trainer->gradients(batch);
  for (std::size_t c = 0; c < 4; ++c) {
    double sum = 0;
    for (std::size_t i = 0; i < 30; ++i)
      if (members[i] == static_cast<std::int64_t>(c)) sum += static_cast<double>(plain.at("w").data<float>()[i]);
    EXPECT_NEAR(static_cast<double>(shared.at("centroids").data<float>()[c]), sum, 1e-6) << c;
  }
}

}  // namespace
}  // namespace pare::train
