#include "eval/layers.h"

#include <gtest/gtest.h>

namespace pare::eval {
namespace {

LayerValue layer(const std::string& key, const std::string& op, Dims dims, Dims weight = {}) {
  LayerValue value;
  value.key = value.observed = key;
  value.node = "node of " + key;
  value.op_type = value.last_op = op;
  value.dims = std::move(dims);
  value.weight_dims = std::move(weight);
  return value;
}

std::vector<std::pair<std::size_t, std::size_t>> pairs(const LayerMatches& matches) {
  std::vector<std::pair<std::size_t, std::size_t>> all;
  for (const LayerMatch& match : matches.pairs) all.emplace_back(match.a, match.b);
  return all;
}

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

TEST(MatchLayers, NamesWinOverOrder) {
  const std::vector<LayerValue> a{layer("p", "Relu", {1, 4}), layer("q", "Relu", {1, 4})};
  const std::vector<LayerValue> b{layer("q", "Relu", {1, 4}), layer("p", "Relu", {1, 4})};
  const LayerMatches matches = match_layers(a, b);
  EXPECT_EQ(pairs(matches), (Pairs{{0, 1}, {1, 0}}));
  EXPECT_TRUE(matches.unmatched.empty());
}

TEST(MatchLayers, RenamedLayersMatchBetweenTheirNeighbours) {
  const std::vector<LayerValue> a{layer("c1", "Conv", {1, 8}, {8, 3}), layer("c2", "Conv", {1, 8}, {8, 8}),
                                  layer("c3", "Conv", {1, 8}, {8, 8}), layer("fc", "Gemm", {1, 10}, {10, 8})};
  const std::vector<LayerValue> b{layer("one", "Conv", {1, 8}, {8, 3}), layer("extra", "Mul", {1, 8}),
                                  layer("c2", "Conv", {1, 8}, {8, 8}), layer("three", "Conv", {1, 8}, {8, 8}),
                                  layer("logits", "MatMul", {1, 10}, {8, 10})};
  const LayerMatches matches = match_layers(a, b);
  EXPECT_EQ(pairs(matches), (Pairs{{0, 0}, {1, 2}, {2, 3}, {3, 4}}));
  EXPECT_FALSE(matches.pairs[0].by_name);
  EXPECT_TRUE(matches.pairs[1].by_name);
  ASSERT_EQ(matches.unmatched.size(), 1u);
  EXPECT_FALSE(matches.unmatched[0].in_a);
  EXPECT_EQ(matches.unmatched[0].index, 1u);
}

TEST(MatchLayers, OtherShapesAreReportedWithBoth) {
  const std::vector<LayerValue> a{layer("c", "Conv", {1, 16, 4, 4}, {16, 3, 3, 3})};
  const std::vector<LayerValue> b{layer("c", "Conv", {1, 12, 4, 4}, {12, 3, 3, 3})};
  const LayerMatches matches = match_layers(a, b);
  EXPECT_TRUE(matches.pairs.empty());
  ASSERT_EQ(matches.unmatched.size(), 2u);
  EXPECT_NE(matches.unmatched[0].reason.find("1x12x4x4"), std::string::npos);
  EXPECT_NE(matches.unmatched[0].reason.find("1x16x4x4"), std::string::npos);
}

TEST(MatchLayers, AnActivationThatTheQuantizerDroppedMatchesItsConvolution) {
  LayerValue fused = layer("relu", "Conv", {1, 8}, {8, 3});
  fused.last_op = "Relu";
  const LayerMatches matches = match_layers({fused}, {layer("conv", "Conv", {1, 8}, {8, 3})});
  EXPECT_EQ(pairs(matches), (Pairs{{0, 0}}));
}

TEST(MatchLayers, InputsMatchByTheNamesGivenAndAreNeverReported) {
  const std::vector<LayerValue> a{layer("image", "Input", {1, 3})};
  const std::vector<LayerValue> b{layer("x", "Input", {1, 3})};
  EXPECT_TRUE(match_layers(a, b).pairs.empty());
  EXPECT_TRUE(match_layers(a, b).unmatched.empty());
  EXPECT_EQ(pairs(match_layers(a, b, {{"x", "image"}})), (Pairs{{0, 0}}));
}

}  // namespace
}  // namespace pare::eval
