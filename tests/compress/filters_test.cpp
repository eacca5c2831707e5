#include <gtest/gtest.h>

#include "../ir/groups_fixture.h"
#include "base/vector_width.h"
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

double l1(const Tensor& weight, std::int64_t filter) {
  const auto data = weight.data<float>();
  const std::size_t size = data.size() / static_cast<std::size_t>(weight.dim(0));
  double sum = 0;
  for (std::size_t i = 0; i < size; ++i)
    sum += std::fabs(static_cast<double>(data[static_cast<std::size_t>(filter) * size + i]));
  return sum;
}

TEST(Filters, TheSmallestFiltersGo) {
  World world("l1");
  world.model = everything();
  world.dataset = {};
  const PipelineResult result =
      world.run("steps: [{prune: {method: filters, ratio: 0.5, round_to: 1, include: [body]}}]");
  const Tensor& before = *world.model.graph.value(world.model.graph.find_value("body.w")).constant;
  const Tensor& after = *result.model.graph.value(result.model.graph.find_value("body.w")).constant;
  ASSERT_EQ(after.dims(), (Dims{6, 8, 3, 3}));
  std::vector<double> norms, kept;
  for (std::int64_t f = 0; f < 12; ++f) norms.push_back(l1(before, f));
  for (std::int64_t f = 0; f < 6; ++f) kept.push_back(l1(after, f));
  std::sort(norms.begin(), norms.end());
  std::sort(kept.begin(), kept.end());
  for (std::size_t i = 0; i < 6; ++i) EXPECT_DOUBLE_EQ(kept[i], norms[i + 6]);
  EXPECT_LT(result.run["after"]["macs"].get<double>(), result.run["before"]["macs"].get<double>());
  EXPECT_EQ(result.run["steps"][0]["filters"]["channels_before"].get<int>() -
                result.run["steps"][0]["filters"]["channels_after"].get<int>(),
            6);
}

TEST(Filters, RoundingAndScopeGlobal) {
  World world("l1_global");
  world.model = residual_model(32);
  const PipelineResult rounded = world.run("steps: [{prune: {method: filters, ratio: 0.4}}]");
  const auto dims = [](const PipelineResult& run, const char* name) {
    return run.model.graph.value(run.model.graph.find_value(name)).constant->dims();
  };
  EXPECT_EQ(dims(rounded, "body.weight"), (Dims{24, 24, 3, 3})) << "20 of 32, rounded up to 24";
  EXPECT_EQ(dims(rounded, "head.weight"), (Dims{4, 24}));
  const PipelineResult global =
      world.run("steps: [{prune: {method: filters, ratio: 0.5, scope: global, round_to: 1}}]");
  const auto& groups = global.run["steps"][0]["filters"]["groups"];
  int kept = 0;
  for (const auto& group : groups) kept += group["reason"].is_null() ? group["kept"].get<int>() : 0;
  EXPECT_EQ(kept, 32) << "half of the 64 that may go";
  EXPECT_NE(groups.back()["reason"].get<std::string>().find("output"), std::string::npos);
}

TEST(Filters, RefusesWhatCannotBePruned) {
  World world("l1_refuse");
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: filters, include: [head]}}]"); }).code(),
            ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: filters, include: [hat]}}]"); }).code(),
            ErrorCode::kUsage);
  EXPECT_EQ(error_of([&] { world.run("steps: [quantize, {prune: {method: filters}}]"); }).code(), ErrorCode::kUsage);
  const Error two = error_of([&] { world.run("steps: [{prune: {method: filters, ratio: 0.5, macs: 0.5}}]"); });
  EXPECT_EQ(two.code(), ErrorCode::kUsage);
  EXPECT_NE(std::string(two.what()).find("prune.macs"), std::string::npos) << two.what();
}

TEST(Filters, GradientsNeedAnswers) {
  World world("filters_unlabelled");
  world.dataset = {};
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: filters, importance: taylor}}]"); }).code(),
            ErrorCode::kUsage);
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: filters, importance: apoz}}]"); }).code(),
            ErrorCode::kUsage);
}

TEST(Filters, MacBudgets) {
  World world("filters_macs");
  world.model = residual_model(32);
  const PipelineResult met = world.run("steps: [{prune: {method: filters, macs: 0.5, scope: global, round_to: 1}}]");
  const auto& budget = met.run["steps"][0]["budget"];
  EXPECT_TRUE(met.gate_passed);
  EXPECT_LE(met.run["after"]["macs"].get<double>(), 0.5 * met.run["before"]["macs"].get<double>());
  EXPECT_GE(met.run["after"]["macs"].get<double>(), 0.4 * met.run["before"]["macs"].get<double>());
  EXPECT_NEAR(budget["reached"].get<double>(),
              met.run["after"]["macs"].get<double>() / met.run["before"]["macs"].get<double>(), 1e-9);
  const PipelineResult missed =
      world.run("steps: [{prune: {method: filters, macs: 0.01, scope: global, most: 0.5, round_to: 1}}]");
  EXPECT_FALSE(missed.gate_passed) << "half of the channels leave a quarter of most MACs";
  EXPECT_FALSE(missed.run["steps"][0]["budget"]["met"].get<bool>());
  EXPECT_LT(missed.run["after"]["macs"].get<double>(), 0.4 * missed.run["before"]["macs"].get<double>());
}

TEST(Filters, LatencyBudgets) {
  World world("filters_latency");
  world.model = residual_model(32);
  const PipelineResult met = world.run("steps: [{prune: {method: filters, latency: 0.8, round_to: 1}}]");
  const auto& budget = met.run["steps"][0]["budget"];
  EXPECT_TRUE(met.gate_passed);
  EXPECT_EQ(budget["of"], "latency");
  EXPECT_TRUE(budget["met"].get<bool>());
  EXPECT_LE(budget["reached"].get<double>(), 0.8);
  EXPECT_GT(budget["ratio"].get<double>(), 0);
  EXPECT_LT(met.run["after"]["macs"].get<double>(), met.run["before"]["macs"].get<double>());
  const PipelineResult missed = world.run("steps: [{prune: {method: filters, latency: 0.001}}]");
  EXPECT_FALSE(missed.gate_passed);
  EXPECT_FALSE(missed.run["steps"][0]["budget"]["met"].get<bool>());
  EXPECT_LT(missed.run["after"]["macs"].get<double>(), 0.5 * missed.run["before"]["macs"].get<double>())
      << "the best that can be reached is what comes back";
}

TEST(Filters, RoundingAsTheKernelsLikeIt) {
  const auto kept = [](const std::string& options) {
    World world("filters_round");
    world.model = residual_model(64);
    const PipelineResult run = world.run("steps: [{prune: {method: filters, ratio: 0.45" + options + "}}]");
    return run.model.graph.value(run.model.graph.find_value("body.weight")).constant->dim(0);
  };
  EXPECT_EQ(kept(", round_to: 1"), 36);
  EXPECT_EQ(kept(""), 40) << "a multiple of 8";
  const std::int64_t lanes = vector_floats();
  EXPECT_EQ(kept(", round_to: auto"), (36 + lanes - 1) / lanes * lanes);
  EXPECT_EQ(kept(", round_to: '32'"), 64);
  for (const std::string wrong : {"0", "2000", "eight", "-8", "1.5"})
    EXPECT_EQ(error_of([&] { kept(", round_to: '" + wrong + "'"); }).code(), ErrorCode::kUsage) << wrong;
}

TEST(Filters, AThresholdTakesWhatIsWorthLessThanAShareOfTheMean) {
  World world("filters_threshold");
  ir::Model model = residual_model(8);
  // Six filters of one norm, two of a tenth of it; the coupled others as they are.
  Tensor body = random_tensor({8, 8, 3, 3}, 31);
  for (std::int64_t f = 0; f < 8; ++f) {
    const double norm = l1(body, f);
    for (std::size_t i = 0; i < 72; ++i)
      body.mutable_data<float>()[static_cast<std::size_t>(f) * 72 + i] *=
          static_cast<float>((f == 2 || f == 5 ? 0.1 : 1.0) / norm);
  }
  model.graph.set_constant(model.graph.find_value("body.weight"), body);
  world.model = model;
  const auto kept = [&](const std::string& options) {
    const PipelineResult run =
        world.run("steps: [{prune: {method: filters, include: [body], round_to: 1, " + options + "}}]");
    return run.model.graph.value(run.model.graph.find_value("body.weight")).constant->dim(0);
  };
  // The mean is (6 + 0.2) / 8 = 0.775 of a large one's norm.
  EXPECT_EQ(kept("threshold: 0.1"), 8);
  EXPECT_EQ(kept("threshold: 0.2"), 6);
  EXPECT_EQ(kept("threshold: 1.2"), 6);
  EXPECT_EQ(kept("threshold: 1.3"), 2) << "all score less; a fifth stays";
  EXPECT_EQ(kept("threshold: 1.3, most: 0.5"), 4);
  EXPECT_EQ(kept("threshold: 0"), 8);
}

TEST(Filters, OptionsThatContradictOrHaveNoEffectAreRefused) {
  World world("filters_conflicts");
  const auto refusal = [&](const std::string& options) {
    const Error error = error_of([&] { world.run("steps: [{prune: {method: filters, " + options + "}}]"); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << options;
    return std::string(error.what());
  };
  EXPECT_NE(refusal("threshold: 0.5, scope: global").find("prune.threshold"), std::string::npos);
  EXPECT_NE(refusal("threshold: 0.5, ratio: 0.5").find("prune.threshold"), std::string::npos);
  EXPECT_NE(refusal("threshold: 0.5, latency: 0.5").find("prune.latency"), std::string::npos);
  EXPECT_NE(refusal("macs: 0.5, latency: 0.5").find("prune.latency"), std::string::npos);
  EXPECT_NE(refusal("ratio: 0.5, most: 0.9").find("prune.most"), std::string::npos);
  EXPECT_NE(refusal("ratio: 0.5, damping: 0.1").find("prune.damping"), std::string::npos);
  EXPECT_NE(refusal("ratio: 0.5, reconstruct: bias, damping: 0.1").find("prune.damping"), std::string::npos);
}

/// Two filters of three weights each, in one unit each.
FilterSet two_filters(const Tensor& weight, const std::vector<std::int32_t>& units) {
  return {weight, 3, units, 2, nullptr, 7};
}

TEST(Importances, OfWeightsMatchTheirFormulas) {
  const Tensor weight = Tensor::from<float>({2, 3}, {1, -2, 2, 0, 3, 4});
  const std::vector<std::int32_t> units = {0, 1};
  const FilterSet filters = two_filters(weight, units);
  EXPECT_EQ(find_importance("l1").score(filters), (std::vector<double>{5, 7}));
  EXPECT_EQ(find_importance("l2").score(filters), (std::vector<double>{3, 5}));
  const double apart = std::sqrt(1.0 + 25.0 + 4.0);
  EXPECT_EQ(find_importance("geometric-median").score(filters), (std::vector<double>{apart, apart}));
  const std::vector<double> chance = find_importance("random").score(filters);
  EXPECT_EQ(chance, find_importance("random").score(filters)) << "of the seed alone";
  EXPECT_NE(chance[0], chance[1]);
}

/// x → a (two channels; the second is the first, upside down, plus 10) → Relu → b.
ir::Model measured_model() {
  Builder b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 1, 1, 2});
  ir::ValueId a = b.add("Conv", "a",
                        {x, b.constant("a.w", Tensor::from<float>({2, 1, 1, 1}, {1, -1})),
                         b.constant("a.b", Tensor::from<float>({2}, {0, 10}))});
  ir::ValueId y = b.add("Conv", "b", {b.add("Relu", "relu", {a}), b.constant("b.w", random_tensor({3, 2, 1, 1}, 4))});
  return b.finish(b.add("Flatten", "flat", {y}));
}

/// Two samples of two pixels.
class TwoPixels : public data::Split {
 public:
  std::int64_t size() const override { return 2; }
  bool labelled() const override { return true; }
  std::int64_t classes() const override { return 2; }
  data::Batch batch(const std::vector<std::int64_t>& indices, std::uint64_t, std::int64_t) const override {
    data::Batch batch;
    batch.indices = indices;
    std::vector<float> values;
    for (std::int64_t index : indices) {
      values.insert(values.end(), {index == 0 ? -1.0F : 4.0F, index == 0 ? 2.0F : -3.0F});
      batch.labels.push_back(index);
    }
    batch.inputs["x"] = Tensor::from<float>({static_cast<std::int64_t>(indices.size()), 1, 1, 2}, values);
    return batch;
  }
  std::shared_ptr<const Split> subset(std::vector<std::int64_t>) const override { return nullptr; }
  std::string fingerprint() const override { return "two pixels"; }
};

TEST(Importances, OfDataMatchTheirFormulas) {
  World world("measures");
  world.model = measured_model();
  data::Dataset data;
  data.train = std::make_shared<TwoPixels>();
  const nlohmann::json options = nlohmann::json::object();
  nlohmann::json record;
  const StepContext context{options, world.model,   data,    world.backend, world.trainer,
                            {},      world.control, nullptr, record};
  const auto groups = ir::channel_groups(world.model);
  const ir::NodeId layer = world.model.graph.find_node("a");
  const auto seen = measure_units(world.model, groups, Importance::Data::kActivations, 2, context);
  const UnitMeasures& units = seen.at({layer, "a"});
  EXPECT_EQ(units.mean, (std::vector<double>{(0 + 2 + 4 + 0) / 4.0, (11 + 8 + 6 + 13) / 4.0})) << "behind the Relu";
  EXPECT_EQ(units.nonzero, (std::vector<double>{0.5, 1}));
  ASSERT_EQ(units.entropy.size(), 2U);
  EXPECT_NEAR(units.entropy[0], std::log(2.0), 1e-12) << "two samples, two averages: one bit";
  EXPECT_EQ(units.entropy[1], 0) << "both samples average 9.5";
  const auto slopes = measure_units(world.model, groups, Importance::Data::kGradients, 2, context).at({layer, "a"});
  EXPECT_EQ(slopes.gradient, (std::vector<double>{1, 1})) << "the fake trainer's gradient is the weight";
  EXPECT_EQ(slopes.product, (std::vector<double>{1, 1}));
  EXPECT_EQ(slopes.taylor, (std::vector<double>{1, 1}));
  EXPECT_EQ(slopes.fisher, (std::vector<double>{1, 1}));
}

TEST(Importances, EveryRowPrunes) {
  for (const Importance* importance : importances()) {
    if (importance->data == Importance::Data::kNorms) continue;  // importance_test.cpp: this model has no BatchNorm
    World world("importance_" + std::string(importance->name));
    const PipelineResult result =
        world.run("steps: [{prune: {method: filters, ratio: 0.5, round_to: 1, samples: 8, importance: " +
                  std::string(importance->name) + "}}]");
    const auto& filters = result.run["steps"][0]["filters"];
    EXPECT_LT(filters["channels_after"].get<int>(), filters["channels_before"].get<int>()) << importance->name;
    EXPECT_FALSE(importance->paper.empty());
  }
}

}  // namespace
}  // namespace pare::compress
