// quantize target: what each engine's rules mean for the file, and what it refuses.
#include "compress/quantize/engine.h"

#include <gtest/gtest.h>

#include "../fakes.h"
#include "base/float16.h"

namespace pare::compress {
namespace {

ir::Model quantized(const std::string& target, const std::string& more = "") {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  return world.run("steps: [{quantize: {target: " + target + more + "}}]").model;
}

/// Quantization parameters of activations by value.
std::map<std::string, std::pair<DType, double>> activations(const ir::Model& model) {
  std::map<std::string, std::pair<DType, double>> found;
  const ir::Graph& graph = model.graph;
  for (ir::NodeId id : graph.nodes()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("QuantizeLinear")) continue;
    const Tensor& zero = *graph.constant(node.input(2));
    found[graph.value(node.input(0)).name] = {zero.dtype(), element_as_double(zero, 0)};
  }
  return found;
}

bool reads_integers(const ir::Graph& graph, const char* node, std::size_t slot) {
  const ir::NodeId producer = graph.producer(graph.node(graph.find_node(node)).input(slot));
  return producer != ir::kNoNode && graph.node(producer).is("DequantizeLinear");
}

TEST(Engine, TensorRtGetsInt8AroundZeroAndFloatBiases) {
  const ir::Model model = quantized("tensorrt");
  const ir::Graph& graph = model.graph;
  ASSERT_FALSE(activations(model).empty());
  for (const auto& [value, params] : activations(model)) {
    EXPECT_EQ(params.first, DType::kInt8) << value;
    EXPECT_EQ(params.second, 0) << value;
  }
  for (ir::NodeId id : graph.nodes()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("DequantizeLinear")) continue;
    EXPECT_EQ(graph.value(node.input(0)).dtype, DType::kInt8) << node.name << ": neither uint8 nor int32";
    if (const Tensor* weight = graph.constant(node.input(0))) {
      EXPECT_EQ(graph.constant(node.input(1))->numel(), weight->dim(0)) << "a scale for each output channel";
      for (std::int64_t i = 0; i < weight->numel(); ++i) EXPECT_GE(element_as_double(*weight, i), -127);
    }
  }
  EXPECT_TRUE(reads_integers(graph, "add", 1)) << "the residual is quantized";
  EXPECT_FALSE(reads_integers(graph, "add", 0)) << "what the convolution adds it to is not";
}

TEST(Engine, OpenVinoGetsNoZeroPointsAndUnsignedWhereItCan) {
  const auto params = activations(quantized("openvino"));
  EXPECT_EQ(params.at("image").first, DType::kInt8) << "images here have both signs";
  EXPECT_EQ(params.at("stem_relu_out").first, DType::kUint8);
  for (const auto& [value, one] : params) EXPECT_EQ(one.second, 0) << value;
}

TEST(Engine, OnnxRuntimeGetsUint8WithInt32Biases) {
  const ir::Model model = quantized("onnxruntime");
  for (const auto& [value, one] : activations(model)) EXPECT_EQ(one.first, DType::kUint8) << value;
  EXPECT_TRUE(reads_integers(model.graph, "body", 2));
  EXPECT_TRUE(reads_integers(model.graph, "add", 0) && reads_integers(model.graph, "add", 1));
}

TEST(Engine, TheMseCalibratorSearchesTheRangeThatIsWritten) {
  for (const char* target : {"openvino", "tensorrt"}) {
    const ir::Model model = quantized(target, ", activations: {calibrator: mse}");
    const auto params = activations(model);
    for (const auto& [value, one] : params) EXPECT_EQ(one.second, 0) << target << ' ' << value;
    EXPECT_EQ(params.at("stem_relu_out").first, std::string(target) == "openvino" ? DType::kUint8 : DType::kInt8);
  }
}

TEST(Engine, AnyIsTheDefaultAndAsksForNothing) {
  EXPECT_EQ(engine_of(nlohmann::json::object()).name, "any");
  EXPECT_EQ(engines().front()->name, "any");
  const nlohmann::json options = {{"activations", {{"scheme", "auto"}}}};
  EXPECT_EQ(activation_scheme(options), "affine");
}

TEST(Engine, RefusesWhatItCannotExpress) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  for (const auto& [options, subject] : std::vector<std::pair<std::string, std::string>>{
           {"target: tensorrt, activations: {scheme: affine}", "quantize.activations.scheme"},
           {"target: tensorrt, weights: {bits: 4}", "quantize.weights.bits"},
           {"target: tensorrt, activations: {bits: 16}", "quantize.activations.bits"},
           {"target: tensorrt, format: qoperator", "quantize.format"},
           {"target: tensorrt, mixed: {average: 4}", "quantize.mixed.choices"},
           {"target: openvino, protect: {as: int16}", "quantize.protect.as"},
           {"target: openvino, activations: {wide: [body]}", "quantize.activations.wide"},
           {"target: onnxruntime, activations: {scheme: symmetric}", "quantize.activations.scheme"}}) {
    const Error error = error_of([&] { world.run("steps: [{quantize: {" + options + "}}]"); });
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << options;
    EXPECT_EQ(error.subject(), subject) << options;
  }
  EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {target: tensort}}]"); }).code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace pare::compress
