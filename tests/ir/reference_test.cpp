// Whole models through the scalar reference against ONNX Runtime 1.32.0 (CPU, default options), whose outputs are
// recorded here for the input x[i] = float(37·i mod 101) / 50 − 1, batch 2.
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/infer.h"
#include "onnx/onnx_file.h"
#include "pare/error.h"

namespace pare::testing {
namespace {

Tensor probe(Dims dims) {
  Tensor x(DType::kFloat32, std::move(dims));
  std::int64_t i = 0;
  for (float& value : x.mutable_data<float>()) value = static_cast<float>(37 * i++ % 101) / 50.0F - 1.0F;
  return x;
}

void expect_outputs(const std::string& name, const std::vector<float>& expected) {
  const ir::Model model = onnx::read_model(PARE_SOURCE_DIR "/examples/models/" + name + ".onnx");
  const NamedTensors outputs = ir::evaluate(model, {{"image", probe({2, 1, 28, 28})}});
  ASSERT_EQ(outputs.size(), 1u);
  const auto got = outputs.begin()->second.data<float>();
  ASSERT_EQ(got.size(), expected.size());
  const auto [low, high] = std::ranges::minmax(expected);
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], 1e-4 * (high - low)) << name << " " << i;
}

TEST(Reference, ConvNetAgreesWithOnnxRuntime) {
  expect_outputs("fmnist_convnet", {-1.24895F, -0.487161F, -2.59301F, 0.573097F,  -1.73151F, -1.29025F, 4.725F,
                                    -2.2779F,  6.80266F,   -2.12597F, -0.510358F, -0.73638F, -1.55496F, 0.295258F,
                                    -1.86803F, -1.6721F,   4.40819F,  -2.14023F,  5.16936F,  -1.24508F});
}

TEST(Reference, MlpAgreesWithOnnxRuntime) {
  expect_outputs("fmnist_mlp", {1.50131F,  -0.363594F, 0.417311F, -0.209194F, -0.679324F,  0.581508F, 1.8961F,
                                -1.55917F, -0.198843F, -1.47571F, 0.0256157F, -0.794626F,  1.22508F,  0.579702F,
                                1.27787F,  -1.34319F,  0.858639F, -0.835611F, -0.0579836F, -1.09248F});
}

TEST(Reference, ResNetAgreesWithOnnxRuntime) {
  expect_outputs("fmnist_resnet10", {-0.270161F, -2.01419F, 4.91166F, -3.64369F, 1.61585F,  -2.8339F, 3.53576F,
                                     -3.3388F,   5.00118F,  -3.0675F, 0.254739F, -2.14244F, 5.39126F, -3.8626F,
                                     1.63742F,   -2.82693F, 3.44869F, -3.21442F, 4.49041F,  -3.29115F});
}

TEST(Reference, RefusesWrongInputs) {
  const ir::Model model = onnx::read_model(PARE_SOURCE_DIR "/examples/models/fmnist_mlp.onnx");
  const auto message = [&](const NamedTensors& inputs) -> std::string {
    try {
      ir::evaluate(model, inputs);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({}), "input 'image': no tensor was given");
  EXPECT_EQ(message({{"image", Tensor(DType::kUint8, {1, 1, 28, 28})}}),
            "input 'image': wrong element type (expected float32, got uint8)");
  EXPECT_EQ(message({{"image", Tensor(DType::kFloat32, {1, 3, 28, 28})}}),
            "input 'image': shape contradicts the model (expected [N, 1, 28, 28], got 1x3x28x28)");
  EXPECT_EQ(message({{"picture", Tensor(DType::kFloat32, {1, 1, 28, 28})}}),
            "input 'picture': the model has no such input");
}

}  // namespace
}  // namespace pare::testing
