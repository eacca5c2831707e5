// Learned masks in the trainer: the values of the reference, the gradients of the papers, literally.
#include "ir/learned_masks.h"

#include <cmath>

#include "train/fixture.h"

namespace pare::train {
namespace {

using Attributes = std::vector<std::pair<std::string, ir::AttributeValue>>;
using Given = std::vector<std::pair<std::string, Tensor>>;

/// x [8, 6] · mask(w) [6, 5] + probe → logits. The gradient of `probe`, one number for every logit, is ∂L/∂logits.
ir::Model masked_model(const std::string& op, const Tensor& w, const Given& latents, const Attributes& attributes = {}) {
  Builder b;
  b.input("x", {8, 6}).constant("w", w).constant("probe", Tensor(DType::kFloat32, {8, 5}));
  std::vector<std::string> inputs = {"w"};
  for (const auto& [name, tensor] : latents) {
    b.constant(name, tensor);
    inputs.push_back(name);
  }
  b.node("pare." + op, inputs, {"masked"}, attributes);
  b.node("MatMul", {"x", "masked"}, {"y"}).node("Add", {"y", "probe"}, {"logits"});
  return b.build({"logits"});
}

/// ∂L/∂masked [6, 5] = xᵀ · ∂L/∂logits.
std::vector<double> weight_gradient(const data::Batch& batch, std::span<const float> probe) {
  std::vector<double> out(30, 0);
  const auto x = batch.inputs.at("x").data<float>();
  for (std::size_t n = 0; n < 8; ++n)
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t o = 0; o < 5; ++o)
        out[5 * i + o] += static_cast<double>(x[6 * n + i]) * static_cast<double>(probe[5 * n + o]);
  return out;
}

double at(const Tensor& tensor, std::size_t i) { return static_cast<double>(tensor.data<float>()[i]); }

Tensor alternating() {
  Tensor mask(DType::kFloat32, {6, 5});
  for (std::size_t i = 0; i < 30; ++i) mask.mutable_data<float>()[i] = i % 3 == 0 ? 0.0F : 1.0F;
  return mask;
}

TEST(LearnedMask, ForwardIsTheReferences) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1);
  const std::vector<std::pair<std::string, Given>> cases = {
      {"MovementMask", {{"scores", random_tensor({6, 5}, 2)}, {"mask", alternating()}}},
      {"SoftThreshold", {{"s", Tensor::from<float>({1}, {-0.5F})}}},
      {"HardConcrete", {{"a", random_tensor({6, 5}, 3, 3)}}},
      {"HardConcrete", {{"a", random_tensor({1, 5}, 4, 3)}}}};
  for (const auto& [op, latents] : cases) {
    const ir::Model model = masked_model(op, w, latents);
    const Tensor expected = ir::evaluate(model, batch.inputs).at("logits");
    const Tensor got = factory().create(model, nullptr, plain_options())->forward(batch.inputs).at("logits");
    for (std::size_t i = 0; i < 40; ++i) EXPECT_NEAR(at(got, i), at(expected, i), 2e-6) << op << " " << i;
  }
}

TEST(LearnedMask, MovementScoresTakeTheGradientThroughTheMask) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1), mask = alternating();
  const auto trainer = factory().create(
      masked_model("MovementMask", w, {{"scores", random_tensor({6, 5}, 2)}, {"mask", mask}}), nullptr, plain_options());
  EXPECT_EQ(trainer->parameters(), (std::vector<std::string>{"w", "scores", "mask", "probe"}));
  const NamedTensors got = trainer->gradients(batch);
  const std::vector<double> g = weight_gradient(batch, got.at("probe").data<float>());
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_NEAR(at(got.at("w"), i), g[i] * at(mask, i), 1e-6) << i;
    EXPECT_NEAR(at(got.at("scores"), i), g[i] * at(w, i), 1e-6) << "of masked weights too: " << i;
    EXPECT_EQ(at(got.at("mask"), i), 0);
  }
}

TEST(LearnedMask, SoftThresholdGradients) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1);
  const auto trainer = factory().create(masked_model("SoftThreshold", w, {{"s", Tensor::from<float>({1}, {-0.5F})}}),
                                        nullptr, plain_options());
  const NamedTensors got = trainer->gradients(batch);
  const std::vector<double> g = weight_gradient(batch, got.at("probe").data<float>());
  const double threshold = 1 / (1 + std::exp(0.5));
  double sum = 0;
  int stay = 0;
  for (std::size_t i = 0; i < 30; ++i) {
    const bool above = std::fabs(at(w, i)) > threshold;
    stay += above;
    EXPECT_NEAR(at(got.at("w"), i), above ? g[i] : 0, 1e-6) << i;
    if (above) sum += g[i] * (at(w, i) > 0 ? 1 : -1);
  }
  EXPECT_TRUE(stay > 5 && stay < 28) << stay;
  EXPECT_NEAR(at(got.at("s"), 0), -threshold * (1 - threshold) * sum, 1e-6);
}

/// One step of plain SGD at rate 1 shows the gradients, and the gates that were drawn: Δw = −g·z.
void expect_gate_gradients(double penalty) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1), a = random_tensor({6, 5}, 3);
  const auto trainer = factory().create(
      masked_model("HardConcrete", w, {{"a", a}}, {{"penalty", static_cast<float>(penalty)}}), nullptr, plain_options());
  trainer->step(batch, 1);
  const Tensor moved = trainer->parameter("w"), gates = trainer->parameter("a"), probe = trainer->parameter("probe");
  std::vector<float> of_logits;
  for (const float p : probe.data<float>()) of_logits.push_back(-p);
  const std::vector<double> g = weight_gradient(batch, of_logits);
  int within = 0;
  for (std::size_t i = 0; i < 30; ++i) {
    const double z = (at(w, i) - at(moved, i)) / g[i], s = (z + 0.1) / 1.2, beta = 2.0 / 3;
    const double slope = z > 1e-3 && z < 1 - 1e-3 ? 1.2 * s * (1 - s) / beta : 0;
    within += slope > 0;
    const double open = 1 / (1 + std::exp(-(at(a, i) - beta * std::log(0.1 / 1.1))));
    EXPECT_NEAR(at(a, i) - at(gates, i), g[i] * at(w, i) * slope + penalty * open * (1 - open) / 30, 2e-4) << i;
  }
  EXPECT_GT(within, 5);
}

TEST(LearnedMask, GateGradientsWhereTheyWereDrawn) { expect_gate_gradients(0); }
TEST(LearnedMask, APriceOnOpenGates) { expect_gate_gradients(3); }

TEST(LearnedMask, GatesAreDrawnFromTheHardConcreteDistribution) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1);
  for (const float log_alpha : {-1.0F, 0.5F}) {
    Tensor a(DType::kFloat32, {6, 5});
    for (float& value : a.mutable_data<float>()) value = log_alpha;
    const auto trainer = factory().create(masked_model("HardConcrete", w, {{"a", a}}), nullptr, plain_options());
    for (const char* held : {"a", "probe"}) trainer->set_update_rule(held, {.rate = 0, .decay = {}});
    int open = 0;
    for (int step = 0; step < 60; ++step) {
      trainer->set_parameter("w", w);
      trainer->step(batch, 1);
      const Tensor moved = trainer->parameter("w");
      for (std::size_t i = 0; i < 30; ++i) open += at(moved, i) != at(w, i);
    }
    EXPECT_NEAR(open / 1800.0, ir::concrete_open(static_cast<double>(log_alpha)), 0.05);  // four standard errors
  }
}

TEST(LearnedMask, ThreadsDoNotChangeWhatIsDrawn) {
  Builder b;
  b.free_input("x", "n", {6}).constant("w", random_tensor({6, 5}, 1)).constant("a", random_tensor({6, 5}, 3));
  b.node("pare.HardConcrete", {"w", "a"}, {"masked"}, {{"penalty", 2.0F}}).node("MatMul", {"x", "masked"}, {"logits"});
  const ir::Model model = b.build({"logits"});
  std::vector<Tensor> moved;
  for (const int threads : {1, 2}) {
    exec::TrainerOptions options = plain_options();
    options.threads = threads;
    const auto trainer = factory().create(model, nullptr, options);
    trainer->step(batch_for({32, 6}, 5), 1);
    moved.push_back(trainer->parameter("a").clone());
  }
  for (std::size_t i = 0; i < 30; ++i) EXPECT_NEAR(at(moved[0], i), at(moved[1], i), 1e-5);
}

TEST(LearnedMask, AResumedTrainingTakesTheSameWay) {
  const data::Batch batch = batch_for({8, 6}, 5);
  const Tensor w = random_tensor({6, 5}, 1);
  const std::vector<ir::Model> models = {
      masked_model("MovementMask", w, {{"scores", random_tensor({6, 5}, 2)}, {"mask", alternating()}}),
      masked_model("SoftThreshold", w, {{"s", Tensor::from<float>({1}, {-0.5F})}}),
      masked_model("HardConcrete", w, {{"a", random_tensor({6, 5}, 3)}}, {{"penalty", 1.0F}})};
  exec::TrainerOptions options = plain_options();
  options.optimizer.momentum = 0.9;
  for (const ir::Model& model : models) {
    const auto whole = factory().create(model, nullptr, options), first = factory().create(model, nullptr, options),
               second = factory().create(model, nullptr, options);
    for (int i = 0; i < 6; ++i) whole->step(batch, 0.1);
    for (int i = 0; i < 3; ++i) first->step(batch, 0.1);
    second->load_state(first->save_state());
    for (int i = 0; i < 3; ++i) second->step(batch, 0.1);
    expect_identical(*whole, *second);
  }
}

}  // namespace
}  // namespace pare::train
