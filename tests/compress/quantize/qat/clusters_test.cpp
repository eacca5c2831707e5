// Weights that share values: found, trained as their values, written with no more of them.
#include "compress/quantize/qat/clusters.h"

#include <gtest/gtest.h>

#include <set>

#include "base/float16.h"
#include "compress/fakes.h"
#include "compress/quantize/qat/student.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// [outputs, inputs] whose weights repeat `values`; those of output o times (1 + o · spread).
Tensor repeating(std::int64_t outputs, std::int64_t inputs, const std::vector<float>& values, float spread) {
  Tensor weight(DType::kFloat32, {outputs, inputs});
  for (std::int64_t o = 0; o < outputs; ++o)
    for (std::int64_t i = 0; i < inputs; ++i)
      weight.mutable_data<float>()[static_cast<std::size_t>(o * inputs + i)] =
          values[static_cast<std::size_t>(o + i) % values.size()] * (1 + static_cast<float>(o) * spread);
  return weight;
}

TEST(Clusters, AreFoundInTheTensorElseInEachChannel) {
  const auto whole = find_clusters(repeating(6, 8, {-1, 0, 0.5F, 2}, 0), 0);
  ASSERT_TRUE(whole);
  EXPECT_FALSE(whole->by_channel);
  EXPECT_EQ(whole->centroids.size(), 4u);
  EXPECT_EQ(whole->mean_size(), 12);
  const auto channel = find_clusters(repeating(300, 8, {-1, 0, 2}, 0.1F), 0);
  ASSERT_TRUE(channel);
  EXPECT_TRUE(channel->by_channel);
  EXPECT_EQ(channel->centroids.size(), 900u);
  // The same numbers along the other axis are all different ones.
  EXPECT_FALSE(find_clusters(repeating(300, 8, {-1, 0, 2}, 0.1F), 1));
}

TEST(Clusters, WeightsThatAreMerelyFewOrPrunedAreNone) {
  EXPECT_FALSE(find_clusters(random_tensor({8, 16}, 1), 0));
  EXPECT_FALSE(find_clusters(Tensor::from<float>({2, 2}, {1, 2, 3, 4}), 0));
  Tensor pruned = random_tensor({8, 16}, 1);
  for (std::size_t i = 0; i < 128; ++i)
    if (i % 8 != 0) pruned.mutable_data<float>()[i] = 0;
  EXPECT_FALSE(find_clusters(pruned, 0));
  EXPECT_FALSE(find_clusters(Tensor(DType::kFloat32, {8, 16}), 0));
}

TEST(Clusters, EightValuesForNineWeightsAreSome) {
  Tensor weight = random_tensor({6, 9}, 1);
  for (std::size_t o = 0; o < 6; ++o) weight.mutable_data<float>()[9 * o + 4] = weight.data<float>()[9 * o + 7];
  EXPECT_TRUE(find_clusters(weight, 0));
  weight.mutable_data<float>()[4] = 3;
  EXPECT_FALSE(find_clusters(weight, 0)) << "49 of 54";
}

TEST(Clusters, StandForTheirWeightsAndKeepZero) {
  const Tensor weight = repeating(6, 8, {-1, 0, -0.0F, 2}, 0.25F);
  const auto clusters = find_clusters(weight, 0);
  ASSERT_TRUE(clusters);
  Builder b;
  ir::ValueId centroids = ir::kNoValue;
  const ir::ValueId gathered = insert_clusters(b.model.graph, "w", *clusters, weight.dims(), centroids);
  const ir::Model model = b.finish(gathered);
  const Tensor got = ir::evaluate(model, {}).begin()->second;
  const Tensor same = clustered_weight(*clusters, *model.graph.constant(centroids), weight.dims());
  const auto mask = model.graph.value(centroids).mask;
  ASSERT_TRUE(mask);
  for (std::size_t i = 0; i < 48; ++i) {
    EXPECT_EQ(got.data<float>()[i], weight.data<float>()[i]);
    EXPECT_EQ(same.data<float>()[i], weight.data<float>()[i]);
    EXPECT_EQ(mask->data<std::uint8_t>()[static_cast<std::size_t>(clusters->members[i])] == 0, weight.data<float>()[i] == 0);
  }
}

std::string test_name() { return ::testing::UnitTest::GetInstance()->current_test_info()->name(); }

std::vector<std::set<float>> values_by_channel(const Tensor& weight) {
  const Tensor floats = is_float(weight.dtype()) ? weight : cast(weight, DType::kFloat32);
  const std::size_t channels = static_cast<std::size_t>(floats.dim(0)), each = floats.data<float>().size() / channels;
  std::vector<std::set<float>> found(channels);
  for (std::size_t i = 0; i < channels * each; ++i) found[i / each].insert(floats.data<float>()[i]);
  return found;
}

TEST(Clusters, AreKeptFromCodebookToIntegers) {
  World world(test_name());
  const PipelineResult result = world.run(
      "steps:\n  - quantize: {method: codebook, entries: 4, granularity: channel}\n"
      "  - quantize: {method: qat, epochs: 1, batch_size: 8, weights: {bits: 8}}\n");
  const ir::Graph& graph = result.model.graph;
  const json& told = result.run["steps"][1]["quantized"]["weights"];
  int shared = 0;
  for (const auto& [name, weight] : told.items()) {
    ASSERT_NE(graph.constant(graph.find_value(name + "_quantized")), nullptr) << name;
    for (const auto& values : values_by_channel(*graph.constant(graph.find_value(name + "_quantized"))))
      EXPECT_LE(values.size(), 4u) << name;
    shared += weight.contains("clusters");
  }
  EXPECT_GE(shared, 2);
}

TEST(Clusters, AModelOfCodebooksMayBeTrainedOnUnlessItsValuesPart) {
  World world(test_name());
  world.model = world.run("steps: [quantize: {method: codebook, entries: 4, granularity: channel}]").model;
  EXPECT_EQ(error_of([&] { world.run("steps: [quantize: {method: qat, keep_clusters: false}]"); }).code(),
            ErrorCode::kUnsupported);
  const PipelineResult result = world.run("steps: [quantize: {method: qat, epochs: 1, batch_size: 8, weights: {bits: 8}}]");
  EXPECT_EQ(result.run["steps"][0]["quantized"]["nodes"].size(), 4u);
}

using Rules = std::map<std::string, exec::UpdateRule>;

struct RuleTrainer : FakeTrainer {
  RuleTrainer(const ir::Model& model, Rules& rules) : FakeTrainer(model), told(rules) {}
  void set_update_rule(const std::string& name, const exec::UpdateRule& rule) override { told[name] = rule; }
  Rules& told;
};

struct RuleFactory : FakeFactory {
  std::unique_ptr<exec::Trainer> create(const ir::Model& student, const ir::Model*,
                                        const exec::TrainerOptions&) const override {
    return std::make_unique<RuleTrainer>(student, rules);
  }
  mutable Rules rules;
};

TEST(Clusters, TheirStepIsTheMeanOfTheirWeights) {
  World world(test_name());
  world.model.graph.set_constant(world.model.graph.find_value("head.weight"), repeating(4, 8, {-0.5F, 0.25F}, 0));
  RuleFactory factory;
  world.trainer = [&]() -> const exec::TrainerFactory& { return factory; };
  const PipelineResult result =
      world.run("steps: [quantize: {method: qat, epochs: 1, batch_size: 8, weight_decay: 0.001}]");
  EXPECT_EQ(result.run["steps"][0]["quantized"]["weights"]["head.weight"]["clusters"]["values"], 2);
  const exec::UpdateRule rule = factory.rules.at("head.weight_centroids");
  EXPECT_DOUBLE_EQ(rule.rate, 2.0 / 32);
  EXPECT_DOUBLE_EQ(*rule.decay * rule.rate, 0.001);
}

}  // namespace
}  // namespace pare::compress
