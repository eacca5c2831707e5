// AWQ against its objective written down over samples, and what it does for a network with outlier channels.
#include "compress/quantize/awq.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compress/quantize/clip.h"
#include "compress/quantize/layer_error.h"
#include "fakes.h"

namespace pare::compress {
namespace {

TEST(Awq, ScalesByHand) {
  const std::vector<double> seen = {16, 1, 0};
  EXPECT_EQ(awq_scales(seen, 0.5), (std::vector<double>{2, 0.5, 1}));
  EXPECT_EQ(awq_scales(seen, 0), (std::vector<double>{1, 1, 1}));
}

/// image → flatten → maker → relu → reader → [N, 4], some of the maker's outputs far larger than the others.
ir::Model outlier_model() {
  constexpr std::int64_t kHidden = 32;
  Builder b;
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  ir::ValueId flat = b.add("Flatten", "flatten", {x});
  Tensor first = random_tensor({64, kHidden}, 1), bias = random_tensor({kHidden}, 2, 1.0f);
  for (std::size_t i = 0; i < 64 * kHidden; ++i)
    if (i % kHidden % 11 == 3) first.mutable_data<float>()[i] *= 30;
  ir::ValueId maker = b.add("Gemm", "maker", {flat, b.constant("maker.weight", first), b.constant("maker.bias", bias)});
  ir::ValueId relu = b.add("Relu", "relu", {maker});
  return b.finish(b.add("Gemm", "reader",
                        {relu, b.constant("reader.weight", random_tensor({kHidden, 24}, 3)),
                         b.constant("reader.bias", random_tensor({24}, 4))}));
}

/// ‖Q(W·s)(x/s) − W·x‖² over samples, literally.
TEST(Awq, TheErrorIsThePapersObjective) {
  constexpr std::size_t kIn = 8, kOut = 5, kSamples = 30;
  Builder b;
  ir::ValueId in = b.input("x", {ir::Dim::symbol("N"), kIn});
  const Tensor weight = random_tensor({kIn, kOut}, 3), x = random_tensor({kSamples, kIn}, 4, 1.0f);
  const ir::Model model = b.finish(b.add("MatMul", "m", {in, b.constant("w", weight)}));
  const Layer layer = find_layers(model.graph)[0];
  std::vector<double> h(kIn * kIn, 0.0), s;
  for (std::size_t n = 0; n < kSamples; ++n)
    for (std::size_t i = 0; i < kIn * kIn; ++i)
      h[i] += static_cast<double>(x.data<float>()[n * kIn + i / kIn]) *
              static_cast<double>(x.data<float>()[n * kIn + i % kIn]);
  for (std::size_t i = 0; i < kIn; ++i) s.push_back(0.5 + 0.25 * static_cast<double>(i));
  const WeightSpec spec{.bits = 8, .symmetric = false, .group = 4};  // at 8 bits no range is clipped
  Tensor scaled = weight.clone();
  for (std::size_t i = 0; i < kIn * kOut; ++i)
    scaled.mutable_data<float>()[i] = static_cast<float>(static_cast<double>(weight.data<float>()[i]) * s[i / kOut]);
  const passes::QuantParams params = weight_params(scaled, 1, spec);
  const Tensor back = passes::dequantize_tensor(passes::quantize_tensor(scaled, params), params);
  double want = 0;
  for (std::size_t n = 0; n < kSamples; ++n)
    for (std::size_t o = 0; o < kOut; ++o) {
      double off = 0;
      for (std::size_t i = 0; i < kIn; ++i)
        off += (static_cast<double>(back.data<float>()[i * kOut + o]) / s[i] -
                static_cast<double>(weight.data<float>()[i * kOut + o])) *
               static_cast<double>(x.data<float>()[n * kIn + i]);
      want += off * off;
    }
  EXPECT_NEAR(awq_error(weight, layer, spec, h, 1, s) / want, 1, 1e-3);
}

struct Answer {
  double noise;  ///< Σ(a−b)²/Σa² on the test split
  nlohmann::json record;
};

Answer answer(const std::string& options) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  world.model = outlier_model();
  const PipelineResult result = world.run("steps: [{quantize: {method: weight_only, " + options + "}}]");
  std::vector<std::int64_t> all(static_cast<std::size_t>(world.dataset.test->size()));
  std::iota(all.begin(), all.end(), 0);
  const NamedTensors inputs = world.dataset.test->batch(all).inputs;
  const Tensor a = ir::evaluate(world.model, inputs).begin()->second,
               b = ir::evaluate(result.model, inputs).begin()->second;
  double noise = 0, signal = 0;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i) {
    const auto x = static_cast<double>(a.data<float>()[i]);
    noise += std::pow(x - static_cast<double>(b.data<float>()[i]), 2);
    signal += x * x;
  }
  return {noise / signal, result.run.at("steps").at(0)};
}

TEST(Awq, HelpsWhereFewChannelsCarryMost) {
  const std::string only = "include: [reader], weights: {bits: 4, group_size: 16, rounding: nearest}";
  const Answer off = answer(only), found = answer(only + ", awq: auto"), given = answer(only + ", awq: \"0.5\"");
  EXPECT_LT(found.noise, 0.6 * off.noise);
  EXPECT_LT(given.noise, 0.8 * off.noise);
  EXPECT_FALSE(off.record.contains("awq"));
  EXPECT_EQ(found.record.at("awq").at("folded").at("relu_out"), "maker");
  EXPECT_GT(found.record.at("awq").at("strengths").at("relu_out").get<double>(), 0.2);
  EXPECT_GT(found.record.at("awq").at("gains_db").at("relu_out").get<double>(), 2);
}

TEST(Awq, ValuesThatNobodyCanScaleAreLeftAndSayWhy) {
  const Answer found = answer("weights: {group_size: 16}, awq: auto");
  EXPECT_TRUE(found.record.at("awq").at("left").contains("flatten_out"));
}

TEST(Awq, KeepsWhatTheModelComputes) {
  World world("awq_same");
  world.dataset = image_data(false);
  ir::Model before = outlier_model(), after = before;
  nlohmann::json options, record;
  const StepContext context{.options = options,
                            .original = before,
                            .dataset = world.dataset,
                            .backend = world.backend,
                            .trainer = world.trainer,
                            .execution = {.threads = 1, .seed = 3},
                            .control = world.control,
                            .checkpoints = nullptr,
                            .record = record,
                            .store = nullptr};
  const AwqResult done = awq(after, find_layers(after.graph), [](const Layer&) { return WeightSpec{.bits = 4}; }, 0.7,
                             20, context);
  ASSERT_EQ(done.folded.size(), 1U);
  const NamedTensors inputs = world.dataset.test->batch({0, 1, 2}).inputs;
  const Tensor a = ir::evaluate(before, inputs).begin()->second, b = ir::evaluate(after, inputs).begin()->second;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i)
    EXPECT_NEAR(a.data<float>()[i], b.data<float>()[i], 1e-3F * std::fabs(a.data<float>()[i]) + 1e-3F);
}

TEST(Awq, RefusesWhatIsNoStrength) {
  World world("awq_refused");
  for (const char* text : {"on", "1.5", "-1", "0.5x"}) {
    const Error error = error_of([&] {
      world.run(std::string("steps: [{quantize: {method: weight_only, awq: \"") + text + "\"}}]");
    });
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << text;
    EXPECT_EQ(error.subject(), "quantize.awq") << text;
  }
}

/// Brute force over the same shares of the range.
TEST(Clip, IsTheRangeOfLeastOutputError) {
  constexpr std::size_t kIn = 16;
  Builder b;
  ir::ValueId in = b.input("x", {ir::Dim::symbol("N"), kIn});
  const Tensor weight = random_tensor({kIn, 3}, 3);
  const ir::Model model = b.finish(b.add("MatMul", "m", {in, b.constant("w", weight)}));
  const Layer layer = find_layers(model.graph)[0];
  Tensor x = random_tensor({80, kIn}, 5, 1.0f);
  std::vector<double> h(kIn * kIn, 0.0);
  for (std::size_t n = 0; n < 80; ++n) {
    float* row = &x.mutable_data<float>()[n * kIn];
    for (std::size_t i = 1; i < kIn; ++i) row[i] += 0.9f * row[i - 1];
    for (std::size_t i = 0; i < kIn * kIn; ++i) h[i] += static_cast<double>(row[i / kIn]) * static_cast<double>(row[i % kIn]);
  }
  const WeightSpec spec{.bits = 3};
  const auto errors = [&](const passes::QuantParams& params) {
    const passes::ParamMap map(params, weight.dims());
    const RoundedLayer rounded{weight.data<float>(), layer.weight.view, params, map, h, 1};
    return output_errors(rounded, nearest_levels(rounded));
  };
  const passes::QuantParams chosen = clipped_by_output(weight, layer.weight, spec, h, 1);
  const std::vector<double> least = errors(chosen);
  const passes::QuantParams whole = weight_params(weight, 1, {.bits = 8});  // max|w| / 127
  for (int step = 20; step <= 50; ++step) {
    passes::QuantParams other = chosen;
    for (std::size_t o = 0; o < 3; ++o)
      other.scale[o] = whole.scale[o] * 127 / 3 * static_cast<float>(step) / 50;
    const std::vector<double> now = errors(other);
    for (std::size_t o = 0; o < 3; ++o) EXPECT_LE(least[o], now[o] * (1 + 1e-4)) << step;
  }
}

}  // namespace
}  // namespace pare::compress
