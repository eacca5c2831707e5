// The public API on the small models of examples/models.
#include <gtest/gtest.h>

#include <cmath>

#include "api/plugin.h"
#include "onnx/onnx_file.h"
#include "pare/bench.h"
#include "pare/check.h"
#include "pare/error.h"
#include "pare/inspect.h"
#include "pare/recipe.h"
#include "pare/session.h"

namespace pare {
namespace {

const std::string kConvnet = std::string(PARE_SOURCE_DIR) + "/examples/models/fmnist_convnet.onnx";

template <class F>
std::string message_of(ErrorCode code, F&& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(ApiModel, DescribesItsPorts) {
  const Model model = Model::load(kConvnet);
  ASSERT_EQ(model.inputs().size(), 1u);
  EXPECT_EQ(model.inputs()[0].dims, (std::vector<std::string>{"N", "1", "28", "28"}));
  EXPECT_EQ(model.outputs()[0].dims.back(), "10");
  EXPECT_EQ(model.path(), kConvnet);
}

TEST(ApiModel, SurvivesSerialization) {
  const Model model = Model::load(kConvnet);
  const Model again = Model::parse(model.serialize(), "memory");
  const NamedTensors inputs = random_inputs(model, 3);
  const NamedTensors a = Session(model).run(inputs), b = Session(again).run(inputs);
  ASSERT_EQ(a.size(), 1u);
  EXPECT_TRUE(a.begin()->second.identical(b.begin()->second));
  EXPECT_EQ(a.begin()->second.dims(), (Dims{3, 10}));
}

TEST(ApiModel, MissingFileIsBadInput) {
  EXPECT_NE(message_of(ErrorCode::kBadInput, [] { Model::load("absent.onnx"); }).find("absent.onnx"),
            std::string::npos);
}

TEST(ApiSession, NamesTheWrongInput) {
  Session session(Model::load(kConvnet));
  const NamedTensors wrong{{"picture", Tensor(DType::kFloat32, {1, 1, 28, 28})}};
  EXPECT_NE(message_of(ErrorCode::kBadInput, [&] { session.run(wrong); }).find("picture"), std::string::npos);
}

TEST(ApiInspect, CountsMacsOfTheConvnet) {
  const Inspection result = inspect(Model::load(kConvnet));
  // conv1 28·28·16·9, conv2 14·14·32·16·9, fc 1568·10
  EXPECT_EQ(result.macs, 28 * 28 * 16 * 9 + 14 * 14 * 32 * 16 * 9 + 1568 * 10);
  EXPECT_EQ(result.parameters, 16 * 9 + 16 + 32 * 16 * 9 + 32 + 1568 * 10 + 10);
  EXPECT_TRUE(result.plan.empty());
}

TEST(ApiCheck, FindsANanAndForgivesAnInfinityThatIsNoWeight) {
  ir::Model poisoned = onnx::read_model(kConvnet);
  for (ir::ValueId id : poisoned.graph.values()) {
    const Tensor* constant = poisoned.graph.constant(id);
    if (!constant || constant->dtype() != DType::kFloat32) continue;
    Tensor copy = constant->clone();
    const bool bias = copy.rank() == 1;
    copy.mutable_data<float>()[0] = bias ? INFINITY : NAN;
    poisoned.graph.set_constant(id, copy);
  }
  const CheckReport report = check(Model::parse(onnx::serialize_model(poisoned), "memory"));
  EXPECT_FALSE(report.valid());
  int harmful = 0, harmless = 0;
  for (const NonFiniteTensor& tensor : report.non_finite) ++(tensor.harmful ? harmful : harmless);
  EXPECT_EQ(harmful, 3);
  EXPECT_EQ(harmless, 3);
  EXPECT_TRUE(check(Model::load(kConvnet)).valid());
}

TEST(ApiBench, NestsThreadsBatchesModels) {
  const Model model = Model::load(kConvnet);
  BenchOptions options;
  options.threads = {1};
  options.batches = {1, 2};
  options.seconds = 0.01;
  const std::vector<BenchResult> results = bench({model, model}, options);
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[1].batch, 1);
  EXPECT_EQ(results[2].batch, 2);
  for (const BenchResult& result : results) {
    EXPECT_GE(result.latency.runs, 10);
    EXPECT_NEAR(result.throughput, static_cast<double>(result.batch) * 1000 / result.latency.median_ms, 1e-6);
  }
}

TEST(ApiRecipe, RoundTripsThroughYaml) {
  const Recipe recipe = Recipe::single_step("prune", R"({"pattern": "8:64"})", 0.5);
  EXPECT_EQ(recipe.steps(), (std::vector<std::string>{"prune: magnitude"}));
  EXPECT_EQ(Recipe::parse(recipe.to_yaml(), "again").to_yaml(), recipe.to_yaml());
  EXPECT_NE(recipe.to_yaml().find("max_drop: 0.5"), std::string::npos);
  message_of(ErrorCode::kUsage, [] { Recipe::single_step("prune", R"({"patern": "8:64"})"); });
}

TEST(ApiPlugin, LooksInTheGivenFoldersFirst) {
  ::setenv("PARE_PLUGIN_PATH", "/first::/second", 1);
  const auto folders = api::plugin_folders();
  ::unsetenv("PARE_PLUGIN_PATH");
  ASSERT_EQ(folders.size(), 3u);
  EXPECT_EQ(folders[0], "/first");
  EXPECT_EQ(folders[1], "/second");
  EXPECT_EQ(folders[2].filename(), "pare");
}

}  // namespace
}  // namespace pare
