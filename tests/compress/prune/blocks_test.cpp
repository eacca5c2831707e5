#include <gtest/gtest.h>

#include "../fakes.h"

namespace pare::compress {
namespace {

std::string here() { return ::testing::UnitTest::GetInstance()->current_test_info()->name(); }

/// Two residual blocks, of which the second does nearly nothing.
ir::Model two_blocks() {
  Builder b;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId stem = b.conv("stem", x, 1, 4, 1);
  const ir::ValueId one = b.add("Add", "one", {stem, b.conv("a", stem, 4, 4, 2)});
  const ir::ValueId branch =
      b.add("Conv", "b", {one, b.constant("b.weight", random_tensor({4, 4, 3, 3}, 3, 1e-3F))},
            {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}, {"kernel_shape", std::vector<std::int64_t>{3, 3}}});
  const ir::ValueId two = b.add("Add", "two", {one, branch});
  const ir::ValueId flat = b.add("Flatten", "flatten", {b.add("GlobalAveragePool", "mean", {two})});
  return b.finish(b.add("Gemm", "head",
                        {flat, b.constant("head.weight", random_tensor({4, 4}, 4, 1.0F)),
                         b.constant("head.bias", random_tensor({4}, 5))},
                        {{"transB", std::int64_t{1}}}));
}

TEST(BlockPruning, WhatDoesLeastGoesFirst) {
  for (const std::string importance : {"output", "influence"}) {
    World world(here() + importance);
    world.model = two_blocks();
    const PipelineResult result =
        world.run("steps: [{prune: {method: blocks, importance: " + importance + ", samples: 0}}]");
    const auto& record = result.run["steps"][0]["blocks"];
    EXPECT_EQ(record["candidates"], 2);
    ASSERT_EQ(record["removed"].size(), 1U);
    EXPECT_EQ(record["removed"][0]["block"], "two");
    EXPECT_LT(record["removed"][0]["score"].get<double>(), 1e-3);
    EXPECT_EQ(result.model.graph.find_node("b"), ir::kNoNode);
    EXPECT_NE(result.model.graph.find_node("a"), ir::kNoNode);
  }
}

TEST(BlockPruning, MeetsABudgetOrSaysThatItCannot) {
  World world(here());
  world.model = two_blocks();
  // One of two equal blocks is 144·64 of 2·144·64 + 36·64 + 16 MACs.
  PipelineResult result = world.run("steps: [{prune: {method: blocks, macs: 0.6, samples: 0}}]");
  EXPECT_EQ(result.run["steps"][0]["blocks"]["removed"].size(), 1U);
  EXPECT_TRUE(result.run["steps"][0]["budget"]["met"].get<bool>());
  result = world.run("steps: [{prune: {method: blocks, macs: 0.01, samples: 0}}]");
  EXPECT_EQ(result.run["steps"][0]["blocks"]["removed"].size(), 2U);
  EXPECT_FALSE(result.run["steps"][0]["budget"]["met"].get<bool>());
}

/// A stem and two layers of its width, of which the second passes on what it gets.
ir::Model plain_layers_model() {
  Builder b;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId stem = b.add("Relu", "r0", {b.conv("stem", x, 1, 4, 1)});
  const ir::ValueId one = b.add("Relu", "r1", {b.conv("a", stem, 4, 4, 2)});
  Tensor pass = random_tensor({4, 4, 3, 3}, 3, 1e-3F);
  for (std::size_t c = 0; c < 4; ++c) pass.mutable_data<float>()[(c * 4 + c) * 9 + 4] += 1;
  const ir::ValueId two = b.add(
      "Relu", "r2",
      {b.add("Conv", "b", {one, b.constant("b.weight", pass)}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}})});
  const ir::ValueId flat = b.add("Flatten", "flatten", {b.add("GlobalAveragePool", "mean", {two})});
  return b.finish(b.add("Gemm", "head", {flat, b.constant("head.weight", random_tensor({4, 4}, 4, 1.0F))}));
}

TEST(BlockPruning, PlainLayersWhereThereIsNoSum) {
  for (const std::string importance : {"output", "influence"}) {
    World world(here() + importance);
    world.model = plain_layers_model();
    const PipelineResult result =
        world.run("steps: [{prune: {method: blocks, importance: " + importance + ", samples: 0}}]");
    const auto& record = result.run["steps"][0]["blocks"];
    EXPECT_EQ(record["candidates"], 2);
    EXPECT_EQ(record["removed"][0]["block"], "b");
    EXPECT_EQ(result.model.graph.find_node("b"), ir::kNoNode);
    EXPECT_EQ(result.model.graph.find_node("r2"), ir::kNoNode) << "its activation goes too";
  }
  World world(here());
  world.model = plain_layers_model();
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: blocks, kind: residual}}]"); }).code(),
            ErrorCode::kUnsupported);
  world.model = two_blocks();
  const auto plain = world.run("steps: [{prune: {method: blocks, kind: plain, count: 2, samples: 0}}]");
  EXPECT_EQ(plain.run["steps"][0]["blocks"]["removed"].size(), 2U) << "the layers inside of the residual blocks";
}

TEST(BlockPruning, ALatencyBudget) {
  World world(here());
  world.model = two_blocks();
  // Nothing but the head is left: what that takes is far below the half.
  PipelineResult result = world.run("steps: [{prune: {method: blocks, latency: 0.9, samples: 0}}]");
  EXPECT_TRUE(result.run["steps"][0]["budget"]["met"].get<bool>());
  EXPECT_EQ(result.run["steps"][0]["budget"]["of"], "latency");
  EXPECT_GT(result.run["steps"][0]["blocks"]["removed"][0]["latency"].get<double>(), 0);
  result = world.run("steps: [{prune: {method: blocks, latency: 0.001, samples: 0}}]");
  EXPECT_FALSE(result.run["steps"][0]["budget"]["met"].get<bool>());
  EXPECT_EQ(result.run["steps"][0]["blocks"]["removed"].size(), 2U) << "the best that can be reached";
  EXPECT_FALSE(result.gate_passed);
}

TEST(BlockPruning, RefusesWhatItCannotDo) {
  World world(here());
  world.model = two_blocks();
  const auto code = [&](const std::string& options) {
    return error_of([&] { world.run("steps: [{prune: {method: blocks" + options + "}}]"); }).code();
  };
  EXPECT_EQ(code(", count: 3"), ErrorCode::kUsage);
  EXPECT_EQ(code(", count: 1, macs: 0.5"), ErrorCode::kUsage);
  EXPECT_EQ(code(", latency: 0.5, macs: 0.5"), ErrorCode::kUsage);
  EXPECT_EQ(code(", exclude: ['one', 'two']"), ErrorCode::kUnsupported);
  EXPECT_EQ(code(", exclude: ['tow']"), ErrorCode::kUsage) << "a name that matches nothing";
  world.dataset = {};
  EXPECT_EQ(code(""), ErrorCode::kUsage);
}

}  // namespace
}  // namespace pare::compress
