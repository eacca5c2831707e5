// Large models (PARE_TEST_MODELS) through inference and the scalar reference against ONNX Runtime: the first outputs
// for the input x[i] = float(37·i mod 101) / 50 − 1, batch 1.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "ir/infer.h"
#include "onnx/onnx_file.h"

namespace pare::testing {
namespace {

ir::Model read(const std::string& name) {
  return onnx::read_model(std::string(std::getenv("PARE_TEST_MODELS")) + "/" + name);
}

/// Every value of the graph has a known shape but for the batch.
void expect_inferred(ir::Model model) {
  ir::infer_shapes(model);
  for (ir::NodeId id : model.graph.nodes()) {
    for (ir::ValueId out : model.graph.node(id).outputs) {
      const ir::Value& value = model.graph.value(out);
      ASSERT_TRUE(value.shape.ranked()) << value.name;
      for (const ir::Dim& dim : value.shape.dims())
        EXPECT_FALSE(dim.is_unknown()) << value.name << " " << to_string(value.shape);
    }
  }
}

void expect_outputs(const std::string& name, const Dims& dims, const std::vector<float>& expected, float range) {
  const ir::Model model = read(name);
  expect_inferred(model);
  Tensor x(DType::kFloat32, dims);
  std::int64_t i = 0;
  for (float& value : x.mutable_data<float>()) value = static_cast<float>(37 * i++ % 101) / 50.0F - 1.0F;
  const NamedTensors outputs = ir::evaluate(model, {{model.graph.value(model.graph.inputs[0]).name, x}});
  const auto got = outputs.begin()->second.data<float>();
  ASSERT_GE(got.size(), expected.size());
  for (std::size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(got[k], expected[k], 1e-4 * range) << name << " " << k;
}

class LargeModels : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("PARE_TEST_MODELS") == nullptr) GTEST_SKIP() << "PARE_TEST_MODELS is not set";
  }
};

TEST_F(LargeModels, ResNet18) {
  expect_outputs("fmnist_resnet18.onnx", {1, 1, 28, 28},
                 {2.59598F, -0.840368F, 7.0031F, 0.668295F, -1.04531F, -4.08681F, 3.40175F, -4.12092F}, 11.12F);
}

TEST_F(LargeModels, EfficientNetLite0WithDynamicPadding) {
  expect_outputs("efficientnet_lite0.onnx", {1, 3, 224, 224},
                 {-0.343726F, -0.228832F, -1.53568F, -1.85129F, -0.752079F, -0.318807F, -0.910298F, -0.37368F}, 9.124F);
}

TEST_F(LargeModels, MobileNetV3) {
  expect_outputs("mobilenet_v3_small_dynamo.onnx", {1, 3, 224, 224},
                 {-1.55559e-11F, -3.63324e-12F, 7.90805e-11F, -1.58289e-10F, 2.94361e-11F, 1.28143e-11F, 1.97866e-10F,
                  2.20139e-10F},
                 7.348e-10F);
}

}  // namespace
}  // namespace pare::testing
