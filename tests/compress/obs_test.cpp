#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "compress/prune/obs_update.h"
#include "fakes.h"

namespace pare::compress {
namespace {

using nlohmann::json;

ir::WeightView matrix_view(std::int64_t outputs, std::int64_t inputs) {
  return {.outputs = outputs, .taps = 1, .inputs = inputs, .output_stride = inputs, .tap_stride = 1, .input_stride = 1};
}

/// Σ x xᵀ of samples that n/4 factors explain up to a little noise, as those of trained networks are.
std::vector<double> gram(std::int64_t n, std::uint64_t seed) {
  const std::int64_t samples = 8 * n, factors = n / 4;
  const Tensor loads = random_tensor({factors, n}, seed), scores = random_tensor({samples, factors}, seed + 1),
               noise = random_tensor({samples, n}, seed + 2);
  std::vector<double> h(static_cast<std::size_t>(n * n), 0.0), x(static_cast<std::size_t>(n));
  for (std::int64_t s = 0; s < samples; ++s) {
    for (std::int64_t i = 0; i < n; ++i) {
      double value = 0.1 * static_cast<double>(noise.data<float>()[static_cast<std::size_t>(s * n + i)]);
      for (std::int64_t f = 0; f < factors; ++f)
        value += static_cast<double>(scores.data<float>()[static_cast<std::size_t>(s * factors + f)]) *
                 static_cast<double>(loads.data<float>()[static_cast<std::size_t>(f * n + i)]);
      x[static_cast<std::size_t>(i)] = value;
    }
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x.size(); ++j) h[i * x.size() + j] += x[i] * x[j];
  }
  return h;
}

/// Σ over rows of (w − v) H (w − v)ᵀ: the squared error of the layer's outputs.
double output_error(const Tensor& w, const Tensor& v, const std::vector<double>& h) {
  const auto n = static_cast<std::size_t>(w.dim(1));
  double error = 0;
  for (std::size_t r = 0; r < static_cast<std::size_t>(w.dim(0)); ++r)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        error += static_cast<double>(w.data<float>()[r * n + i] - v.data<float>()[r * n + i]) * h[i * n + j] *
                 static_cast<double>(w.data<float>()[r * n + j] - v.data<float>()[r * n + j]);
  return error;
}

TEST(ObsPrune, OneWeightThatGoesIsMadeUpForByLeastSquares) {
  // The first of three is by far the cheapest. The optimum of the other two: v = w + H₂₂⁻¹·H₂₁·w₁ (normal equations).
  const std::vector<double> h = {2, 1, 0.5, 1, 3, 0.2, 0.5, 0.2, 1};
  const Tensor weight = Tensor::from<float>({1, 3}, {0.25F, 4, -3});
  PruneRule rule;
  rule.sparsity = 1.0 / 3;
  const Tensor got = obs_prune({"w", weight, matrix_view(1, 3)}, rule, h, 1, {.damping = 1e-12});
  const double determinant = 3 * 1 - 0.2 * 0.2, b1 = 1 * 0.25, b2 = 0.5 * 0.25;
  EXPECT_EQ(got.data<float>()[0], 0);
  EXPECT_NEAR(got.data<float>()[1], 4 + (1 * b1 - 0.2 * b2) / determinant, 1e-5);
  EXPECT_NEAR(got.data<float>()[2], -3 + (3 * b2 - 0.2 * b1) / determinant, 1e-5);
}

TEST(ObsPrune, DisturbsTheOutputLessThanMagnitude) {
  const std::int64_t n = 96;
  const std::vector<double> h = gram(n, 3);
  const PruneTarget target{"w", random_tensor({24, n}, 5), matrix_view(24, n)};
  for (const auto& [sparsity, part] : {std::pair{0.5, 0.5}, {0.8, 0.85}}) {  // fewer survivors make up for less
    PruneRule rule;
    rule.sparsity = sparsity;
    const Tensor surgeon = obs_prune(target, rule, h, 1, {}), still = obs_prune(target, rule, h, 1, {.update = false});
    Tensor magnitude = target.weight.clone();
    const Tensor mask = choose_masks(std::span(&target, 1), rule, 0, 1)[0];
    for (std::size_t i = 0; i < mask.data<std::uint8_t>().size(); ++i)
      if (mask.data<std::uint8_t>()[i] == 0) magnitude.mutable_data<float>()[i] = 0;
    EXPECT_NEAR(ir::sparsity(surgeon), sparsity, 1e-3);
    EXPECT_LT(output_error(target.weight, surgeon, h), part * output_error(target.weight, magnitude, h)) << sparsity;
    EXPECT_LT(output_error(target.weight, surgeon, h), part * output_error(target.weight, still, h)) << sparsity;
  }
}

TEST(ObsPrune, KeepsPatternsOfTapsAndZerosThatWereThere) {
  // [4 outputs, 70 inputs, 1×2 taps]: a full group and a tail of six in each tap.
  const std::int64_t inputs = 70, taps = 2, n = inputs * taps;
  Tensor weight = random_tensor({4, inputs, 1, taps}, 8);
  weight.mutable_data<float>()[0] = 0;
  const ir::WeightView view{
      .outputs = 4, .taps = taps, .inputs = inputs, .output_stride = n, .tap_stride = 1, .input_stride = taps};
  PruneRule rule;
  rule.pattern = ir::SparsityPattern::parse("8:64");
  const std::vector<double> h = gram(n, 9);
  const Tensor got = obs_prune({"w", weight, view}, rule, h, 1, {});
  EXPECT_TRUE(ir::has_pattern(got, view, rule.pattern));
  EXPECT_EQ(got.data<float>()[0], 0);
  EXPECT_NEAR(ir::sparsity(got), 1 - 9.0 / 70, 0.02) << "8 of 64 and 1 of 6 stay";
}

TEST(ObsPrune, RefitIsTheOptimumOfItsZeros) {
  const std::int64_t n = 64;
  const std::vector<double> h = gram(n, 3);
  const PruneTarget target{"w", random_tensor({8, n}, 5), matrix_view(8, n)};
  PruneRule rule;
  rule.sparsity = 0.7;
  const Tensor sweep = obs_prune(target, rule, h, 1, {.damping = 1e-9, .block = 16, .refit = false});
  Tensor best = obs_prune(target, rule, h, 1, {.damping = 1e-9, .block = 16});
  const double least = output_error(target.weight, best, h);
  EXPECT_LT(least, 0.98 * output_error(target.weight, sweep, h));
  auto values = best.mutable_data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(values[i] == 0, sweep.data<float>()[i] == 0) << "the zeros are those of the sweep";
    if (values[i] == 0) continue;
    for (float step : {-0.01F, 0.01F}) {
      const float kept = values[i];
      values[i] += step;
      EXPECT_GE(output_error(target.weight, best, h), least * (1 - 1e-5)) << i;
      values[i] = kept;
    }
  }
}

TEST(ObsPrune, ZerosWholeBlocksAndBeatsTheirMagnitude) {
  // [6 outputs, 30 inputs, 1×2 taps]: blocks of 2×4 with a tail of 2 inputs in each tap.
  const std::int64_t inputs = 30, taps = 2, n = inputs * taps;
  const ir::WeightView view{
      .outputs = 6, .taps = taps, .inputs = inputs, .output_stride = n, .tap_stride = inputs, .input_stride = 1};
  const PruneTarget target{"w", random_tensor({6, n}, 8), view};
  PruneRule rule;
  rule.pattern = ir::SparsityPattern::parse("2x4");
  rule.sparsity = 0.5;
  const std::vector<double> h = gram(n, 9);
  const Tensor got = obs_prune(target, rule, h, 1, {});
  EXPECT_TRUE(ir::has_pattern(got, view, rule.pattern));
  EXPECT_NEAR(ir::sparsity(got), 0.5, 0.05);
  Tensor magnitude = target.weight.clone();
  const Tensor mask = choose_masks(std::span(&target, 1), rule, 0, 1)[0];
  for (std::size_t i = 0; i < mask.data<std::uint8_t>().size(); ++i)
    if (mask.data<std::uint8_t>()[i] == 0) magnitude.mutable_data<float>()[i] = 0;
  EXPECT_LT(output_error(target.weight, got, h), 0.6 * output_error(target.weight, magnitude, h));
}

TEST(ObsPruning, RunsWithoutLabelsAndBeatsMagnitude) {
  const auto noise = [](const std::string& method) {
    World world("obs_" + method.substr(0, method.find(',')));
    world.dataset = image_data(false);
    const PipelineResult result =
        world.run("steps: [{prune: {method: " + method + ", sparsity: 0.6, exclude: [last]}}]");
    EXPECT_NEAR(result.run["steps"][0]["pruned"]["sparsity"].get<double>(), 0.6, 0.01) << method;
    const NamedTensors inputs = world.dataset.test->batch({0, 1, 2, 3, 4, 5, 6, 7}).inputs;
    const Tensor a = ir::evaluate(world.model, inputs).begin()->second,
                 b = ir::evaluate(result.model, inputs).begin()->second;
    double sum = 0;
    for (std::size_t i = 0; i < a.data<float>().size(); ++i)
      sum += std::pow(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i]), 2);
    return sum;
  };
  const double magnitude = noise("magnitude");
  EXPECT_LT(noise("obs"), magnitude);
  EXPECT_LT(noise("obs, sequential: true"), magnitude);
  EXPECT_LT(noise("obs"), noise("obs, update: false"));
}

TEST(ObsPrune, SaliencyIsWhatEachWeightCostsAlone) {
  const std::vector<double> h = {2, 1, 1, 3};  // inverse: {3, −1, −1, 2} / 5
  const Tensor weight = Tensor::from<float>({1, 2}, {3, 4});
  for (const std::int64_t exact : {0, 2}) {
    std::vector<float> saliency;
    obs_prune({"w", weight, matrix_view(1, 2)}, {.sparsity = 0.5}, h, 1, {.damping = 1e-12, .exact = exact}, &saliency);
    ASSERT_EQ(saliency.size(), 2U);
    EXPECT_NEAR(saliency[0], 9 / 0.6, 1e-4);
    EXPECT_NEAR(saliency[1], 16 / 0.4, 1e-4);
  }
}

TEST(ObsPrune, DamageIsWhatGoesAloneDoesToTheOutput) {
  const std::vector<double> h = {2, 1, 1, 3};
  const PruneTarget target{"w", Tensor::from<float>({1, 2}, {3, 4}), matrix_view(1, 2)};
  EXPECT_EQ(mean_damage(target, {}, h, 1, 10), (std::vector<float>{1.8F, 4.8F})) << "9·2 and 16·3 over ten rows";
  const float both = (9 * 2 + 2 * 3 * 4 + 16 * 3) / 2.0F / 10;
  EXPECT_EQ(mean_damage(target, {.pattern = ir::SparsityPattern::parse("1x2")}, h, 1, 10),
            (std::vector<float>{both, both}));
}

TEST(ObsPrune, ByOutputEachLosesTheSame) {
  const std::int64_t n = 48, outputs = 6;
  const std::vector<double> h = gram(n, 3);
  PruneTarget target{"w", random_tensor({outputs, n}, 5), matrix_view(outputs, n)};
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) target.weight.mutable_data<float>()[i] *= 100;
  for (const char* pattern : {"unstructured", "1x4"})
    for (const std::int64_t exact : {0, 100}) {
      const auto zeros_of_first = [&](PruneRule::Scope scope) {
        const PruneRule rule{.pattern = ir::SparsityPattern::parse(pattern), .sparsity = 0.75, .scope = scope};
        const Tensor got = obs_prune(target, rule, h, 1, {.block = 16, .exact = exact});
        EXPECT_NEAR(ir::sparsity(got), 0.75, 1e-9) << pattern << exact;
        const auto first = got.data<float>().first(static_cast<std::size_t>(n));
        return std::count(first.begin(), first.end(), 0.0F);
      };
      EXPECT_EQ(zeros_of_first(PruneRule::Scope::kOutput), 36) << pattern << exact;
      EXPECT_LT(zeros_of_first(PruneRule::Scope::kLayer), 20) << pattern << exact;
    }
}

TEST(ObsPruning, RanksAllLayersTogether) {
  const auto run = [](const std::string& options) {
    World world("obs_global");
    const json step = world.run("steps: [{prune: {method: obs, " + options + "}}]").run["steps"][0];
    std::map<std::string, double> zeros;
    for (const auto& layer : step["pruned"]["layers"]) zeros[layer["weight"]] = layer["sparsity"];
    zeros["all"] = step["pruned"]["sparsity"];
    return zeros;
  };
  for (const char* further : {"", ", sequential: true", ", pattern: 1x2", ", exact: 0"}) {
    auto zeros = run(std::string("sparsity: 0.7, scope: global") + further);
    EXPECT_NEAR(zeros["all"], 0.7, 0.04) << further << ": blocks at the edge are smaller";
    const auto [least, largest] = std::minmax({zeros["stem.weight"], zeros["body.weight"], zeros["tail.weight"]});
    EXPECT_GT(largest, least + 0.1) << further;
  }
  for (const auto& [name, share] : run("sparsity: 0.7, scope: global, most: 0.72")) EXPECT_LE(share, 0.725) << name;
  for (const auto& [name, share] : run("threshold: 1e20")) EXPECT_LT(share, 1) << name << ": some stay of each layer";
  EXPECT_EQ(run("threshold: 0")["all"], 0);
  const double few = run("threshold: 0.00001")["all"], many = run("threshold: 0.0001")["all"];
  EXPECT_TRUE(0 < few && few < many && many < 0.9) << few << " " << many;
}

TEST(ObsPruning, BlocksThatCrossGroupsAreRefusedBeforeAnyWork) {
  Builder b;
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  ir::ValueId stem = b.conv("stem", x, 1, 6, 1);
  ir::ValueId grouped = b.add("Conv", "grouped", {stem, b.constant("grouped.w", random_tensor({6, 2, 1, 1}, 2))},
                              {{"group", std::int64_t{3}}});
  World world("obs_groups");
  world.model = b.finish(b.add("Flatten", "flat", {b.add("GlobalAveragePool", "pool", {grouped})}));
  const Error error = error_of([&] { world.run("steps: [{prune: {method: obs, pattern: 4x1}}]"); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_NE(std::string(error.what()).find("'grouped'"), std::string::npos) << error.what();
  EXPECT_EQ(world.backend.compiled, 0) << "nothing was measured yet";
  EXPECT_NO_THROW(world.run("steps: [{prune: {method: obs, pattern: 2x1}}]"));
}

TEST(ObsPruning, NeedsTrainingData) {
  World world("obs_no_data");
  world.dataset = {};
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: obs}}]"); }).code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace pare::compress
