// Importances of channels that look at inputs, gradients of samples, and BatchNormalization's scale.
#include "compress/prune/importance.h"

#include <gtest/gtest.h>

#include "../fakes.h"
#include "passes/pass.h"

namespace pare::compress {
namespace {

Tensor vector_of(const std::vector<float>& values) {
  return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
}

struct Normed : Builder {
  ir::ValueId norm(const std::string& name, ir::ValueId x, const std::vector<float>& scale) {
    const std::vector<float> ones(scale.size(), 1.0F), zeros(scale.size(), 0.0F);
    return add("BatchNormalization", name,
               {x, constant(name + ".scale", vector_of(scale)), constant(name + ".bias", vector_of(zeros)),
                constant(name + ".mean", vector_of(zeros)), constant(name + ".var", vector_of(ones))});
  }
  ir::Model head(ir::ValueId x, std::int64_t channels) {
    ir::ValueId flat = add("Flatten", "flat", {add("GlobalAveragePool", "pool", {x})});
    return finish(add("Gemm", "head", {flat, constant("head.weight", random_tensor({4, channels}, 9))},
                      {{"transB", std::int64_t{1}}}));
  }
};

/// stem → BatchNorm (folded) → relu → body → sum with the stem → BatchNorm (of the sum: stays) → relu → wide → head.
ir::Model normed_model() {
  Normed b;
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  ir::ValueId stem = b.add("Relu", "r0", {b.norm("n0", b.conv("stem", x, 1, 4, 1), {4, -3, 2, 1})});
  ir::ValueId sum = b.add("Add", "sum", {b.conv("body", stem, 4, 4, 2), stem});
  ir::ValueId after = b.add("Relu", "r1", {b.norm("n1", sum, {1, 1, 8, 2})});
  ir::ValueId wide = b.add("Relu", "r2", {b.norm("n2", b.conv("wide", after, 4, 6, 3), {6, 5, 4, 3, 2, 1})});
  return b.head(wide, 6);
}

TEST(Importances, UnevenUnitsLackWeightsThatCountAsZeros) {
  // Three filters of two weights; the first two are one unit, the third is another: (1, 2, 3, 4) and (1, 0).
  const Tensor weight = Tensor::from<float>({3, 2}, {1, 2, 3, 4, 1, 0});
  const std::vector<std::int32_t> units = {0, 0, 1};
  const FilterSet filters = {weight, 2, units, 2, nullptr, 7};
  const double apart = std::sqrt(4.0 + 9.0 + 16.0);
  EXPECT_EQ(find_importance("geometric-median").score(filters), (std::vector<double>{apart, apart}));
}

TEST(Importances, BatchNormScalesOfNodesAndOfWhatIsFolded) {
  ir::Model model = normed_model();
  passes::simplify(model);
  EXPECT_EQ(model.graph.find_node("n0"), ir::kNoNode) << "folded";
  ASSERT_NE(model.graph.find_node("n1"), ir::kNoNode) << "a sum is not folded into";
  const auto groups = ir::channel_groups(model);
  const Importance& importance = find_importance("bn-scale");
  const MeasuresOfLayers measures = measure_scales(model, model, groups);
  std::map<std::string, std::vector<double>> scores;
  for (const ir::ChannelGroup& group : groups)
    if (group.blocked.empty()) scores[group.name] = score_units(model.graph, group, importance, measures, 1);
  EXPECT_EQ(scores.at("wide"), (std::vector<double>{6 / 3.5, 5 / 3.5, 4 / 3.5, 3 / 3.5, 2 / 3.5, 1 / 3.5}));
  const std::vector<double> trunk = scores.at("stem");  // the mean of both, each relative to its own mean
  const double want[] = {(4 / 2.5 + 1 / 3.0) / 2, (3 / 2.5 + 1 / 3.0) / 2, (2 / 2.5 + 8 / 3.0) / 2,
                         (1 / 2.5 + 2 / 3.0) / 2};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(trunk[i], want[i], 1e-12);
}

TEST(Importances, BatchNormScaleTakesTheSmallestAndLeavesWhatHasNone) {
  World world("bn_scale");
  world.model = normed_model();
  const auto result =
      world.run("steps: [{prune: {method: filters, importance: bn-scale, ratio: 0.5, round_to: 1, include: [wide]}}]");
  const Tensor& head = *result.model.graph.constant(result.model.graph.find_value("head.weight"));
  const Tensor& before = *world.model.graph.constant(world.model.graph.find_value("head.weight"));
  ASSERT_EQ(head.dims(), (Dims{4, 3}));
  for (std::size_t o = 0; o < 4; ++o)
    for (std::size_t c = 0; c < 3; ++c)
      EXPECT_EQ(head.data<float>()[o * 3 + c], before.data<float>()[o * 6 + c]) << "6, 5 and 4 stay";
}

TEST(Importances, BatchNormScaleSaysWhatToUseWithoutOne) {
  World world("bn_scale_none");
  const Error none = error_of([&] { world.run("steps: [{prune: {method: filters, importance: bn-scale}}]"); });
  EXPECT_EQ(none.code(), ErrorCode::kUnsupported);
  for (const char* word : {"BatchNormalization", "folded", "l1"})
    EXPECT_NE(std::string(none.what()).find(word), std::string::npos) << none.what();
  Normed b;  // one layer with, one without
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  ir::ValueId with = b.add("Relu", "r0", {b.norm("n0", b.conv("with", x, 1, 8, 1), {8, 7, 6, 5, 4, 3, 2, 1})});
  world.model = b.head(b.add("Relu", "r1", {b.conv("without", with, 8, 8, 2)}), 8);
  const auto run = world.run("steps: [{prune: {method: filters, importance: bn-scale, round_to: 1}}]").run;
  for (const auto& group : run["steps"][0]["filters"]["groups"]) {
    if (group["group"] == "with") EXPECT_LT(group["kept"].get<int>(), 8);
    if (group["group"] == "without")
      EXPECT_EQ(group["reason"].get<std::string>(), "no BatchNormalization scales its channels");
  }
}

/// image → two (the second channel ten times as loud) → a (two filters) → b.
ir::Model loud_model() {
  Builder b;
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  ir::ValueId two = b.add("Conv", "two", {x, b.constant("two.w", Tensor::from<float>({2, 1, 1, 1}, {0.1F, 1}))});
  ir::ValueId a = b.add("Conv", "a", {two, b.constant("a.w", Tensor::from<float>({2, 2, 1, 1}, {5, 1, 1, 2}))});
  ir::ValueId y = b.add("Conv", "b", {b.add("Relu", "r", {a}), b.constant("b.w", random_tensor({3, 2, 1, 1}, 4))});
  return b.finish(b.add("Flatten", "flat", {b.add("GlobalAveragePool", "pool", {y})}));
}

TEST(Importances, InputsWeighAFiltersWeights) {
  World world("unit_inputs");
  world.model = loud_model();
  const nlohmann::json options = nlohmann::json::object();
  nlohmann::json record;
  const StepContext context{options, world.model,   world.dataset, world.backend, world.trainer,
                            {},      world.control, nullptr,       record};
  const auto groups = ir::channel_groups(world.model);
  const auto measures = measure_units(world.model, groups, Importance::Data::kInputs, 16, context);
  const std::vector<double> own = measures.at({world.model.graph.find_node("a"), "a"}).inputs;
  EXPECT_NEAR(own[0] / own[1], (5 * 0.1 + 1) / (1 * 0.1 + 2), 1e-5);
  EXPECT_GT(own[1], own[0]) << "l1 says the opposite";
}

TEST(Importances, FisherLooksAtSingleSamples) {
  World world("unit_fisher");
  const nlohmann::json options = nlohmann::json::object();
  nlohmann::json record;
  const StepContext context{options, world.model,   world.dataset, world.backend, world.trainer,
                            {},      world.control, nullptr,       record};
  const auto groups = ir::channel_groups(world.model);
  EXPECT_EQ(find_importance("fisher").data, Importance::Data::kSampleGradients);
  const auto each = measure_units(world.model, groups, Importance::Data::kSampleGradients, 6, context);
  const auto batch = measure_units(world.model, groups, Importance::Data::kGradients, 6, context);
  // The fake trainer's gradient is the weight whatever the batch, so that sums count the batches.
  for (const auto& [key, sums] : batch)
    for (std::size_t u = 0; u < sums.fisher.size(); ++u)
      EXPECT_NEAR(each.at(key).fisher[u], 6 * sums.fisher[u], 1e-9 * sums.fisher[u]);
}

}  // namespace
}  // namespace pare::compress
