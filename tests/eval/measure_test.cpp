#include "eval/measure.h"

#include <gtest/gtest.h>

#include "eval/fakes.h"
#include "eval/turns.h"
#include "pare/error.h"

namespace pare::eval {
namespace {

/// image [N, 2, 3, 3] → Conv(4 outputs, 1×1, bias) → Flatten → Gemm(5 outputs), half of the convolution's weights zero.
ir::Model small_model() {
  ir::Model model;
  ir::Graph& graph = model.graph;
  const ir::ValueId x = graph.add_input("image", DType::kFloat32, ir::Shape({ir::Dim::symbol("N"), 2, 3, 3}));
  const ir::ValueId w = graph.add_initializer("w", Tensor::from<float>({4, 2, 1, 1}, {1, 0, 2, 0, 3, 0, 4, 0}));
  const ir::ValueId b = graph.add_initializer("b", Tensor::from<float>({4}, {1, 1, 1, 1}));
  const ir::ValueId c = graph.add_value("c"), f = graph.add_value("f"), y = graph.add_value("y");
  graph.add_node({.name = "conv", .op_type = "Conv", .inputs = {x, w, b}, .outputs = {c}});
  graph.add_node({.name = "flatten", .op_type = "Flatten", .inputs = {c}, .outputs = {f}});
  const ir::ValueId g = graph.add_initializer("g", Tensor::from<float>({36, 5}, std::vector<float>(180, 0.5f)));
  graph.add_node({.name = "fc", .op_type = "Gemm", .inputs = {f, g}, .outputs = {y}});
  graph.outputs = {y};
  return model;
}

TEST(ModelCost, CountsParametersMacsBytesAndZeros) {
  const ModelCost cost = model_cost(small_model(), {{"image", {2, 2, 3, 3}}});
  EXPECT_EQ(cost.parameters, 8 + 4 + 180);
  EXPECT_EQ(cost.nonzero_parameters, 4 + 4 + 180);
  EXPECT_EQ(cost.macs, 2 * (9 * 8 + 180));
  ASSERT_EQ(cost.layers.size(), 2u);
  EXPECT_EQ(cost.layers[0].node, "conv");
  EXPECT_EQ(cost.layers[0].parameters, 12);
  EXPECT_EQ(cost.layers[0].bytes, 48);
  EXPECT_EQ(cost.layers[0].macs, 2 * 72);
  EXPECT_EQ(cost.layers[0].bits, 32);
  EXPECT_DOUBLE_EQ(cost.layers[0].sparsity, 0.5);
}

TEST(LayerLatency, FollowsTheStepThatCoversTheNode) {
  ModelCost cost = model_cost(small_model(), {{"image", {1, 2, 3, 3}}});
  FunctionExecutor executor(2, [](std::int64_t) { return 0; });
  add_layer_latency(cost, executor, {}, 1);
  EXPECT_EQ(cost.layers[0].kernel, "first_kernel");
  EXPECT_DOUBLE_EQ(cost.layers[0].latency_ms, 1.5);
  EXPECT_EQ(cost.layers[1].kernel, "second_kernel");
}

TEST(Latency, RunsAsOftenAsAsked) {
  FunctionExecutor executor(2, [](std::int64_t) { return 0; });
  const Latency latency = measure_latency(executor, {{"x", Tensor::from<float>({1}, {1})}},
                                          {.warmup = 2, .min_runs = 7, .max_runs = 7, .seconds = 0});
  EXPECT_EQ(executor.runs, 9);
  EXPECT_EQ(latency.runs, 7);
  EXPECT_LE(latency.min_ms, latency.median_ms);
  EXPECT_LE(latency.median_ms, latency.p90_ms);
}

TEST(RandomInputs, AreSeededAndTyped) {
  ir::Model model = small_model();
  const std::map<std::string, Dims> shapes{{"image", {1, 2, 3, 3}}};
  EXPECT_TRUE(random_inputs(model, shapes, 1)["image"].identical(random_inputs(model, shapes, 1)["image"]));
  EXPECT_FALSE(random_inputs(model, shapes, 1)["image"].identical(random_inputs(model, shapes, 2)["image"]));
  model.graph.value(model.graph.find_value("image")).dtype = DType::kInt64;
  const NamedTensors integers = random_inputs(model, shapes, 1);  // named: the loop must not outlive its tensor
  for (std::int64_t v : integers.at("image").data<std::int64_t>()) EXPECT_TRUE(v == 0 || v == 1);
  EXPECT_THROW(random_inputs(model, {}, 1), Error);
}

}  // namespace
}  // namespace pare::eval
