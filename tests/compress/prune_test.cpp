#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "compress/prune/zeros.h"
#include "fakes.h"

namespace pare::compress {
namespace {

PruneTarget target(Tensor weight, const ir::WeightView& view) { return {"w", std::move(weight), view}; }

PruneTarget matrix(const std::vector<float>& values) {
  auto n = static_cast<std::int64_t>(values.size());
  return target(Tensor::from({1, n}, values), {.outputs = 1, .taps = 1, .inputs = n, .output_stride = n});
}

std::vector<int> bits(const Tensor& mask) {
  return {mask.data<std::uint8_t>().begin(), mask.data<std::uint8_t>().end()};
}

TEST(Prune, SmallestMagnitudesGo) {
  PruneTarget w = matrix({3, -1, 2, -4});
  EXPECT_EQ(bits(choose_masks({&w, 1}, {.sparsity = 0.5}, 0, 1)[0]), (std::vector<int>{1, 0, 0, 1}));
}

TEST(Prune, TiesGoInOrderAndTheCountIsExact) {
  PruneTarget w = matrix({1, 1, -1, 1, 5, 1});
  EXPECT_EQ(bits(choose_masks({&w, 1}, {.sparsity = 0.5}, 0, 1)[0]), (std::vector<int>{0, 0, 0, 1, 1, 1}));
}

TEST(Prune, GlobalRanksAllLayersTogether) {
  std::vector<PruneTarget> both = {matrix({1, 2, 3, 4}), matrix({10, 20, 30, 40})};
  auto global = choose_masks(both, {.sparsity = 0.5, .scope = PruneRule::Scope::kGlobal}, 0, 1);
  EXPECT_EQ(bits(global[0]), (std::vector<int>{0, 0, 0, 0}));
  EXPECT_EQ(bits(global[1]), (std::vector<int>{1, 1, 1, 1}));
  auto layers = choose_masks(both, {.sparsity = 0.5}, 0, 1);
  EXPECT_EQ(bits(layers[0]), (std::vector<int>{0, 0, 1, 1}));
  EXPECT_EQ(bits(layers[1]), (std::vector<int>{0, 0, 1, 1}));
}

TEST(Prune, GlobalLeavesEachLayerItsGreatest) {
  std::vector<PruneTarget> both = {matrix({1, 2, 3, 4}), matrix({10, 20, 30, 40})};
  const PruneRule rule{.sparsity = 0.5, .scope = PruneRule::Scope::kGlobal, .most = 0.75};
  const auto masks = choose_masks(both, rule, 0, 1);
  EXPECT_EQ(bits(masks[0]), (std::vector<int>{0, 0, 0, 1}));
  EXPECT_EQ(bits(masks[1]), (std::vector<int>{0, 1, 1, 1})) << "the next of another layer goes instead";
  EXPECT_EQ(shares_by_rank(both, rule), (std::vector<double>{0.75, 0.25}));
  EXPECT_EQ(shares_by_rank(both, {.threshold = 25, .most = 0.75}), (std::vector<double>{0.75, 0.5}));
}

TEST(Prune, ThresholdIsStrict) {
  PruneTarget w = matrix({0.5f, -0.25f, 0.75f, -0.5f});
  EXPECT_EQ(bits(choose_masks({&w, 1}, {.threshold = 0.5}, 0, 1)[0]), (std::vector<int>{1, 0, 1, 1}));
}

TEST(Prune, KeepsZerosUnlessToldOtherwise) {
  PruneTarget w = matrix({0, 0, 0, 1});
  EXPECT_EQ(bits(choose_masks({&w, 1}, {.sparsity = 0.25}, 0, 1)[0]), (std::vector<int>{0, 0, 0, 1}));
  EXPECT_EQ(bits(choose_masks({&w, 1}, {.sparsity = 0.25, .keep_zeros = false}, 0, 1)[0]),
            (std::vector<int>{0, 1, 1, 1}));
}

TEST(Prune, CubicScheduleOfZhuAndGupta) {
  EXPECT_DOUBLE_EQ(cubic_sparsity(0.2, 0.8, 0), 0.2);
  EXPECT_DOUBLE_EQ(cubic_sparsity(0.2, 0.8, 0.5), 0.8 - 0.6 / 8);
  EXPECT_DOUBLE_EQ(cubic_sparsity(0.2, 0.8, 1), 0.8);
  auto pattern = ir::SparsityPattern::parse("8:64");
  EXPECT_EQ(balanced_survivors(pattern, 0), 64);
  EXPECT_EQ(balanced_survivors(pattern, 0.5), 15);  // 8 + 56/8
  EXPECT_EQ(balanced_survivors(pattern, 1), 8);
}

TEST(Prune, ProgressFollowsTheCurve) {
  PruneTarget w = target(random_tensor({10, 100}, 1), {.outputs = 10, .taps = 1, .inputs = 100, .output_stride = 100});
  EXPECT_DOUBLE_EQ(masked_fraction(choose_masks({&w, 1}, {.sparsity = 0.8}, 0, 0.5)), 0.7);
}

RC_GTEST_PROP(BalancedPattern, KeepsTheLargestOfEveryGroup, ()) {
  const auto inputs = *rc::gen::inRange<std::int64_t>(1, 150), outputs = *rc::gen::inRange<std::int64_t>(1, 4),
             taps = *rc::gen::inRange<std::int64_t>(1, 4);
  const int q = *rc::gen::inRange(1, 64);
  auto pattern = ir::SparsityPattern::parse(std::to_string(q) + ":64");
  Tensor weight = random_tensor({outputs, inputs, taps}, *rc::gen::arbitrary<std::uint64_t>());
  ir::WeightView view{.outputs = outputs,
                      .taps = taps,
                      .inputs = inputs,
                      .output_stride = inputs * taps,
                      .tap_stride = 1,
                      .input_stride = taps};
  PruneTarget w = target(weight, view);
  Tensor mask = choose_masks({&w, 1}, {.pattern = pattern, .keep_zeros = false}, 0, 1)[0];
  auto values = weight.data<float>();
  auto kept = mask.data<std::uint8_t>();
  for (std::int64_t o = 0; o < outputs; ++o)
    for (std::int64_t t = 0; t < taps; ++t)
      for (std::int64_t begin = 0; begin < inputs; begin += 64) {
        std::int64_t size = std::min<std::int64_t>(64, inputs - begin), count = 0;
        float smallest_kept = 1e30f, largest_dropped = 0;
        for (std::int64_t i = begin; i < begin + size; ++i) {
          auto at = static_cast<std::size_t>(view.index(o, t, i));
          count += kept[at];
          float magnitude = std::fabs(values[at]);
          if (kept[at])
            smallest_kept = std::min(smallest_kept, magnitude);
          else
            largest_dropped = std::max(largest_dropped, magnitude);
        }
        RC_ASSERT(count == (size * q + 63) / 64);
        RC_ASSERT(smallest_kept >= largest_dropped);
      }
}

RC_GTEST_PROP(UnstructuredPattern, PrunesExactlyTheShareAsked, ()) {
  const auto size = *rc::gen::inRange<std::int64_t>(1, 400);
  const double sparsity = *rc::gen::inRange(0, 100) / 100.0;
  PruneTarget w = target(random_tensor({1, size}, *rc::gen::arbitrary<std::uint64_t>()),
                         {.outputs = 1, .inputs = size, .output_stride = size});
  auto mask = bits(choose_masks({&w, 1}, {.sparsity = sparsity, .keep_zeros = false}, 0, 1)[0]);
  RC_ASSERT(std::count(mask.begin(), mask.end(), 0) == std::llround(sparsity * static_cast<double>(size)));
}

TEST(BlockPattern, RanksBlocksByTheirMeanAndZerosThemWhole) {
  // Two rows of two blocks 1x2: means 3, 1, 2.5, 0.5.
  PruneTarget w = target(Tensor::from<float>({2, 4}, {1, 5, 1, 1, 4, 1, 0.4F, 0.6F}),
                         {.outputs = 2, .inputs = 4, .output_stride = 4});
  PruneRule rule{.pattern = ir::SparsityPattern::parse("1x2"), .sparsity = 0.5};
  EXPECT_EQ(bits(choose_masks({&w, 1}, rule, 0, 1)[0]), (std::vector<int>{1, 1, 0, 0, 1, 1, 0, 0}));
  rule.sparsity = 0.25;
  EXPECT_EQ(bits(choose_masks({&w, 1}, rule, 0, 1)[0]), (std::vector<int>{1, 1, 1, 1, 1, 1, 0, 0}));
  rule.scope = PruneRule::Scope::kOutput, rule.sparsity = 0.5;
  w.weight = Tensor::from<float>({2, 4}, {9, 9, 8, 8, 1, 1, 2, 2});
  EXPECT_EQ(bits(choose_masks({&w, 1}, rule, 0, 1)[0]), (std::vector<int>{1, 1, 0, 0, 0, 0, 1, 1}));
  rule.scope = PruneRule::Scope::kLayer;
  EXPECT_EQ(bits(choose_masks({&w, 1}, rule, 0, 1)[0]), (std::vector<int>{1, 1, 1, 1, 0, 0, 0, 0}));
  rule.threshold = 1.5;
  EXPECT_EQ(bits(choose_masks({&w, 1}, rule, 0, 1)[0]), (std::vector<int>{1, 1, 1, 1, 0, 0, 1, 1}));
}

TEST(BlockPattern, GlobalRanksAllLayersTogether) {
  const ir::WeightView row{.outputs = 1, .inputs = 4, .output_stride = 4};
  std::vector<PruneTarget> both = {target(Tensor::from<float>({1, 4}, {1, 1, 2, 2}), row),
                                   target(Tensor::from<float>({1, 4}, {3, 3, 4, 4}), row)};
  const PruneRule rule{
      .pattern = ir::SparsityPattern::parse("1x2"), .sparsity = 0.5, .scope = PruneRule::Scope::kGlobal};
  const auto masks = choose_masks(both, rule, 0, 1);
  EXPECT_EQ(bits(masks[0]), (std::vector<int>{0, 0, 0, 0}));
  EXPECT_EQ(bits(masks[1]), (std::vector<int>{1, 1, 1, 1}));
}

TEST(Selection, ScoresReplaceMagnitudes) {
  PruneTarget w = target(Tensor::from<float>({1, 4}, {1, 2, 3, 4}), {.outputs = 1, .inputs = 4, .output_stride = 4});
  w.scores = {4, 3, 2, 1};
  EXPECT_EQ(bits(choose_masks({&w, 1}, {.sparsity = 0.5}, 0, 1)[0]), (std::vector<int>{1, 1, 0, 0}));
  EXPECT_EQ(bits(choose_masks({&w, 1}, {.pattern = ir::SparsityPattern::parse("1:2")}, 0, 1)[0]),
            (std::vector<int>{1, 0, 1, 0}));
}

TEST(SparsityCurve, MeetItsEndsAndFollowTheirFormulas) {
  for (const char* name : {"cubic", "linear", "exponential"}) {
    EXPECT_DOUBLE_EQ(find_curve(name)(0.2, 0.8, 0), 0.2) << name;
    EXPECT_DOUBLE_EQ(find_curve(name)(0.2, 0.8, 1), 0.8) << name;
  }
  EXPECT_DOUBLE_EQ(linear_sparsity(0.2, 0.8, 0.5), 0.5);
  EXPECT_DOUBLE_EQ(exponential_sparsity(0, 0.75, 0.5), 0.5) << "half of what is left, twice";
  EXPECT_EQ(find_curve("square"), nullptr);
}

/// What pruning leaves of residual_model with these options.
ir::Model pruned(World& world, const std::string& options) {
  return world.run("steps: [{prune: " + options + "}]").model;
}

double zeros(const ir::Model& model, const std::string& weight) {
  return ir::sparsity(*model.graph.value(model.graph.find_value(weight)).constant);
}

/// Methods that score every weight, beside magnitude.
constexpr const char* kCriteria[] = {"random", "wanda", "snip", "fisher", "gradient", "taylor"};

TEST(PruneMethod, OneShotNeedsNoTrainer) {
  World world("oneshot");
  ir::Model model = pruned(world, "{sparsity: 0.5, exclude: [first, last]}");
  EXPECT_EQ(world.factory.created, 0);
  EXPECT_EQ(zeros(model, "stem.weight"), 0);
  EXPECT_EQ(zeros(model, "head.weight"), 0);
  EXPECT_DOUBLE_EQ(zeros(model, "body.weight"), 0.5);
}

TEST(PruneMethod, CubicReachesThePatternAndKeepsIt) {
  World world("cubic");
  world.model = residual_model(64);
  PipelineResult result =
      world.run("steps: [{prune: {pattern: '8:64', epochs: 3, batch_size: 8, exclude: [first, last]}}]");
  EXPECT_EQ(world.factory.created, 1);
  EXPECT_DOUBLE_EQ(zeros(result.model, "body.weight"), 0.875);
  EXPECT_EQ(result.run["steps"][0]["curve"].size(), 3u);
  const ir::Value& weight = result.model.graph.value(result.model.graph.find_value("body.weight"));
  ASSERT_TRUE(weight.mask);
  EXPECT_EQ(std::count(weight.mask->data<std::uint8_t>().begin(), weight.mask->data<std::uint8_t>().end(), 0),
            weight.mask->numel() * 7 / 8);
}

TEST(PruneMethod, RoundsEndAtTheSparsityAndRewindToTheStart) {
  World world("rounds");
  const std::string options =
      "{sparsity: 0.75, schedule: iterative, rounds: 2, epochs: 3, batch_size: 8, exclude: [first, last]";
  EXPECT_DOUBLE_EQ(zeros(pruned(world, options + "}"), "body.weight"), 0.75);
  // With lr 0 training changes nothing, so that what stays must be the weights of the begin.
  const Tensor before = world.model.graph.value(world.model.graph.find_value("body.weight")).constant->clone();
  const ir::Model model = pruned(world, options + ", lr: 1e-12, rewind: start}");
  const Tensor after = *model.graph.value(model.graph.find_value("body.weight")).constant;
  EXPECT_DOUBLE_EQ(ir::sparsity(after), 0.75);
  for (std::size_t i = 0; i < after.data<float>().size(); ++i)
    if (after.data<float>()[i] != 0) EXPECT_NEAR(after.data<float>()[i], before.data<float>()[i], 1e-6);
}

TEST(PruneMethod, CriteriaOfEveryWeightReachTheirSparsity) {
  for (const char* method : kCriteria) {
    World world(method);
    const ir::Model model =
        pruned(world, std::string("{method: ") + method + ", sparsity: 0.5, scope: layer, exclude: [first, last]}");
    EXPECT_DOUBLE_EQ(zeros(model, "body.weight"), 0.5) << method;
    EXPECT_EQ(zeros(model, "stem.weight"), 0) << method;
  }
}

TEST(PruneMethod, CriteriaOfEveryWeightFollowSchedules) {
  for (const char* method : kCriteria)
    for (const char* schedule :
         {"linear", "cubic", "exponential", "iterative, rounds: 2", "iterative, rounds: 2, rewind: start"}) {
      World world(std::string("schedule_") + method);
      const PipelineResult result =
          world.run(std::string("steps: [{prune: {method: ") + method + ", schedule: " + schedule +
                    ", sparsity: 0.75, scope: layer, epochs: 2, batch_size: 8, exclude: [first, last]}}]");
      EXPECT_DOUBLE_EQ(zeros(result.model, "body.weight"), 0.75) << method << " " << schedule;
      EXPECT_EQ(zeros(result.model, "stem.weight"), 0) << method << " " << schedule;
      EXPECT_EQ(result.run["steps"][0]["curve"].size(), 2U) << method;
    }
}

TEST(PruneMethod, CriteriaOfEveryWeightTakeThresholds) {
  for (const char* method : kCriteria) {
    World world(std::string("threshold_") + method);
    const std::string options = std::string("{method: ") + method + ", exclude: [first, last], threshold: ";
    EXPECT_EQ(zeros(pruned(world, options + "0}"), "body.weight"), 0) << method;
    EXPECT_EQ(zeros(pruned(world, options + "1e30}"), "body.weight"), 1) << method;
  }
  World world("threshold_formulas");  // the fake trainer's gradient is the weight
  const auto share_below = [&](const std::string& options, double limit) {
    double below = 0;
    const auto weights = world.model.graph.constant(world.model.graph.find_value("body.weight"))->data<float>();
    for (float w : weights) below += std::fabs(static_cast<double>(w)) < limit;
    EXPECT_NEAR(zeros(pruned(world, options), "body.weight"), below / static_cast<double>(weights.size()), 1e-9)
        << options;
  };
  share_below("{method: gradient, threshold: 0.2}", 0.2);
  share_below("{method: taylor, threshold: 0.04}", 0.2);
  share_below("{method: fisher, threshold: 0.0008}", 0.2);  // w²·g²/2
  double all = 0;
  for (const char* name : {"stem.weight", "body.weight", "tail.weight", "head.weight"})
    for (float w : world.model.graph.constant(world.model.graph.find_value(name))->data<float>())
      all += static_cast<double>(w) * static_cast<double>(w);
  share_below("{method: snip, threshold: " + std::to_string(0.04 / all) + "}",
              std::sqrt(std::stod(std::to_string(0.04 / all)) * all));
}

TEST(PruneMethod, ChanceAndGradientsNeverBringMaskedWeightsBack) {
  for (const char* method : {"random", "gradient"}) {
    World world(std::string("monotone_") + method);
    const std::string options =
        std::string("{method: ") + method +
        ", sparsity: 0.5, scope: layer, keep_zeros: false, epochs: 2, batch_size: 8, include: [body]}";
    EXPECT_DOUBLE_EQ(zeros(pruned(world, options), "body.weight"), 0.5) << method;
  }
}

TEST(PruneMethod, RoundsRewindToAModelFile) {
  World world("rewind_file");
  std::filesystem::create_directories(world.folder);
  const std::string path = (world.folder / "early.onnx").string();
  ir::Model early = world.model;
  auto weights = early.graph.value(early.graph.find_value("body.weight")).constant->mutable_data<float>();
  for (float& w : weights) w = 3 - w;
  world.store.save(early, path);
  for (const char* method : {"magnitude", "taylor"}) {
    const std::string options =
        std::string("{method: ") + method +
        ", scope: layer, sparsity: 0.75, schedule: iterative, rounds: 2, epochs: 2, batch_size: 8, "
        "lr: 1e-12, exclude: [first, last], rewind: '" +
        path + "'}";
    const ir::Model model = pruned(world, options);
    const auto after = model.graph.constant(model.graph.find_value("body.weight"))->data<float>();
    EXPECT_DOUBLE_EQ(zeros(model, "body.weight"), 0.75) << method;
    for (std::size_t i = 0; i < after.size(); ++i)
      if (after[i] != 0) EXPECT_NEAR(after[i], weights[i], 1e-6) << method << ": that model's weights, masked";
  }
  ir::Model other = residual_model(16);
  world.store.save(other, path);
  const Error shape =
      error_of([&] { pruned(world, "{schedule: iterative, epochs: 1, batch_size: 8, rewind: '" + path + "'}"); });
  EXPECT_EQ(shape.code(), ErrorCode::kBadInput);
  EXPECT_NE(std::string(shape.what()).find("another shape"), std::string::npos) << shape.what();
}

TEST(PruneMethod, WandaWeighsWeightsByTheirInputs) {
  // x has a loud second channel: its small weights matter more than the large ones of the first.
  Builder b;
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  ir::ValueId two = b.add("Conv", "two", {x, b.constant("two.w", Tensor::from<float>({2, 1, 1, 1}, {0.01F, 1}))});
  ir::ValueId y = b.add("Conv", "mix", {two, b.constant("mix.w", Tensor::from<float>({4, 2, 1, 1}, {5, 1, 4, 2, 3, -1, 2, -3}))});
  ir::ValueId mean = b.add("GlobalAveragePool", "pool", {y});
  World world("wanda_inputs");
  world.model = b.finish(b.add("Flatten", "flat", {mean}));
  const auto kept = [&](const std::string& method) {
    const ir::Model model = pruned(world, "{method: " + method + ", sparsity: 0.5, scope: output, include: [mix]}");
    std::vector<int> bits;
    for (float w : model.graph.value(model.graph.find_value("mix.w")).constant->data<float>()) bits.push_back(w != 0);
    return bits;
  };
  EXPECT_EQ(kept("wanda"), (std::vector<int>{0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(kept("magnitude"), (std::vector<int>{1, 0, 1, 0, 1, 0, 0, 1}));
}

TEST(PruneMethod, GradientCriteriaNeedLabels) {
  World world("unlabelled");
  world.dataset = image_data(false);
  for (const char* method : {"snip", "fisher", "gradient", "taylor"})
    EXPECT_EQ(error_of([&] { pruned(world, std::string("{method: ") + method + "}"); }).code(), ErrorCode::kUsage);
}

TEST(PruneMethod, TheHistogramCountsWhatIsRankedAndWhatStays) {
  const std::vector<double> scores = {0, 0.1, 0.9, 1, 1};
  const auto histogram = importance_histogram(scores, {false, false, true, true, false});
  EXPECT_EQ(histogram["high"], 1.0);
  EXPECT_EQ(histogram["all"], (std::vector<int>{1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}));
  EXPECT_EQ(histogram["kept"], (std::vector<int>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}));
  const auto sum = [](const nlohmann::json& counts) {
    std::int64_t total = 0;
    for (int count : counts) total += count;
    return total;
  };
  for (const char* method : {"magnitude", "filters, ratio: 0.5, round_to: 1", "snip", "wanda", "obs, exact: 0",
                             "obs, exact: 99", "taylor, epochs: 1, batch_size: 8"}) {
    World world("histogram");
    const auto run = world.run(std::string("steps: [{prune: {method: ") + method + "}}]").run;
    const auto& importance = run["steps"][0]["importance"];
    const std::int64_t all = sum(importance["all"]), kept = sum(importance["kept"]);
    EXPECT_GT(kept, 0) << method;
    EXPECT_NEAR(static_cast<double>(kept), 0.5 * static_cast<double>(all), 0.2 * static_cast<double>(all)) << method;
    if (std::string(method).starts_with("filters")) continue;
    std::int64_t of_layers = 0, kept_of_layers = 0;
    for (const auto& layer : importance["layers"]) {
      EXPECT_NE(world.model.graph.find_value(layer["weight"]), ir::kNoValue);
      of_layers += sum(layer["all"]), kept_of_layers += sum(layer["kept"]);
    }
    EXPECT_EQ(of_layers, all) << method;
    EXPECT_EQ(kept_of_layers, kept) << method;
  }
}

TEST(PruneMethod, Conflicts) {
  World world("conflict");
  for (const char* options :
       {"{pattern: '8:64', sparsity: 0.5}", "{pattern: '8:64', scope: global}", "{pattern: '8:64', threshold: 0.1}",
        "{sparsity: 0.5, threshold: 0.1}", "{schedule: cubic}", "{threshold: 0.1, schedule: cubic, epochs: 1}",
        "{pattern: '8:'}", "{pattern: '65:64'}", "{pattern: 2x4, scope: output}", "{schedule: iterative}",
        "{schedule: linear, epochs: 1, rewind: start}", "{method: random, pattern: '2:4', sparsity: 0.4}",
        "{method: wanda, scope: global}", "{method: snip, sparsity: 0.5, threshold: 0.1}",
        "{method: taylor, schedule: cubic}", "{method: random, threshold: 0.1, schedule: linear, epochs: 1}",
        "{method: gradient, rewind: start, epochs: 1}", "{method: magnitude, most: 0.5}",
        "{method: magnitude, scope: global, sparsity: 0.8, most: 0.7}", "{method: obs, pattern: '2:4', scope: global}",
        "{method: obs, pattern: '2:4', threshold: 0.1}", "{method: obs, pattern: 2x4, scope: output}",
        "{method: obs, sparsity: 0.5, threshold: 0.1}", "{method: obs, scope: output, most: 0.9}"}) {
    Error error = error_of([&] { pruned(world, options); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << options << ": " << error.what();
  }
  EXPECT_NO_THROW(pruned(world, "{pattern: '8:64', sparsity: 0.875}"));
}

}  // namespace
}  // namespace pare::compress
