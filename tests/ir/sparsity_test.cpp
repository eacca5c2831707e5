#include "ir/sparsity.h"

#include <gtest/gtest.h>

#include "pare/error.h"

namespace pare::ir {
namespace {

WeightView rows_view(std::int64_t outputs, std::int64_t inputs) {
  return {.outputs = outputs, .inputs = inputs, .output_stride = inputs, .input_stride = 1};
}

/// One output with `inputs` inputs, the first `kept` of each group of 64 non-zero.
Tensor row_with(std::int64_t inputs, std::int64_t kept) {
  std::vector<float> values(static_cast<std::size_t>(inputs));
  for (std::int64_t i = 0; i < inputs; ++i) values[static_cast<std::size_t>(i)] = i % 64 < kept ? 1.0f : 0.0f;
  return Tensor::from({1, inputs}, values);
}

TEST(SparsityPattern, ParsesAndPrints) {
  EXPECT_EQ(SparsityPattern::parse("8:64").to_string(), "8:64");
  EXPECT_DOUBLE_EQ(*SparsityPattern::parse("8:64").fixed_sparsity(), 0.875);
  EXPECT_EQ(SparsityPattern::parse("2:4").to_string(), "2:4");
  EXPECT_DOUBLE_EQ(*SparsityPattern::parse("1:3").fixed_sparsity(), 1 - 1.0 / 3);
  EXPECT_EQ(SparsityPattern::parse("1x4").to_string(), "1x4");
  EXPECT_FALSE(SparsityPattern::parse("1x4").fixed_sparsity());
  EXPECT_FALSE(SparsityPattern::parse("unstructured").fixed_sparsity());
}

TEST(SparsityPattern, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"", "8", "8:", "4:4", "0x4", "1x1", "x4", "04:8", "1x4x1", "0:64", "64:64", "x:64", "8:64:1", "-8:64", "8888:64", ":64"})
    EXPECT_THROW(SparsityPattern::parse(text), Error) << text;
}

TEST(SparsityPattern, TailKeepsCeil) {
  const SparsityPattern pattern = SparsityPattern::parse("8:64");
  EXPECT_EQ(pattern.survivors(64), 8);
  EXPECT_EQ(pattern.survivors(9), 2);
  EXPECT_EQ(pattern.survivors(1), 1);
}

TEST(HasPattern, CountsEveryGroup) {
  const SparsityPattern pattern = SparsityPattern::parse("8:64");
  EXPECT_TRUE(has_pattern(row_with(128, 8), rows_view(1, 128), pattern));
  EXPECT_FALSE(has_pattern(row_with(128, 9), rows_view(1, 128), pattern));
}

TEST(HasPattern, OfBlocksWantsWholeBlocks) {
  const SparsityPattern pattern = SparsityPattern::parse("2x3");
  const WeightView view = rows_view(3, 4);  // blocks of 2x3, 2x1, 1x3, 1x1
  std::vector<float> values = {0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0};
  EXPECT_TRUE(has_pattern(Tensor::from({3, 4}, values), view, pattern));
  values[4] = 1;
  EXPECT_FALSE(has_pattern(Tensor::from({3, 4}, values), view, pattern));
}

TEST(BlockGrid, MeetsEveryElementOnce) {
  const WeightView view{.outputs = 5, .taps = 3, .inputs = 7, .output_stride = 21, .tap_stride = 1, .input_stride = 3};
  const BlockGrid grid(view, SparsityPattern::parse("2x4"));
  EXPECT_EQ(grid.size(), 3 * 3 * 2);
  std::vector<int> met(5 * 21, 0);
  for (std::int64_t block = 0; block < grid.size(); ++block)
    grid.for_each(block, [&](std::int64_t at) { ++met[static_cast<std::size_t>(at)]; });
  EXPECT_EQ(met, std::vector<int>(5 * 21, 1));
}

TEST(DetectBalanced, FindsTheTightestQ) {
  EXPECT_EQ(detect_balanced(row_with(128, 8), rows_view(1, 128))->q, 8);
  EXPECT_EQ(detect_balanced(row_with(128, 32), rows_view(1, 128))->q, 32);
  EXPECT_FALSE(detect_balanced(row_with(128, 33), rows_view(1, 128)));
}

TEST(DetectBalanced, GroupsThatAreFilledByChanceAreNoPattern) {
  // 8, 5 and 4 of 64 obey 8:64, but fill it to 71 %; without the 4 it is 81 %. An empty group does not count.
  const auto with = [](std::initializer_list<int> survivors) {
    std::vector<float> values;
    for (const int count : survivors)
      for (int i = 0; i < 64; ++i) values.push_back(i * 23 % 64 < count ? 1.0f : 0.0f);
    const auto columns = static_cast<std::int64_t>(values.size());
    return detect_balanced(Tensor::from({1, columns}, values), rows_view(1, columns));
  };
  EXPECT_FALSE(with({8, 5, 4}));
  EXPECT_EQ(with({8, 5}).value().q, 8);
  EXPECT_EQ(with({8, 0, 5}).value().q, 8);
  EXPECT_EQ(with({0, 0}).value().q, 1);
}

TEST(DetectBalanced, TailIsJudgedByItsOwnSize) {
  // 80 inputs: a full group with 8, and a tail of 16 that may keep ceil(8·16/64) = 2.
  std::vector<float> values(80, 0.0f);
  for (int i = 0; i < 8; ++i) values[static_cast<std::size_t>(i)] = 1;
  values[64] = values[65] = -1;
  EXPECT_EQ(detect_balanced(Tensor::from({1, 80}, values), rows_view(1, 80))->q, 8);
  values[66] = 1;
  EXPECT_EQ(detect_balanced(Tensor::from({1, 80}, values), rows_view(1, 80))->q, 9);
}

TEST(Sparsity, FourBitElements) {
  Tensor tensor(DType::kInt4, {3});
  tensor.mutable_raw()[0] = std::byte{0x0f};  // −1, 0
  tensor.mutable_raw()[1] = std::byte{0x08};  // −8
  EXPECT_DOUBLE_EQ(sparsity(tensor), 1.0 / 3);
}

TEST(Sparsity, NegativeZeroIsZeroAndInt8Counts) {
  EXPECT_DOUBLE_EQ(sparsity(Tensor::from<float>({4}, {0.0f, -0.0f, 1e-30f, -1})), 0.5);
  EXPECT_DOUBLE_EQ(sparsity(Tensor::from<std::int8_t>({4}, {0, -128, 1, 0})), 0.5);
}

TEST(FindWeight, SeesConvGemmAndMatMulAlsoBehindDequantizeLinear) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, {});
  const ValueId conv_weight = graph.add_initializer("wc", Tensor(DType::kFloat32, {4, 3, 2, 5}));
  const ValueId quantized = graph.add_initializer("wq", Tensor(DType::kInt8, {6, 7}));
  const ValueId scale = graph.add_initializer("s", Tensor::scalar(1.0f));
  const ValueId weight = graph.add_value("w");
  graph.add_node({.op_type = "DequantizeLinear", .inputs = {quantized, scale}, .outputs = {weight}});
  const NodeId conv =
      graph.add_node({.op_type = "Conv", .inputs = {x, conv_weight}, .outputs = {graph.add_value("c")}});
  Node gemm_node{.op_type = "Gemm", .inputs = {x, weight}, .outputs = {graph.add_value("g")}};
  gemm_node.set("transB", std::int64_t{1});
  const NodeId gemm = graph.add_node(gemm_node);
  const NodeId matmul = graph.add_node({.op_type = "MatMul", .inputs = {x, weight}, .outputs = {graph.add_value("m")}});
  const NodeId dynamic = graph.add_node({.op_type = "MatMul", .inputs = {x, x}, .outputs = {graph.add_value("d")}});

  const WeightRef c = *find_weight(graph, conv);
  EXPECT_EQ(c.view.outputs, 4);
  EXPECT_EQ(c.view.taps, 10);
  EXPECT_EQ(c.view.index(1, 2, 1), 1 * 30 + 1 * 10 + 2);
  const WeightRef g = *find_weight(graph, gemm);
  EXPECT_EQ(g.value, quantized);
  EXPECT_EQ(g.view.outputs, 6);
  EXPECT_EQ(g.view.index(2, 0, 3), 2 * 7 + 3);
  const WeightRef m = *find_weight(graph, matmul);
  EXPECT_EQ(m.view.outputs, 7);
  EXPECT_EQ(m.view.index(2, 0, 3), 3 * 7 + 2);
  EXPECT_FALSE(find_weight(graph, dynamic));
}

}  // namespace
}  // namespace pare::ir
