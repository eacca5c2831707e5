// Few bits in the file and in activations, binary and ternary weights after training, weights with zero points, groups of
// convolutions.
#include <gtest/gtest.h>

#include "../fakes.h"
#include "base/float16.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/sign_levels.h"

namespace pare::compress {
namespace {

struct Outcome {
  ir::Model model;
  nlohmann::json step;
  double error = 0;  ///< largest difference of the outputs relative to the float output's range
};

Outcome run(const std::string& options, std::int64_t opset = 0) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  if (opset > 0) passes::raise_opset(world.model, opset);
  const PipelineResult result = world.run("steps: [{quantize: " + options + "}]");
  const NamedTensors inputs = world.dataset.test->batch({0, 1, 2, 3, 4, 5}).inputs;
  const Tensor a = ir::evaluate(world.model, inputs).begin()->second, b = ir::evaluate(result.model, inputs).begin()->second;
  const auto [low, high] = std::minmax_element(a.data<float>().begin(), a.data<float>().end());
  float worst = 0;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i)
    worst = std::max(worst, std::fabs(a.data<float>()[i] - b.data<float>()[i]));
  return {result.model, result.run.at("steps").at(0), static_cast<double>(worst / (*high - *low))};
}

Error refusal(const std::string& options) {
  World world(std::string("bad_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
  return error_of([&] { world.run("steps: [{quantize: " + options + "}]"); });
}

const Tensor& stored(const ir::Model& model, const std::string& name) {
  return *model.graph.constant(model.graph.find_value(name));
}

TEST(FewBitWeights, TakeFourBitsInTheFile) {
  for (const std::string bits : {"2", "3", "4"}) {
    const ir::Model model = run("{weights: {bits: " + bits + "}, protect: {macs: 0}}").model;
    EXPECT_EQ(stored(model, "body.weight_quantized").dtype(), DType::kInt4) << bits;
    EXPECT_GE(model.opset(), 21);
    const ir::Model groups = run("{method: weight_only, weights: {group_size: 4, bits: " + bits + "}}").model;
    EXPECT_EQ(stored(groups, "head.weight_quantized").dtype(), DType::kUint4) << bits;
  }
}

TEST(FewBitWeights, AreBytesWhereTheEngineFusesBytesOnly) {
  for (const char* more : {"target: onnxruntime", "target: openvino", "target: tensorrt", "format: qoperator"}) {
    const ir::Model model = run(std::string("{weights: {bits: 3}, protect: {macs: 0}, ") + more + "}").model;
    EXPECT_EQ(stored(model, "body.weight_quantized").dtype(), DType::kInt8) << more;
    EXPECT_LT(model.opset(), 21) << more;
  }
}

TEST(FewBitWeights, TakeTwoBitsWhereTheOpsetHasThem) {
  const std::string options = "{method: weight_only, weights: {bits: 2, scheme: symmetric, group_size: 0}}";
  const Outcome two = run(options, 25), four = run(options);
  EXPECT_EQ(stored(two.model, "body.weight_quantized").dtype(), DType::kInt2);
  EXPECT_GE(two.model.ir_version, 13);
  const Tensor &a = stored(two.model, "body.weight_quantized"), &b = stored(four.model, "body.weight_quantized");
  EXPECT_LE(a.bytes() * 2, b.bytes() + 1);
  for (std::int64_t i = 0; i < a.numel(); ++i) EXPECT_EQ(element_as_double(a, i), element_as_double(b, i));
  EXPECT_EQ(stored(run("{method: weight_only, weights: {bits: 3, scheme: symmetric, group_size: 0}}", 25).model,
                   "body.weight_quantized").dtype(), DType::kInt4);
  EXPECT_EQ(stored(run("{weights: {bits: 2}, protect: {macs: 0}}", 25).model, "body.weight_quantized").dtype(), DType::kInt4)
      << "ONNX Runtime would fuse it into what takes no two bits";
  const Outcome affine = run("{method: weight_only, weights: {bits: 2, group_size: 4, rounding: nearest}}", 25);
  EXPECT_EQ(stored(affine.model, "head.weight_quantized").dtype(), DType::kUint2);
  EXPECT_EQ(stored(affine.model, "head.weight_zero_point").dtype(), DType::kUint2);
}

TEST(FewBitWeights, IndicesOfSmallCodebooksTakeTwoBits) {
  EXPECT_EQ(stored(run("{method: codebook, entries: 4}", 25).model, "body.weight_indices").dtype(), DType::kUint2);
  EXPECT_EQ(stored(run("{method: codebook, entries: 5}", 25).model, "body.weight_indices").dtype(), DType::kUint4);
  EXPECT_EQ(stored(run("{method: codebook, entries: 4}").model, "body.weight_indices").dtype(), DType::kUint4);
}

TEST(FewBitActivations, ParamsSayTheBits) {
  const passes::QuantParams affine = affine_params({-1, 2}, {.bits = 4});
  EXPECT_EQ(affine.dtype, DType::kUint8);
  EXPECT_EQ(affine.bits, 4);
  EXPECT_FLOAT_EQ(affine.scale[0], 3.0F / 15);
  EXPECT_EQ(affine.zero_point[0], 5);
  const passes::QuantParams symmetric = symmetric_params({-1, 2}, {.bits = 3});
  EXPECT_FLOAT_EQ(symmetric.scale[0], 2.0F / 3);
  EXPECT_EQ(symmetric.bits, 3);
  EXPECT_EQ(affine_params({-1, 2}).bits, 0) << "a whole type needs no clip";
}

TEST(FewBitActivations, CostMoreAndAreClipped) {
  double last = 0;
  for (const char* bits : {"8", "6", "4", "2"}) {
    const Outcome one = run(std::string("{activations: {bits: ") + bits + ", calibrator: min-max}, protect: {macs: 0}}");
    EXPECT_GT(one.error, last) << bits;
    last = one.error;
  }
  const ir::Model model = run("{activations: {bits: 4}, protect: {macs: 0}}").model;
  const ir::Graph& graph = model.graph;
  const ir::Node& relu = graph.node(graph.find_node("body_relu"));
  ASSERT_TRUE(relu.is("Clip")) << "the Relu takes the bounds over";
  const float scale = stored(model, "body_relu_out_scale").data<float>()[0];
  EXPECT_FLOAT_EQ(graph.constant(relu.input(2))->data<float>()[0], 15 * scale);
}

TEST(FewBitActivations, EntropyCountsTheirLevels) {
  ActivationHistogram seen;
  std::vector<float> values;
  Rng rng(3, kRngTest);
  for (int i = 0; i < 20000; ++i) values.push_back(static_cast<float>(rng.normal()));
  ASSERT_TRUE(seen.add(values, true));
  const auto range = [&](int bits) {
    return find_calibrator("entropy").range(seen, {{"scheme", "symmetric"}, {"bits", bits}}).high;
  };
  EXPECT_LT(range(3), 0.9 * range(8)) << "few levels are better spent on the middle";
}

TEST(FewBitActivations, OneBitAndNineAreRefused) {
  for (const char* bits : {"1", "9"}) {
    const Error error = refusal(std::string("{activations: {bits: ") + bits + "}}");
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_EQ(error.subject(), "quantize.activations.bits");
  }
  for (const char* target : {"onnxruntime", "openvino", "tensorrt"}) {
    const Error error = refusal(std::string("{activations: {bits: 4}, target: ") + target + "}");
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << target;
    EXPECT_EQ(error.subject(), "quantize.activations.bits") << target;
  }
}

TEST(SignWeights, AreThePapers) {
  const Tensor weight = Tensor::from({2, 4}, std::vector<float>{1, -2, 0.1F, -0.3F, 0, 0, 0, 0});
  const SignLevels binary = sign_levels(weight, 0, {.bits = 1, .signs = ir::FakeScheme::kBinary});
  EXPECT_FLOAT_EQ(binary.params.scale[0], 0.85F);
  EXPECT_FLOAT_EQ(binary.params.scale[1], 0.85F) << "a channel of zeros takes the largest";
  const double signs[] = {1, -1, 1, -1, 0, 0, 0, 0};
  for (std::int64_t i = 0; i < 8; ++i) EXPECT_EQ(element_as_double(binary.integers, i), signs[i]) << i;
  const SignLevels ternary = sign_levels(weight, 0, {.bits = 2, .signs = ir::FakeScheme::kTernary});
  EXPECT_FLOAT_EQ(ternary.params.scale[0], 1.5F) << "of those above 0.7 · 0.85";
  EXPECT_EQ(element_as_double(ternary.integers, 2), 0);
  EXPECT_EQ(ternary.integers.dtype(), DType::kInt4);
  EXPECT_EQ(sign_levels(weight, 0, {.bytes = true, .signs = ir::FakeScheme::kTernary}).integers.dtype(), DType::kInt8);
}

TEST(SignWeights, StaticWritesThem) {
  for (const char* weights : {"{bits: 1}", "{quantizer: binary}", "{quantizer: ternary}"}) {
    const Outcome one = run(std::string("{weights: ") + weights + ", protect: {macs: 0}}");
    const Tensor& body = stored(one.model, "body.weight_quantized");
    std::set<double> levels;
    for (std::int64_t i = 0; i < body.numel(); ++i) levels.insert(element_as_double(body, i));
    const bool ternary = std::string(weights) == "{quantizer: ternary}";
    EXPECT_EQ(levels, ternary ? (std::set<double>{-1, 0, 1}) : (std::set<double>{-1, 1})) << weights;
    EXPECT_EQ(one.step.at("quantized").at("choice").at("rounding"), "nearest");
  }
}

TEST(SignWeights, WhatDoesNotGoWithThemIsRefused) {
  for (const auto& [weights, subject] : std::vector<std::pair<std::string, std::string>>{
           {"{quantizer: binary, bits: 3}", "quantize.weights.bits"},
           {"{quantizer: even, bits: 1}", "quantize.weights.bits"},
           {"{bits: 1, scheme: affine}", "quantize.weights.scheme"},
           {"{quantizer: ternary, rounding: gptq}", "quantize.weights.rounding"},
           {"{quantizer: ternary, scales: power-of-two}", "quantize.weights.scales"}}) {
    const Error error = refusal("{weights: " + weights + "}");
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << weights;
    EXPECT_EQ(error.subject(), subject) << weights;
  }
  EXPECT_EQ(refusal("{weights: {quantizer: binary}, mixed: {average: 4}}").subject(), "quantize.weights.quantizer");
}

TEST(AffineWeights, HaveZeroPointsAndLoseLess) {
  World world("affine_weights");
  // All weights of a layer on one side: half of what symmetric integers can say is wasted.
  Tensor shifted = stored(world.model, "body.weight").clone();
  for (float& w : shifted.mutable_data<float>()) w = std::fabs(w);
  const passes::QuantParams affine = weight_params(shifted, 0, {.symmetric = false}), even = weight_params(shifted, 0, {});
  EXPECT_EQ(affine.dtype, DType::kUint8);
  EXPECT_LT(affine.scale[0], 0.51F * even.scale[0]);
  const Outcome one = run("{weights: {scheme: affine}, protect: {macs: 0}}");
  EXPECT_LT(one.error, 0.1);
  EXPECT_EQ(stored(one.model, "body.weight_zero_point").dtype(), DType::kUint8);
  for (const char* target : {"openvino", "tensorrt"}) {
    const Error error = refusal(std::string("{weights: {scheme: affine}, target: ") + target + "}");
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << target;
    EXPECT_EQ(error.subject(), "quantize.weights.scheme") << target;
  }
}

TEST(ConvolutionGroups, AreBlocksAlongTheInputChannels) {
  const auto options = [](const std::string& group) {
    return "{method: weight_only, weights: {group_size: 4, conv_group_size: " + group + ", rounding: nearest}}";
  };
  const Outcome one = run(options("4"));
  const ir::Graph& graph = one.model.graph;
  const ir::Node& body = graph.node(graph.producer(graph.node(graph.find_node("body")).input(1)));
  EXPECT_EQ(body.int_or("block_size", 0), 4);
  EXPECT_EQ(body.int_or("axis", 0), 1);
  EXPECT_EQ(graph.constant(body.input(1))->dims(), (Dims{8, 2, 3, 3})) << "a scale for four inputs at each tap";
  const ir::Node& stem = graph.node(graph.producer(graph.node(graph.find_node("stem")).input(1)));
  EXPECT_EQ(stem.int_or("block_size", 0), 0) << "one input channel";
  EXPECT_LT(one.error, run(options("0")).error);
  const Error error = refusal(options("3"));
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error.subject(), "node 'body'");
  EXPECT_NE(std::string(error.what()).find("conv_group_size"), std::string::npos);
}

TEST(ConvolutionGroups, GptqTakesThem) {
  const auto error = [](const std::string& rounding) {
    return run("{method: weight_only, weights: {group_size: 4, conv_group_size: 4, bits: 3, rounding: " + rounding + "}}").error;
  };
  EXPECT_LT(error("gptq"), error("nearest"));
}

}  // namespace
}  // namespace pare::compress
