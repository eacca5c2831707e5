#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/float16.h"
#include "compress/quantize/params.h"
#include "compress/quantize/placement.h"
#include "compress/statistics.h"
#include "fakes.h"

namespace pare::compress {
namespace {

TEST(QuantParams, AffineByHand) {
  passes::QuantParams params = affine_params({-1.0, 4.1});
  EXPECT_EQ(params.dtype, DType::kUint8);
  EXPECT_FLOAT_EQ(params.scale[0], 0.02f);
  EXPECT_EQ(params.zero_point[0], 50);
  EXPECT_EQ(affine_params({2.0, 5.1}).zero_point[0], 0);  // 0 is always inside
  EXPECT_EQ(affine_params({-5.1, -2.0}).zero_point[0], 255);
  EXPECT_FLOAT_EQ(affine_params({2.0, 5.1}).scale[0], 0.02f);
}

TEST(QuantParams, DegenerateRangesStayUsable) {
  EXPECT_EQ(affine_params({0, 0}).scale[0], 1.0f);
  EXPECT_EQ(symmetric_params({0, 0}).scale[0], 1.0f);
  EXPECT_GE(affine_params({0, 1e-45}).scale[0], std::numeric_limits<float>::min());
  EXPECT_TRUE(std::isfinite(affine_params({-3e38, 3e38}).scale[0]));
}

TEST(QuantParams, SymmetricByHand) {
  passes::QuantParams params = symmetric_params({-2.54, 1.0});
  EXPECT_EQ(params.dtype, DType::kInt8);
  EXPECT_FLOAT_EQ(params.scale[0], 0.02f);
  EXPECT_EQ(params.zero_point[0], 0);
}

RC_GTEST_PROP(QuantParams, ZeroIsExactAndTheRangeIsCovered, ()) {
  const double low = *rc::gen::inRange(-1000, 1000) / 7.0, high = low + *rc::gen::inRange(0, 1000) / 3.0;
  passes::QuantParams params = affine_params({low, high});
  const double scale = static_cast<double>(params.scale[0]);
  RC_ASSERT(params.zero_point[0] >= 0 && params.zero_point[0] <= 255);
  RC_ASSERT((255 - params.zero_point[0] + 0.51) * scale >= high);
  RC_ASSERT((-params.zero_point[0] - 0.51) * scale <= low);
}

TEST(QuantParams, WeightsPerChannel) {
  Tensor weight = Tensor::from({2, 3}, std::vector<float>{1.27f, 0, -0.5f, 0, 0, 0});
  passes::QuantParams channel = weight_params(weight, 0, {});
  EXPECT_FLOAT_EQ(channel.scale[0], 0.01f);
  EXPECT_FLOAT_EQ(channel.scale[1], 0.01f);  // a channel of zeros takes the tensor's
  EXPECT_EQ(channel.axis, 0);
  Tensor stored = passes::quantize_tensor(weight, channel);
  EXPECT_EQ(std::vector<int>(stored.data<std::int8_t>().begin(), stored.data<std::int8_t>().end()),
            (std::vector<int>{127, 0, -50, 0, 0, 0}));
  EXPECT_EQ(weight_params(weight, 0, {.per_channel = false}).scale.size(), 1u);
}

TEST(QuantParams, TinyWeightsWithABiasGetALargerScale) {
  passes::QuantParams params{.scale = {1e-12f, 0.1f}, .zero_point = {0, 0}, .axis = 0};
  const std::vector<float> bias = {5.0f, 5.0f};
  EXPECT_EQ(raise_for_bias(params, 0.01f, bias), 1);
  EXPECT_LE(5.0 / (0.01 * static_cast<double>(params.scale[0])), std::ldexp(1.0, 30) * (1 + 1e-5));
  EXPECT_EQ(params.scale[1], 0.1f);
}

TEST(Histogram, QuantilesAreRightToABin) {
  ActivationHistogram all, halves;
  std::vector<float> values;
  for (int i = 0; i < 10000; ++i) values.push_back(static_cast<float>(i) / 100);
  ASSERT_TRUE(all.add(values, true));
  for (std::size_t i = 0; i < values.size(); i += 100) ASSERT_TRUE(halves.add(std::span(values).subspan(i, 100), true));
  for (double fraction : {0.01, 0.5, 0.99, 0.9999}) {
    EXPECT_NEAR(all.quantile(fraction), 100 * fraction, 0.07) << fraction;
    EXPECT_EQ(all.quantile(fraction), halves.quantile(fraction)) << "the order of batches must not matter";
  }
  EXPECT_EQ(all.min(), 0);
  EXPECT_EQ(all.max(), values.back());
}

TEST(Histogram, NegativeValuesAndNonFinite) {
  ActivationHistogram seen;
  std::vector<float> values = {-8, -4, -2, -1, 0, 1, 2, 3};
  ASSERT_TRUE(seen.add(values, true));
  EXPECT_NEAR(seen.quantile(0.25), -4, 0.01);
  EXPECT_EQ(seen.quantile(0), -8);
  EXPECT_EQ(seen.quantile(1), 3);
  EXPECT_FALSE(seen.add(std::vector<float>{1, std::nanf("")}, true));
  EXPECT_FALSE(seen.add(std::vector<float>{INFINITY}, false));
  EXPECT_EQ(seen.count(), 8);
}

const nlohmann::json kAll = {{"include", nlohmann::json::array()}, {"exclude", nlohmann::json::array()}};

std::set<std::set<std::string>> group_sets(const Placement& placement) {
  std::set<std::set<std::string>> sets;
  for (const auto& group : placement.groups) sets.insert({group.begin(), group.end()});
  return sets;
}

TEST(Placement, ResidualChainStaysInteger) {
  Placement placement = place_integers(residual_model().graph, kAll, "quantize");
  EXPECT_EQ(placement.layers.size(), 4u);
  EXPECT_EQ(group_sets(placement), (std::set<std::set<std::string>>{{"image"},
                                                                    {"stem_relu_out", "pool_out"},
                                                                    {"body_relu_out"},
                                                                    {"tail_out"},
                                                                    {"add_relu_out"},
                                                                    {"mean_out", "flatten_out"}}));
}

TEST(Placement, NothingIsQuantizedBehindTheLastLayer) {
  ir::Model model = residual_model();
  Placement placement =
      place_integers(model.graph, {{"include", nlohmann::json::array()}, {"exclude", {"head"}}}, "quantize");
  // The sum's only reader is now a float layer, so the sum and the mean stay float too.
  EXPECT_EQ(group_sets(placement),
            (std::set<std::set<std::string>>{{"image"}, {"stem_relu_out", "pool_out"}, {"body_relu_out"}}));
}

TEST(Placement, ConcatSharesParameters) {
  Builder b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 4, 4, 4});
  ir::ValueId left = b.add("Relu", "left", {b.conv("a", x, 4, 4, 1)}),
              right = b.add("Relu", "right", {b.conv("b", x, 4, 4, 2)});
  ir::ValueId both = b.add("Concat", "cat", {left, right}, {{"axis", std::int64_t{1}}});
  ir::Model model = b.finish(b.conv("c", both, 8, 4, 3));
  EXPECT_EQ(group_sets(place_integers(model.graph, kAll, "quantize")),
            (std::set<std::set<std::string>>{{"x"}, {"left_out", "right_out", "cat_out"}}));
}

TEST(Placement, LayersThatCannotSayWhy) {
  Builder b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 4});
  ir::ValueId a =
      b.add("Gemm", "scaled", {x, b.constant("w", random_tensor({4, 4}, 1)), b.constant("c", random_tensor({4}, 2))},
            {{"beta", 0.5f}});
  ir::Model model = b.finish(b.add("Gemm", "plain", {a, b.constant("v", random_tensor({4, 4}, 3))}));
  Placement placement = place_integers(model.graph, kAll, "quantize");
  ASSERT_EQ(placement.skipped.size(), 1u);
  EXPECT_EQ(placement.skipped[0].node, "scaled");
  EXPECT_EQ(placement.skipped[0].reason, "beta is not 1");
}

/// Largest difference of the outputs relative to the float output's range.
double error_of_quantized(World& world, const std::string& options) {
  PipelineResult result = world.run("steps: [{quantize: " + options + "}]");
  data::Batch batch = world.dataset.test->batch({0, 1, 2, 3, 4, 5});
  NamedTensors expected = ir::evaluate(world.model, batch.inputs), got = ir::evaluate(result.model, batch.inputs);
  auto a = expected.at("head_out").data<float>(), b = got.at("head_out").data<float>();
  auto [low, high] = std::minmax_element(a.begin(), a.end());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, static_cast<double>(std::fabs(a[i] - b[i])));
  return worst / static_cast<double>(*high - *low);
}

TEST(StaticQuantization, StaysNearTheFloatModel) {
  for (const char* options : {"{}", "{weights: {granularity: tensor}}", "{activations: {scheme: symmetric}}",
                              "{activations: {calibrator: percentile, percentile: 99.99}}",
                              "{activations: {calibrator: mse}}", "{activations: {calibrator: moving-average}}",
                              "{exclude: [first, last]}", "{equalize: true}", "{smooth: 0.5}"}) {
    World world("quantize");
    double error = error_of_quantized(world, options);
    EXPECT_LT(error, 0.05) << options;
    EXPECT_GT(error, 0) << options << ": nothing was quantized";
  }
}

TEST(StaticQuantization, FewerBitsCostMoreAndAreStored) {
  double last = 0;
  for (const int bits : {8, 5, 4, 3, 2}) {
    World world("quantize_bits");
    const std::string options = "{weights: {bits: " + std::to_string(bits) + "}, protect: {macs: 0}}";
    const double error = error_of_quantized(world, options);
    EXPECT_GT(error, last) << bits;
    last = error;
    const ir::Model model = world.run("steps: [{quantize: " + options + "}]").model;
    const Tensor& stored = *model.graph.constant(model.graph.find_value("body.weight_quantized"));
    EXPECT_EQ(stored.dtype(), bits <= 4 ? DType::kInt4 : DType::kInt8);
    std::set<int> levels;
    for (std::int64_t i = 0; i < stored.numel(); ++i) levels.insert(static_cast<int>(element_as_double(stored, i)));
    EXPECT_LE(static_cast<int>(levels.size()), (1 << bits) - 1);
    EXPECT_GE(*levels.rbegin(), (1 << (bits - 1)) - 1) << "the range is used";
  }
}

TEST(StaticQuantization, FewBitsAreRoundedByWhatTheLayersSee) {
  const auto error = [](const std::string& weights) {
    World world("quantize_rounding");
    world.dataset = image_data(false);
    const PipelineResult result = world.run(
        "steps: [{quantize: {weights: {bits: 3" + weights + "}, bias_correction: false, protect: {macs: 0}}}]");
    std::vector<std::int64_t> all(static_cast<std::size_t>(world.dataset.test->size()));
    std::iota(all.begin(), all.end(), 0);
    const NamedTensors inputs = world.dataset.test->batch(all).inputs;
    const Tensor a = ir::evaluate(world.model, inputs).begin()->second,
                 b = ir::evaluate(result.model, inputs).begin()->second;
    double sum = 0;
    for (std::size_t i = 0; i < a.data<float>().size(); ++i)
      sum += std::pow(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i]), 2);
    return sum;
  };
  const double nearest = error(", rounding: nearest"), automatic = error("");
  EXPECT_LT(automatic, nearest);
  EXPECT_EQ(automatic, error(", rounding: gptq"));
}

TEST(StaticQuantization, PrunedWeightsStayZeroWithFewBits) {
  World world("quantize_few_zeros");
  const PipelineResult result = world.run("steps: [{prune: {sparsity: 0.75}}, {quantize: {weights: {bits: 4}}}]");
  const ir::Value& stored = result.model.graph.value(result.model.graph.find_value("body.weight_quantized"));
  ASSERT_TRUE(stored.constant);
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < stored.constant->numel(); ++i) zeros += element_as_double(*stored.constant, i) == 0;
  EXPECT_GE(zeros, stored.constant->numel() * 3 / 4);
}

/// Brute force over a grid of scales.
TEST(QuantParams, ClippedRangesLoseLeast) {
  const Tensor weight = random_tensor({2, 64}, 5);
  const passes::QuantParams params = weight_params(weight, 0, {.bits = 3});
  const auto error = [&](std::size_t row, double scale) {
    double sum = 0;
    for (std::size_t i = 0; i < 64; ++i) {
      const auto w = static_cast<double>(weight.data<float>()[row * 64 + i]);
      sum += std::pow(std::clamp(std::nearbyint(w / scale), -3.0, 3.0) * scale - w, 2);
    }
    return sum;
  };
  for (std::size_t row : {0u, 1u})
    for (double scale = 0.02; scale < 0.5; scale += 0.001)
      EXPECT_LT(error(row, static_cast<double>(params.scale[row])), 1.03 * error(row, scale)) << scale;
}

TEST(QuantParams, GroupsAndAffine) {
  const Tensor weight = Tensor::from({5, 1}, std::vector<float>{0, 1.5f, 3.0f, -7.5f, 0});
  const passes::QuantParams params = weight_params(weight, 1, {.bits = 4, .symmetric = false, .group = 3});
  EXPECT_EQ(params.dtype, DType::kUint4);
  EXPECT_EQ(params.axis, 0);
  EXPECT_EQ(params.block, 3);
  ASSERT_EQ(params.scale.size(), 2u) << "three rows, then two";
  const Tensor stored = passes::quantize_tensor(weight, params);
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto part = static_cast<std::size_t>(i / 3);
    EXPECT_NEAR((element_as_double(stored, i) - params.zero_point[part]) * static_cast<double>(params.scale[part]),
                static_cast<double>(weight.data<float>()[i]), 0.11)
        << i;
  }
}

TEST(WeightOnly, StoresGroupsAndStaysNearTheFloatModel) {
  World world("weight_only");
  const double error = error_of_quantized(world, "{method: weight_only, weights: {group_size: 4}}");
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 0.2);
  EXPECT_LT(error_of_quantized(world, "{method: weight_only, weights: {bits: 8, group_size: 4}}"), error);
  EXPECT_LT(error_of_quantized(world, "{method: weight_only, weights: {scheme: symmetric, group_size: 4}}"), 0.2);
  const ir::Model model = world.run("steps: [{quantize: {method: weight_only, weights: {group_size: 4}}}]").model;
  EXPECT_GE(model.opset(), 21);
  const ir::Node& node =
      model.graph.node(model.graph.producer(model.graph.node(model.graph.find_node("head")).input(1)));
  EXPECT_EQ(node.op_type, "DequantizeLinear");
  EXPECT_EQ(node.int_or("block_size", 0), 4);
  EXPECT_EQ(model.graph.constant(node.input(0))->dtype(), DType::kUint4);
  EXPECT_EQ(model.graph.constant(node.input(1))->dims(), (Dims{4, 2})) << "[outputs, groups] as transB has it";
}

TEST(WeightOnly, AGroupThatDoesNotDivideNamesTheLayer) {
  World world("weight_only_group");
  const Error error =
      error_of([&] { world.run("steps: [{quantize: {method: weight_only, weights: {group_size: 5}}}]"); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error.subject(), "node 'head'");
}

TEST(StaticQuantization, AFixedBatchIsJudgedByTheSameSamples) {
  World free("free_batch"), fixed("fixed_batch");
  fixed.model.graph.value(fixed.model.graph.inputs[0]).shape.dims()[0] = ir::Dim(48);  // more than the probe asks for
  ir::infer_shapes(fixed.model);
  const auto choice_of = [](World& world) {
    return world.run("steps: [quantize]").run.at("steps").at(0).at("quantized").at("choice");
  };
  const nlohmann::json a = choice_of(free), b = choice_of(fixed);
  EXPECT_EQ(b.at("samples"), 16);
  EXPECT_EQ(b.at("samples"), a.at("samples"));
  for (const auto& [calibrator, decibels] : a.at("calibrators").items())
    EXPECT_NEAR(b.at("calibrators").at(calibrator).get<double>(), decibels.get<double>(), 1e-3) << calibrator;
}

TEST(StaticQuantization, PrunedWeightsStayZero) {
  World world("quantize_zeros");
  PipelineResult result = world.run("steps: [{prune: {sparsity: 0.75}}, quantize]");
  const ir::Value& stored = result.model.graph.value(result.model.graph.find_value("body.weight_quantized"));
  ASSERT_TRUE(stored.constant);
  EXPECT_EQ(stored.constant->dtype(), DType::kInt8);
  EXPECT_GE(ir::sparsity(*stored.constant), 0.75);
}

TEST(StaticQuantization, RefusesWhatItCannotDo) {
  World world("quantize_refuse");
  for (const char* bits : {"9", "16"})
    EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {weights: {bits: " + std::string(bits) + "}}}]"); }).code(),
              ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {activations: {bits: 9}}}]"); }).code(),
            ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {activations: {calibrator: entropi}}}]"); }).code(),
            ErrorCode::kUsage);
  for (const char* smooth : {"on", "1.5", "-0.1"})
    EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {smooth: " + std::string(smooth) + "}}]"); }).code(),
              ErrorCode::kUsage);
  world.dataset.train = nullptr;
  EXPECT_EQ(error_of([&] { world.run("steps: [quantize]"); }).code(), ErrorCode::kUsage);
}

TEST(StaticQuantization, NonFiniteActivationsNameTheLayer) {
  World world("quantize_nan");
  ir::Value& bias = world.model.graph.value(world.model.graph.find_value("body.bias"));
  for (float& x : bias.constant->mutable_data<float>()) x = 3e38f;
  ir::Value& weight = world.model.graph.value(world.model.graph.find_value("tail.weight"));
  for (float& x : weight.constant->mutable_data<float>()) x = 100;
  nlohmann::json record;
  StepContext context{record,         world.model,   world.dataset, world.backend, world.trainer,
                      {.threads = 1}, world.control, nullptr,       record};
  Error error = error_of([&] { gather_statistics(world.model, {{.values = {"tail_out"}}}, context); });
  EXPECT_EQ(error.code(), ErrorCode::kBadInput);
  EXPECT_EQ(error.subject(), "layer 'tail'");
}

std::vector<std::string> types_of(const ir::Model& model) {
  std::vector<std::string> types;
  for (ir::NodeId id : model.graph.nodes()) types.push_back(model.graph.node(id).op_type);
  return types;
}

TEST(DynamicQuantization, WritesIntegerProductsAndSharesTheirInputs) {
  World world("dynamic");
  Recipe recipe = parse_recipe("steps: [{quantize: {method: dynamic, exclude: [first]}}]", "r.yaml");
  ir::Model model = world.model;
  nlohmann::json record;
  StepContext context{recipe.steps[0].options, world.model,   world.dataset, world.backend, world.trainer,
                      {.threads = 1},          world.control, nullptr,       record};
  const Method& method = find_method("quantize", "dynamic");
  method.validate(model, context);
  EXPECT_TRUE(method.needs(model, recipe.steps[0].options).empty()) << "no calibration";
  method.apply(model, {}, context);
  const std::vector<std::string> types = types_of(model);
  EXPECT_EQ(std::count(types.begin(), types.end(), "ConvInteger"), 2);
  EXPECT_EQ(std::count(types.begin(), types.end(), "MatMulInteger"), 1);
  EXPECT_EQ(std::count(types.begin(), types.end(), "DynamicQuantizeLinear"), 3);
  EXPECT_EQ(std::count(types.begin(), types.end(), "Conv"), 1) << "the excluded stem";
  EXPECT_EQ(model.graph.find_value("body.weight"), ir::kNoValue) << "the float weight must go";
  const ir::Value& head = model.graph.value(model.graph.find_value("head.weight_quantized"));
  EXPECT_EQ(head.constant->dtype(), DType::kInt8);
  EXPECT_EQ(head.constant->dims(), (Dims{8, 4})) << "transB is resolved";
  EXPECT_EQ(record["quantized"]["nodes"], (nlohmann::json{"body", "tail", "head"}));
  EXPECT_EQ(error_of([&] { method.validate(model, context); }).code(), ErrorCode::kUnsupported) << "twice";
}

TEST(Calibration, SamplesDependOnTheSeedOnly) {
  auto indices = calibration_indices(1000, 64, 5);
  EXPECT_EQ(indices.size(), 64u);
  EXPECT_EQ(indices, calibration_indices(1000, 64, 5));
  EXPECT_NE(indices, calibration_indices(1000, 64, 6));
  EXPECT_TRUE(std::is_sorted(indices.begin(), indices.end()));
  EXPECT_EQ(std::set<std::int64_t>(indices.begin(), indices.end()).size(), 64u);
  EXPECT_EQ(calibration_indices(10, 64, 5).size(), 10u);
}

}  // namespace
}  // namespace pare::compress
