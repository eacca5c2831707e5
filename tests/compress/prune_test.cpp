#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "compress/prune/selection.h"
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
  auto global = choose_masks(both, {.sparsity = 0.5, .global = true}, 0, 1);
  EXPECT_EQ(bits(global[0]), (std::vector<int>{0, 0, 0, 0}));
  EXPECT_EQ(bits(global[1]), (std::vector<int>{1, 1, 1, 1}));
  auto layers = choose_masks(both, {.sparsity = 0.5}, 0, 1);
  EXPECT_EQ(bits(layers[0]), (std::vector<int>{0, 0, 1, 1}));
  EXPECT_EQ(bits(layers[1]), (std::vector<int>{0, 0, 1, 1}));
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

/// What pruning leaves of residual_model with these options.
ir::Model pruned(World& world, const std::string& options) {
  return world.run("steps: [{prune: " + options + "}]").model;
}

double zeros(const ir::Model& model, const std::string& weight) {
  return ir::sparsity(*model.graph.value(model.graph.find_value(weight)).constant);
}

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

TEST(PruneMethod, Conflicts) {
  World world("conflict");
  for (const char* options :
       {"{pattern: '8:64', sparsity: 0.5}", "{pattern: '8:64', scope: global}", "{pattern: '8:64', threshold: 0.1}",
        "{sparsity: 0.5, threshold: 0.1}", "{schedule: cubic}", "{threshold: 0.1, schedule: cubic, epochs: 1}",
        "{pattern: '8:32'}", "{pattern: '65:64'}"}) {
    Error error = error_of([&] { pruned(world, options); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << options << ": " << error.what();
  }
  EXPECT_NO_THROW(pruned(world, "{pattern: '8:64', sparsity: 0.875}"));
}

}  // namespace
}  // namespace pare::compress
