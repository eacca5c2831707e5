// Power-of-two scales and 16-bit activations.
#include <gtest/gtest.h>

#include "../fakes.h"
#include "compress/quantize/params.h"

namespace pare::compress {
namespace {

bool is_power_of_two(float scale) {
  int exponent = 0;
  return std::frexp(scale, &exponent) == 0.5F;
}

/// Largest difference of the outputs relative to the float output's range.
double error_of_quantized(const std::string& options, ir::Model* written = nullptr) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  const PipelineResult result = world.run("steps: [{quantize: " + options + "}]");
  if (written) *written = result.model;
  const NamedTensors inputs = world.dataset.test->batch({0, 1, 2, 3, 4, 5}).inputs;
  const Tensor a = ir::evaluate(world.model, inputs).begin()->second,
               b = ir::evaluate(result.model, inputs).begin()->second;
  const auto [low, high] = std::minmax_element(a.data<float>().begin(), a.data<float>().end());
  double worst = 0;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i)
    worst = std::max(worst, static_cast<double>(std::fabs(a.data<float>()[i] - b.data<float>()[i])));
  return worst / static_cast<double>(*high - *low);
}

TEST(PowerOfTwo, ActivationsGetTheNextThatCovers) {
  const passes::QuantParams affine = affine_params({-1.0, 4.1}, {.power_of_two = true});
  EXPECT_EQ(affine.scale[0], 0.03125F);  // 5.1/255 = 0.02 → 2^-5
  EXPECT_EQ(affine.zero_point[0], 32);
  EXPECT_EQ(symmetric_params({-2.0, 1.0}, {.power_of_two = true}).scale[0], 0.03125F);  // 2/127 is just above 2^-6
}

TEST(PowerOfTwo, ExactPowersStay) {
  EXPECT_EQ(symmetric_params({-127 * 0.125, 0}, {.power_of_two = true}).scale[0], 0.125F);
  EXPECT_EQ(affine_params({0, 0}, {.power_of_two = true}).scale[0], 1.0F);
}

/// Brute force over exponents.
TEST(PowerOfTwo, WeightsGetTheOneOfLeastSquaredError) {
  for (const int bits : {8, 4}) {
    const Tensor weight = random_tensor({3, 200}, 5);
    const passes::QuantParams params = weight_params(weight, 0, {.bits = bits, .power_of_two = true});
    const double most = std::ldexp(1, bits - 1) - 1;
    for (std::size_t row = 0; row < 3; ++row) {
      double least = 1e30, best = 0;
      for (int exponent = -20; exponent < 5; ++exponent) {
        const double scale = std::ldexp(1, exponent);
        double sum = 0;
        for (std::size_t i = 0; i < 200; ++i) {
          const auto w = static_cast<double>(weight.data<float>()[row * 200 + i]);
          sum += std::pow(std::clamp(std::nearbyint(w / scale), -most, most) * scale - w, 2);
        }
        if (sum < least) least = sum, best = scale;
      }
      EXPECT_EQ(static_cast<double>(params.scale[row]), best) << bits << " bits, row " << row;
    }
  }
}

TEST(PowerOfTwo, RaisedForABiasTheyStayPowers) {
  passes::QuantParams weight{.scale = {0x1p-30F}, .zero_point = {0}};
  const std::vector<float> bias = {100};
  EXPECT_EQ(raise_for_bias(weight, 0x1p-10F, bias, true), 1);
  EXPECT_TRUE(is_power_of_two(weight.scale[0]));
  EXPECT_LE(100 / (0x1p-10 * static_cast<double>(weight.scale[0])), 0x1p30);
}

TEST(PowerOfTwo, EveryScaleOfTheModelIsOne) {
  ir::Model model;
  const double error =
      error_of_quantized("{weights: {scales: power-of-two}, activations: {scales: power-of-two}}", &model);
  EXPECT_LT(error, 0.1);
  EXPECT_GT(error, 0);
  int seen = 0;
  for (ir::NodeId id : model.graph.nodes()) {
    const ir::Node& node = model.graph.node(id);
    if (!node.is("QuantizeLinear") && !node.is("DequantizeLinear")) continue;
    for (const float scale : model.graph.constant(node.input(1))->data<float>()) {
      EXPECT_TRUE(is_power_of_two(scale)) << node.name;
      ++seen;
    }
  }
  EXPECT_GT(seen, 10);
}

TEST(PowerOfTwo, DynamicWeightsToo) {
  ir::Model model, free;
  const double error = error_of_quantized("{method: dynamic, weights: {scales: power-of-two}}", &model);
  EXPECT_LT(error, 0.1);
  EXPECT_LT(error_of_quantized("{method: dynamic}", &free), error);
  const auto scales = [](const ir::Model& of) {
    std::vector<float> all;
    for (const char* layer : {"stem", "body", "tail", "head"})
      for (const float scale :
           of.graph.constant(of.graph.find_value(std::string(layer) + ".weight_scale"))->data<float>())
        all.push_back(scale);
    return all;
  };
  EXPECT_EQ(scales(model).size(), 28U);
  EXPECT_TRUE(std::ranges::all_of(scales(model), is_power_of_two));
  EXPECT_FALSE(std::ranges::any_of(scales(free), is_power_of_two));
}

TEST(SixteenBits, ParamsUseAllOfThem) {
  const passes::QuantParams affine = affine_params({-1.0, 4.1}, {.bits = 16});
  EXPECT_EQ(affine.dtype, DType::kUint16);
  EXPECT_FLOAT_EQ(affine.scale[0], 5.1F / 65535);
  EXPECT_EQ(affine.zero_point[0], 12850);
  EXPECT_EQ(symmetric_params({-1.0, 0.5}, {.bits = 16}).dtype, DType::kInt16);
}

TEST(SixteenBits, LoseLittleAndAskForOpset21) {
  for (const char* scheme : {"affine", "symmetric"}) {
    ir::Model model;
    const std::string wide = std::string("{activations: {bits: 16, scheme: ") + scheme + "}, protect: {macs: 0}}";
    const double narrow = error_of_quantized("{protect: {macs: 0}}"), error = error_of_quantized(wide, &model);
    EXPECT_LT(error, narrow) << scheme;
    EXPECT_GT(error, 0);
    EXPECT_GE(model.opset(), 21);
    const ir::ValueId image = model.graph.find_value("image_quantized");
    EXPECT_EQ(model.graph.value(image).dtype, std::string(scheme) == "affine" ? DType::kUint16 : DType::kInt16);
  }
}

TEST(SixteenBits, OneLayersInputAlone) {
  ir::Model model;
  error_of_quantized("{activations: {wide: [body]}}", &model);
  const auto type = [&](const char* value) { return model.graph.value(model.graph.find_value(value)).dtype; };
  EXPECT_EQ(type("pool_out_quantized"), DType::kUint16);
  EXPECT_EQ(type("stem_relu_out_quantized"), DType::kUint16) << "shares its parameters";
  EXPECT_EQ(type("body_relu_out_quantized"), DType::kUint8);
  World world(std::string("bad_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
  EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {activations: {wide: [bdy]}}}]"); }).code(), ErrorCode::kUsage);
}

TEST(SixteenBits, ProtectedLayersKeepTheirIntegers) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  const PipelineResult result =
      world.run("steps: [{quantize: {protect: {snr: 200, macs: 0.9, as: int16}, bias_correction: false}}]");
  const nlohmann::json& kept = result.run.at("steps").at(0).at("quantized").at("choice").at("protected");
  ASSERT_GT(kept.at("nodes").size(), 0u);
  EXPECT_GT(kept.at("after_db").get<double>(), kept.at("before_db").get<double>());
  for (const nlohmann::json& name : kept.at("nodes")) {
    const ir::Graph& graph = result.model.graph;
    const ir::Node& node = graph.node(graph.find_node(name.get<std::string>()));
    const auto integers = [&](std::size_t slot) {
      return graph.value(graph.node(graph.producer(node.input(slot))).input(0)).dtype;
    };
    EXPECT_EQ(integers(0), DType::kUint16);
    EXPECT_EQ(integers(1), DType::kInt8) << "the weight is stored in 8 bits";
  }
}

}  // namespace
}  // namespace pare::compress
