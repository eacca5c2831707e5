#include <gtest/gtest.h>

#include "compress/lowrank/factorize.h"
#include "fakes.h"

namespace pare::compress {
namespace {

Layer layer_of(const ir::Model& model, const std::string& name) {
  for (const Layer& layer : find_layers(model.graph))
    if (layer.name == name) return layer;
  throw Error(ErrorCode::kInternal, name, "no such layer");
}

Svd svd_of(const ir::Model& model, const Layer& layer) {
  return singular_values(weight_matrix(model.graph, layer), layer.weight.view.outputs,
                         layer.weight.view.inputs * layer.weight.view.taps);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i)
    worst =
        std::max(worst, std::fabs(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i])));
  return worst;
}

/// Every form of layer: strided, dilated and padded convolution, Gemm both ways round, MatMul.
ir::Model all_forms() {
  Builder b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 6, 9, 9});
  ir::ValueId conv = b.add(
      "Conv", "strided",
      {x, b.constant("strided.w", random_tensor({10, 6, 3, 3}, 1)), b.constant("strided.b", random_tensor({10}, 2))},
      {{"pads", std::vector<std::int64_t>{2, 1, 2, 1}},
       {"strides", std::vector<std::int64_t>{2, 2}},
       {"dilations", std::vector<std::int64_t>{2, 1}}});
  ir::ValueId point = b.add("Conv", "point", {conv, b.constant("point.w", random_tensor({8, 10, 1, 1}, 3))});
  ir::ValueId flat = b.add("Flatten", "flat", {b.add("GlobalAveragePool", "mean", {b.add("Relu", "relu", {point})})});
  ir::ValueId a =
      b.add("Gemm", "plain",
            {flat, b.constant("plain.w", random_tensor({8, 12}, 4)), b.constant("plain.b", random_tensor({12}, 5))},
            {{"alpha", 0.5f}, {"beta", 2.0f}});
  ir::ValueId c =
      b.add("Gemm", "turned",
            {a, b.constant("turned.w", random_tensor({9, 12}, 6)), b.constant("turned.b", random_tensor({9}, 7))},
            {{"transB", std::int64_t{1}}});
  return b.finish(b.add("MatMul", "product", {c, b.constant("product.w", random_tensor({9, 5}, 8))}));
}

TEST(Factorize, FullRankIsTheSameFunction) {
  const ir::Model whole = all_forms();
  const NamedTensors inputs = {{"x", random_tensor({2, 6, 9, 9}, 20, 1)}};
  const Tensor expected = ir::evaluate(whole, inputs).at("product_out");
  for (const char* name : {"strided", "point", "plain", "turned", "product"}) {
    ir::Model model = whole;
    const Layer layer = layer_of(model, name);
    const Svd svd = svd_of(model, layer);
    factorize(model.graph, layer, svd, svd.rank);
    ir::infer_shapes(model);
    EXPECT_EQ(model.graph.nodes().size(), whole.graph.nodes().size() + 1) << name;
    EXPECT_EQ(model.graph.find_value(layer.weight_name), ir::kNoValue) << name << ": the whole weight must go";
    EXPECT_LT(largest_difference(expected, ir::evaluate(model, inputs).at("product_out")), 1e-4) << name;
  }
}

TEST(Factorize, TheErrorIsWhatTheSingularValuesSay) {
  ir::Model model = all_forms();
  const Layer layer = layer_of(model, "point");
  const Svd svd = svd_of(model, layer);
  const std::vector<float> before = weight_matrix(model.graph, layer);
  const std::int64_t rank = 3;
  factorize(model.graph, layer, svd, rank);
  const auto right = model.graph.constant(model.graph.find_value("point.w_right"))->data<float>();
  const auto left = model.graph.constant(model.graph.find_value("point.w_left"))->data<float>();
  double error = 0, expected = 0;
  for (std::size_t r = 0; r < 8; ++r)
    for (std::size_t c = 0; c < 10; ++c) {
      double sum = 0;
      for (std::size_t k = 0; k < 3; ++k)
        sum += static_cast<double>(left[r * 3 + k]) * static_cast<double>(right[k * 10 + c]);
      const double off = sum - static_cast<double>(before[r * 10 + c]);
      error += off * off;
    }
  for (std::size_t k = 3; k < svd.s.size(); ++k)
    expected += static_cast<double>(svd.s[k]) * static_cast<double>(svd.s[k]);
  EXPECT_NEAR(error, expected, 1e-4 * expected) << "Eckart–Young";
}

nlohmann::json layer_record(const nlohmann::json& run, const std::string& node) {
  for (const auto& layer : run["steps"][0]["lowrank"]["layers"])
    if (layer["node"] == node) return layer;
  return nullptr;
}

TEST(LowRank, RankByRatioAndTheReasonOfWhatStaysWhole) {
  World world("lowrank");
  world.model = residual_model(32);
  const PipelineResult result = world.run("steps: [{lowrank: {ratio: 0.25, measure: false}}]");
  EXPECT_EQ(layer_record(result.run, "body")["rank"], 8);
  EXPECT_TRUE(layer_record(result.run, "body")["factorized"].get<bool>());
  EXPECT_TRUE(layer_record(result.run, "body")["reason"].is_null());
  EXPECT_NE(result.model.graph.find_node("body_lowrank"), ir::kNoNode);
  EXPECT_LT(result.run["after"]["macs"].get<double>(), 0.5 * result.run["before"]["macs"].get<double>());
  const PipelineResult whole = world.run("steps: [{lowrank: {rank: 4, measure: false, include: [head]}}]");
  EXPECT_NE(layer_record(whole.run, "head")["reason"].get<std::string>().find("no smaller"), std::string::npos);
  EXPECT_EQ(whole.run["steps"][0]["lowrank"]["factorized"], 0);
}

TEST(LowRank, EnergyKeepsTheLeastRankThatHoldsIt) {
  World world("lowrank_energy");
  world.model = residual_model(32);
  const Layer layer = layer_of(world.model, "body");
  const Svd svd = svd_of(world.model, layer);
  double total = 0, sum = 0;
  for (float s : svd.s) total += static_cast<double>(s) * static_cast<double>(s);
  std::int64_t rank = 0;
  while (sum < 0.6 * total) {
    const auto s = static_cast<double>(svd.s[static_cast<std::size_t>(rank++)]);
    sum += s * s;
  }
  const PipelineResult result = world.run("steps: [{lowrank: {energy: 0.6, measure: false, include: [body]}}]");
  EXPECT_EQ(layer_record(result.run, "body")["rank"], rank);
  EXPECT_GE(layer_record(result.run, "body")["energy"].get<double>(), 0.6);
}

TEST(LowRank, MeasuresBothWays) {
  World world("lowrank_measure");
  world.model = residual_model(32);  // the reference takes time in proportion to the products
  const PipelineResult result = world.run("steps: [{lowrank: {rank: 2, include: [body]}}]");
  const nlohmann::json layer = layer_record(result.run, "body");
  EXPECT_GT(layer["whole_ms"].get<double>(), 0);
  EXPECT_GT(layer["factors_ms"].get<double>(), 0);
  EXPECT_EQ(layer["factorized"].get<bool>(),
            layer["factors_ms"].get<double>() < 0.98 * layer["whole_ms"].get<double>());
}

TEST(LowRank, PrunedLayersStayWholeUnlessToldOtherwise) {
  World world("lowrank_zeros");
  world.model = residual_model(32);
  const std::string prune = "{prune: {sparsity: 0.5, include: [body]}}, ";
  PipelineResult kept = world.run("steps: [" + prune + "{lowrank: {ratio: 0.25, measure: false, include: [body]}}]");
  EXPECT_EQ(kept.run["steps"][1]["lowrank"]["factorized"], 0);
  kept =
      world.run("steps: [" + prune + "{lowrank: {ratio: 0.25, measure: false, keep_zeros: false, include: [body]}}]");
  EXPECT_EQ(kept.run["steps"][1]["lowrank"]["factorized"], 1);
}

TEST(LowRank, OptionsThatContradict) {
  World world("lowrank_conflict");
  EXPECT_EQ(error_of([&] { world.run("steps: [{lowrank: {rank: 4, ratio: 0.5}}]"); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(error_of([&] { world.run("steps: [{lowrank: {energy: 1.5}}]"); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(error_of([&] { world.run("steps: [quantize, lowrank]"); }).code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace pare::compress
