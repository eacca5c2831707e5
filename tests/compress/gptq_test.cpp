// GPTQ against the method written down literally: Optimal Brain Quantization in a fixed order, with the inverse Hessian
// of the remaining inputs computed anew at every step (Frantar et al. 2023, section 3, equations 2 and 3).
#include "compress/quantize/gptq.h"

#include <gtest/gtest.h>

#include "base/float16.h"
#include "compress/layerwise/hessian.h"
#include "compress/quantize/layer_error.h"
#include "compress/layerwise/unfold.h"
#include "compress/quantize/params.h"
#include "fakes.h"

namespace pare::compress {
namespace {

constexpr std::size_t kN = 6;
using Matrix = std::vector<std::vector<double>>;

std::vector<double> hessian_of(const Tensor& x) {
  std::vector<double> h(kN * kN, 0.0);
  for (std::size_t s = 0; s < static_cast<std::size_t>(x.dim(0)); ++s)
    for (std::size_t i = 0; i < kN; ++i)
      for (std::size_t j = 0; j < kN; ++j)
        h[i * kN + j] +=
            static_cast<double>(x.data<float>()[s * kN + i]) * static_cast<double>(x.data<float>()[s * kN + j]);
  return h;
}

/// By Gauss and Jordan.
Matrix inverse(Matrix a) {
  const std::size_t n = a.size();
  Matrix b(n, std::vector<double>(n, 0.0));
  for (std::size_t i = 0; i < n; ++i) b[i][i] = 1;
  for (std::size_t p = 0; p < n; ++p) {
    const double pivot = a[p][p];
    for (std::size_t j = 0; j < n; ++j) a[p][j] /= pivot, b[p][j] /= pivot;
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = a[i][p];
      if (i == p) continue;
      for (std::size_t j = 0; j < n; ++j) a[i][j] -= factor * a[p][j], b[i][j] -= factor * b[p][j];
    }
  }
  return b;
}

std::vector<int> literal(std::vector<double> w, const std::vector<double>& h, std::vector<std::size_t> order,
                         double scale, double damping) {
  double mean = 0;
  for (std::size_t i = 0; i < kN; ++i) mean += h[i * kN + i] / kN;
  std::vector<int> q(kN);
  while (!order.empty()) {
    Matrix left(order.size(), std::vector<double>(order.size()));
    for (std::size_t i = 0; i < order.size(); ++i)
      for (std::size_t j = 0; j < order.size(); ++j)
        left[i][j] = h[order[i] * kN + order[j]] + (i == j ? damping * mean : 0);
    const Matrix inverted = inverse(left);
    const std::size_t now = order[0];
    q[now] = static_cast<int>(std::clamp(std::nearbyint(w[now] / scale), -7.0, 7.0));
    const double off = (w[now] - q[now] * scale) / inverted[0][0];
    for (std::size_t k = 1; k < order.size(); ++k) w[order[k]] -= off * inverted[0][k];
    order.erase(order.begin());
  }
  return q;
}

Tensor correlated(std::uint64_t seed) {
  Tensor x = random_tensor({50, kN}, seed, 1.0f);
  for (std::size_t s = 0; s < 50; ++s)
    for (std::size_t i = 1; i < kN; ++i) x.mutable_data<float>()[s * kN + i] += 0.8f * x.data<float>()[s * kN + i - 1];
  return x;
}

TEST(Gptq, IsTheMethodWrittenDownLiterally) {
  const Tensor weight = random_tensor({3, kN}, 2);  // [outputs, inputs]
  const ir::WeightView view{.outputs = 3, .inputs = kN, .output_stride = kN};
  const passes::QuantParams params = weight_params(weight, 0, {.bits = 4});
  const std::vector<double> h = hessian_of(correlated(3));
  for (const bool act_order : {false, true}) {
    std::vector<std::size_t> order(kN);
    std::iota(order.begin(), order.end(), 0);
    if (act_order) std::sort(order.begin(), order.end(), [&](auto a, auto b) { return h[a * kN + a] > h[b * kN + b]; });
    const Tensor got = gptq(weight, view, params, h, 1, {.act_order = act_order});
    EXPECT_EQ(got.dtype(), DType::kInt4);
    for (std::size_t o = 0; o < 3; ++o) {
      std::vector<double> row;
      for (std::size_t i = 0; i < kN; ++i) row.push_back(static_cast<double>(weight.data<float>()[o * kN + i]));
      const std::vector<int> want = literal(row, h, order, static_cast<double>(params.scale[o]), 0.01);
      for (std::size_t i = 0; i < kN; ++i)
        EXPECT_EQ(element_as_double(got, static_cast<std::int64_t>(o * kN + i)), want[i]) << o << i << act_order;
    }
  }
}

double output_error(const Tensor& weight, const Tensor& integers, const passes::QuantParams& params, const Tensor& x) {
  const passes::ParamMap map(params, weight.dims());
  double sum = 0;
  for (std::size_t s = 0; s < static_cast<std::size_t>(x.dim(0)); ++s)
    for (std::size_t o = 0; o < static_cast<std::size_t>(weight.dim(1)); ++o) {
      double off = 0;
      for (std::size_t i = 0; i < kN; ++i) {
        const std::size_t at = i * static_cast<std::size_t>(weight.dim(1)) + o, p = map(at);
        const double q = element_as_double(integers, static_cast<std::int64_t>(at)) - params.zero_point[p];
        off += (q * static_cast<double>(params.scale[p]) - static_cast<double>(weight.data<float>()[at])) *
               static_cast<double>(x.data<float>()[s * kN + i]);
      }
      sum += off * off;
    }
  return sum;
}

TEST(Gptq, LosesLessThanTheNearestWithAnyBitsAndGroups) {
  const Tensor weight = random_tensor({kN, 20}, 2), x = correlated(5);  // [inputs, outputs]
  const ir::WeightView view{.outputs = 20, .inputs = kN, .output_stride = 1, .input_stride = 20};
  for (const int bits : {2, 3, 4, 5, 8})
    for (const std::int64_t group : {0, 3})
      for (const bool symmetric : {true, false}) {
        const passes::QuantParams params =
            weight_params(weight, 1, {.bits = bits, .symmetric = symmetric, .group = group});
        const Tensor nearest = passes::quantize_tensor(weight, params);
        const Tensor chosen = gptq(weight, view, params, hessian_of(x), 1, {});
        EXPECT_LT(output_error(weight, chosen, params, x), 0.95 * output_error(weight, nearest, params, x)) << bits;
      }
}

TEST(Gptq, AnInputThatIsNeverSeenIsRoundedToTheNearest) {
  const Tensor weight = random_tensor({1, kN}, 2);
  const ir::WeightView view{.outputs = 1, .inputs = kN, .output_stride = kN};
  const passes::QuantParams params = weight_params(weight, 0, {.bits = 4});
  const Tensor chosen = gptq(weight, view, params, std::vector<double>(kN * kN, 0.0), 1, {});
  EXPECT_TRUE(chosen.identical(passes::quantize_tensor(weight, params)));
}

TEST(Gptq, MakesLessNoiseThanTheNearestLayerAfterLayerToo) {
  const auto noise = [](const std::string& weights) {
    World world("gptq");
    world.dataset = image_data(false);
    const ir::Model model =
        world.run("steps: [{quantize: {method: weight_only, weights: {bits: 3, " + weights + "}, exclude: [last]}}]").model;
    const NamedTensors inputs = world.dataset.test->batch({0, 1, 2, 3, 4, 5, 6, 7}).inputs;
    const Tensor a = ir::evaluate(world.model, inputs).begin()->second, b = ir::evaluate(model, inputs).begin()->second;
    double sum = 0;
    for (std::size_t i = 0; i < a.data<float>().size(); ++i)
      sum += std::pow(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i]), 2);
    return sum;
  };
  const double nearest = noise("rounding: nearest"), parallel = noise("rounding: gptq, sequential: false"),
               sequential = noise("rounding: gptq, sequential: true");
  EXPECT_LT(parallel, nearest);
  EXPECT_LT(sequential, nearest);
  EXPECT_NE(parallel, sequential);
}

/// A row [N, 1, 64] of the image → two convolutions along it, the second with pads by its size → mean → head.
ir::Model line_model(float bias) {
  Builder b;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId shape = b.constant("line_shape", Tensor::from({3}, std::vector<std::int64_t>{0, 1, 64}));
  const ir::ValueId line = b.add("Reshape", "line", {x, shape});
  Tensor biases(DType::kFloat32, {8});
  for (float& one : biases.mutable_data<float>()) one = bias;
  const ir::ValueId first =
      b.add("Conv", "first",
            {line, b.constant("first.weight", random_tensor({8, 1, 5}, 1)), b.constant("first.bias", biases)},
            {{"strides", std::vector<std::int64_t>{2}}});
  const ir::ValueId second =
      b.add("Conv", "second",
            {b.add("Relu", "relu", {first}), b.constant("second.weight", random_tensor({8, 8, 4}, 2)),
             b.constant("second.bias", random_tensor({8}, 3))},
            {{"auto_pad", std::string("SAME_UPPER")}});
  const ir::ValueId flat =
      b.add("Flatten", "flatten", {b.add("GlobalAveragePool", "mean", {b.add("Relu", "relu_2", {second})})});
  return b.finish(b.add("Gemm", "head", {flat, b.constant("head.weight", random_tensor({4, 8}, 4, 1.0F))},
                        {{"transB", std::int64_t{1}}}));
}

TEST(Gptq, ConvolutionsAlongALineAndPaddedBySizeAreRoundedBySamples) {
  const auto noise = [](const std::string& weights, nlohmann::json* record) {
    World world("gptq_line");
    world.model = line_model(0);
    world.dataset = image_data(false);
    const PipelineResult result =
        world.run("steps: [{quantize: {method: weight_only, weights: {bits: 3, group_size: 0, " + weights +
                  "}, exclude: [head]}}]");
    if (record) *record = result.run["steps"][0];
    const NamedTensors inputs = world.dataset.train->batch({0, 1, 2, 3, 4, 5, 6, 7}).inputs;
    const Tensor a = ir::evaluate(world.model, inputs).begin()->second,
                 b = ir::evaluate(result.model, inputs).begin()->second;
    double sum = 0;
    for (std::size_t i = 0; i < a.data<float>().size(); ++i)
      sum += std::pow(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i]), 2);
    return sum;
  };
  nlohmann::json record;
  const double nearest = noise("rounding: nearest", nullptr);
  EXPECT_LT(noise("rounding: gptq", &record), 0.7 * nearest);
  EXPECT_FALSE(record.contains("rounded_to_nearest")) << record["rounded_to_nearest"];
  EXPECT_LT(noise("rounding: adaround", nullptr), 0.7 * nearest);
}

TEST(Gptq, ALayerThatIsRoundedToTheNearestIsToldOf) {
  World world("gptq_told");
  world.model = line_model(-1000);  // no ReLU opens
  world.dataset = image_data(false);
  std::vector<std::string> warnings;
  world.control.log = [&](LogLevel level, const std::string& text) {
    if (level == LogLevel::kWarning) warnings.push_back(text);
  };
  const nlohmann::json record =
      world.run("steps: [{quantize: {method: weight_only, weights: {group_size: 0}}}]").run["steps"][0];
  ASSERT_EQ(record["rounded_to_nearest"].size(), 1U);
  EXPECT_EQ(record["rounded_to_nearest"][0]["node"], "second");
  EXPECT_EQ(record["rounded_to_nearest"][0]["reason"], "its input is 0 in all samples");
  EXPECT_EQ(std::ranges::count(warnings, "quantize: 'second' is rounded to the nearest: its input is 0 in all samples"),
            1);
}

TEST(Gptq, ABiasThatRaisesScalesIsToldOf) {
  World world("gptq_raised");
  const ir::ValueId bias = world.model.graph.find_value("body.bias");
  Tensor huge = world.model.graph.constant(bias)->clone();
  huge.mutable_data<float>()[0] = 1e7F;
  world.model.graph.set_constant(bias, huge);
  world.dataset = image_data(false);
  const nlohmann::json record =
      world.run("steps: [{quantize: {weights: {rounding: gptq}, protect: {macs: 0}, bias_correction: false}}]")
          .run["steps"][0];
  ASSERT_TRUE(record.contains("rounded_to_nearest"));
  EXPECT_EQ(record["rounded_to_nearest"][0]["node"], "body");
  EXPECT_NE(record["rounded_to_nearest"][0]["reason"].get<std::string>().find("bias"), std::string::npos);
}

TEST(WeightParams, EnergyMovesTheClipping) {
  // One outlier: where its input is silent it is clipped, where only it counts it is kept.
  Tensor weight(DType::kFloat32, {1, 64});
  auto values = weight.mutable_data<float>();
  for (std::size_t i = 0; i < 64; ++i) values[i] = 0.02F * static_cast<float>(static_cast<int>(i) - 32);
  values[63] = 1.5F;
  std::vector<float> quiet(64, 1.0F), loud(64, 0.0F);
  quiet[63] = 0;
  loud[63] = 1;
  const WeightSpec spec{.bits = 3};
  const float all = weight_params(weight, 0, spec).scale[0];
  EXPECT_LT(weight_params(weight, 0, spec, quiet).scale[0], all);
  const float kept = weight_params(weight, 0, spec, loud).scale[0];
  EXPECT_NEAR(kept * 3, 1.5F, 1e-3);
}

/// By the definition: every position's inputs, read with padding.
TEST(Hessian, UnfoldsAConvolution) {
  const Tensor x = random_tensor({2, 4, 5, 6}, 3, 1.0f), weight = random_tensor({6, 2, 3, 2}, 4);
  Builder b;
  ir::ValueId in = b.input("x", {2, 4, 5, 6});
  ir::Model model = b.finish(b.add("Conv", "c", {in, b.constant("w", weight)},
                                   {{"group", std::int64_t{2}},
                                    {"strides", std::vector<std::int64_t>{2, 1}},
                                    {"dilations", std::vector<std::int64_t>{1, 2}},
                                    {"pads", std::vector<std::int64_t>{1, 0, 1, 1}}}));
  const Tensor y = ir::evaluate(model, {{"x", x}}).begin()->second;
  const Layer layer = find_layers(model.graph)[0];
  const std::int64_t area = y.dim(2) * y.dim(3);
  for (std::int64_t o = 0; o < 6; ++o) {
    std::int64_t positions = 0;
    const auto rows = unfold(x, model.graph.node(layer.node), weight.dims(), o / 3, positions);
    ASSERT_EQ(positions, 2 * area);
    for (std::int64_t p = 0; p < positions; ++p) {
      double sum = 0;
      for (std::int64_t t = 0; t < 6; ++t)
        for (std::int64_t i = 0; i < 2; ++i)
          sum += static_cast<double>(rows[static_cast<std::size_t>((p * 6 + t) * 2 + i)]) *
                 static_cast<double>(weight.data<float>()[static_cast<std::size_t>(layer.weight.view.index(o, t, i))]);
      EXPECT_NEAR(sum, static_cast<double>(y.data<float>()[static_cast<std::size_t>((p / area * 6 + o) * area + p % area)]),
                  1e-4);
    }
  }
}

/// Sums of rows x and x xᵀ of what a layer reads; the error that a bias cannot take, and what it takes.
TEST(Hessian, CenteredIsTheErrorBesidesItsMean) {
  World world("centered");
  world.dataset = image_data(false);
  nlohmann::json options, record;
  const StepContext context{.options = options,
                            .original = world.model,
                            .dataset = world.dataset,
                            .backend = world.backend,
                            .trainer = world.trainer,
                            .execution = {.threads = 1, .seed = 3},
                            .control = world.control,
                            .checkpoints = nullptr,
                            .record = record,
                            .store = nullptr};
  const std::vector<Layer> layers = find_layers(world.model.graph);
  int seen = 0;
  visit_inputs(world.model, layers, 20, context, [&](const Layer& layer, const LayerInputs& inputs) {
    ++seen;
    const Tensor& weight = *world.model.graph.constant(layer.weight.value);
    const passes::QuantParams params = weight_params(weight, layer.weight.output_axis, {.bits = 3});
    const passes::ParamMap map(params, weight.dims());
    const std::vector<double> centered = centered_hessian(inputs);
    const RoundedLayer whole{weight.data<float>(), layer.weight.view, params, map, inputs.hessian, inputs.groups};
    const RoundedLayer rest{weight.data<float>(), layer.weight.view, params, map, centered, inputs.groups};
    const std::vector<std::int32_t> levels = nearest_levels(whole);
    const std::vector<double> all = output_errors(whole, levels), left = output_errors(rest, levels),
                              shifts = output_shifts(whole, levels, inputs.sums);
    for (std::size_t o = 0; o < all.size(); ++o) {
      const double mean = shifts[o] / static_cast<double>(inputs.rows);
      EXPECT_NEAR(left[o] + static_cast<double>(inputs.rows) * mean * mean, all[o], 1e-3 * all[o] + 1e-9) << layer.name << o;
    }
  });
  EXPECT_EQ(seen, static_cast<int>(layers.size()));
}

TEST(WeightOnly, BiasesTakeTheMeanOfTheError) {
  const auto means = [](const std::string& options) {
    World world("weight_only_bias");
    world.dataset = image_data(false);
    const ir::Model model =
        world.run("steps: [{quantize: {method: weight_only, include: [last], weights: {bits: 2, group_size: 0}, " + options + "}}]").model;
    std::vector<std::int64_t> all(40);
    std::iota(all.begin(), all.end(), 0);
    const NamedTensors inputs = world.dataset.train->batch(all).inputs;
    const Tensor a = ir::evaluate(world.model, inputs).begin()->second, b = ir::evaluate(model, inputs).begin()->second;
    double sum = 0;
    for (std::size_t o = 0; o < 4; ++o) {
      double mean = 0;
      for (std::size_t n = 0; n < 40; ++n)
        mean += static_cast<double>(a.data<float>()[n * 4 + o]) - static_cast<double>(b.data<float>()[n * 4 + o]);
      sum += std::fabs(mean / 40);
    }
    return sum;
  };
  EXPECT_LT(means("bias_correction: true"), 0.01 * means("bias_correction: false"));
}

}  // namespace
}  // namespace pare::compress
