// Hessian traces: exact where the Hessian is diagonal, softmax regression's formula, and second differences of the loss.
#include <cmath>

#include "exec/curvature.h"
#include "train/fixture.h"

namespace pare::train {
namespace {

std::map<std::string, double> traces_of(exec::Trainer& trainer, const data::Batch& batch, std::uint64_t probe) {
  return dynamic_cast<exec::Curvature&>(trainer).hessian_traces(batch, probe);
}

std::map<std::string, double> mean_traces(exec::Trainer& trainer, const data::Batch& batch, int probes) {
  std::map<std::string, double> mean;
  for (int probe = 0; probe < probes; ++probe)
    for (const auto& [name, trace] : traces_of(trainer, batch, static_cast<std::uint64_t>(probe)))
      mean[name] += trace / probes;
  return mean;
}

/// y = x·Wᵀ under the mean squared error, one input a sample: H is diagonal with 2/(N·C) Σ x² for each of C outputs, so that
/// every probe is exact.
TEST(HessianTraces, ADiagonalHessianIsExactWithAnySigns) {
  Builder b;
  b.input("x", {4, 3}).constant("w", random_tensor({2, 3}, 1)).node("Gemm", {"x", "w"}, {"y"}, {{"transB", std::int64_t{1}}});
  const auto trainer = factory().create(b.build({"y"}), nullptr, plain_options());
  data::Batch batch;
  batch.inputs["x"] = Tensor::from<float>({4, 3}, {1.5F, 0, 0, 0, -2, 0, 0, 0, 0.5F, 0, 3, 0});
  batch.targets = random_tensor({4, 2}, 3);
  double exact = 0;
  for (const float x : batch.inputs["x"].data<float>()) exact += 2 * 2.0 / 8 * double{x} * double{x};
  for (std::uint64_t probe = 0; probe < 3; ++probe)
    EXPECT_NEAR(traces_of(*trainer, batch, probe).at("w"), exact, 1e-5 * exact);
}

/// Softmax regression: Tr(H_W) = mean over samples of ‖x‖² Σ p(1 − p), Tr(H_b) = mean of Σ p(1 − p).
TEST(HessianTraces, SoftmaxRegressionByItsFormula) {
  constexpr std::int64_t kSamples = 8, kInputs = 5, kClasses = 4;
  const Tensor w = random_tensor({kClasses, kInputs}, 1, 0.5F), bias = random_tensor({kClasses}, 2, 0.5F);
  Builder b;
  b.input("x", {kSamples, kInputs}).constant("w", w).constant("b", bias);
  b.node("Gemm", {"x", "w", "b"}, {"y"}, {{"transB", std::int64_t{1}}});
  const auto trainer = factory().create(b.build({"y"}), nullptr, plain_options());
  const data::Batch batch = batch_for({kSamples, kInputs}, kClasses);
  const auto x = batch.inputs.at("x").data<float>();
  double of_w = 0, of_b = 0;
  for (std::size_t s = 0; s < kSamples; ++s) {
    std::vector<double> p(kClasses);
    double sum = 0, norm = 0, spread = 0;
    for (std::size_t i = 0; i < kInputs; ++i) norm += std::pow(double{x[s * kInputs + i]}, 2);
    for (std::size_t k = 0; k < kClasses; ++k) {
      double z = bias.data<float>()[k];
      for (std::size_t i = 0; i < kInputs; ++i) z += double{w.data<float>()[k * kInputs + i]} * double{x[s * kInputs + i]};
      sum += p[k] = std::exp(z);
    }
    for (const double q : p) spread += q / sum * (1 - q / sum);
    of_w += norm * spread / kSamples;
    of_b += spread / kSamples;
  }
  const auto traces = mean_traces(*trainer, batch, 4000);
  EXPECT_NEAR(traces.at("w"), of_w, 0.05 * of_w);
  EXPECT_NEAR(traces.at("b"), of_b, 0.05 * of_b);
}

/// Convolution, tanh, convolution, pooling, Gemm: Σ ∂²L/∂w² by central differences of the gradients.
TEST(HessianTraces, ANetworkByDifferencesOfItsGradients) {
  Builder b;
  b.input("x", {4, 2, 5, 5}).constant("w1", random_tensor({3, 2, 3, 3}, 1, 0.3F));
  b.constant("w2", random_tensor({3, 3, 3, 3}, 2, 0.3F)).constant("w3", random_tensor({4, 3}, 3, 0.8F));
  b.node("Conv", {"x", "w1"}, {"c1"}, {{"pads", Ints{1, 1, 1, 1}}}).node("Tanh", {"c1"}, {"t"});
  b.node("Conv", {"t", "w2"}, {"c2"}, {{"pads", Ints{1, 1, 1, 1}}}).node("Tanh", {"c2"}, {"u"});
  b.node("GlobalAveragePool", {"u"}, {"p"}).node("Flatten", {"p"}, {"f"});
  b.node("Gemm", {"f", "w3"}, {"logits"}, {{"transB", std::int64_t{1}}});
  const auto trainer = factory().create(b.build({"logits"}), nullptr, plain_options());
  const data::Batch batch = batch_for({4, 2, 5, 5}, 4);
  const auto traces = mean_traces(*trainer, batch, 3000);
  for (const std::string& name : trainer->parameters()) {
    constexpr float kStep = 1e-2F;
    const Tensor weight = trainer->parameter(name).clone();
    double exact = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(weight.numel()); ++i) {
      const auto slope = [&](float by) {
        Tensor moved = weight.clone();
        moved.mutable_data<float>()[i] += by;
        trainer->set_parameter(name, moved);
        return double{trainer->gradients(batch).at(name).data<float>()[i]};
      };
      exact += (slope(kStep) - slope(-kStep)) / (2 * double{kStep});
    }
    trainer->set_parameter(name, weight);
    EXPECT_NEAR(traces.at(name), exact, 0.08 * std::abs(exact) + 0.01) << name;
  }
}

/// Taught by itself a model has no gradient, and its Hessian is the Fisher information: never negative, and for softmax
/// regression the same as with labels.
TEST(HessianTraces, WithoutLabelsTheModelTeachesItself) {
  Builder b;
  b.input("x", {8, 5}).constant("w", random_tensor({4, 5}, 1, 0.5F)).node("Gemm", {"x", "w"}, {"y"}, {{"transB", std::int64_t{1}}});
  const ir::Model model = b.build({"y"});
  exec::TrainerOptions options = plain_options();
  options.loss = {.temperature = 1, .alpha = 1};
  data::Batch batch = batch_for({8, 5}, 4);
  const double labelled = mean_traces(*factory().create(model, nullptr, plain_options()), batch, 200).at("w");
  batch.labels.clear();
  EXPECT_NEAR(mean_traces(*factory().create(model, &model, options), batch, 200).at("w"), labelled, 1e-3 * labelled);
}

TEST(HessianTraces, NothingChanges) {
  const auto trainer = factory().create(small_network(), nullptr, plain_options());
  const auto before = weights_of(*trainer);
  const auto first = traces_of(*trainer, small_batch(), 1), again = traces_of(*trainer, small_batch(), 1);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, traces_of(*trainer, small_batch(), 2));
  const auto after = weights_of(*trainer);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(before[i].identical(after[i]));
}

}  // namespace
}  // namespace pare::train
