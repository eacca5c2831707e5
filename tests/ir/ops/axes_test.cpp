// Axis relations: which axes of a node are one index set, and in what blocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ir/infer.h"
#include "ir/op_case.h"

namespace pare::testing {
namespace {

using ir::AxisRelation;
using ir::Dim;
using ir::Shape;
using Kind = AxisRelation::Kind;

std::vector<AxisRelation> relations(const ir::Model& model) {
  const ir::Node& node = model.graph.node(model.graph.nodes()[0]);
  const auto facts = ir::infer_for(model, {});
  std::vector<ir::ValueFacts> in, out;
  for (ir::ValueId id : node.inputs)
    in.push_back(id == ir::kNoValue ? ir::ValueFacts{} : facts[static_cast<std::size_t>(id)]);
  for (ir::ValueId id : node.outputs) out.push_back(facts[static_cast<std::size_t>(id)]);
  return ir::find_operator(node, model.opset(""))->axes({node, in, out});
}

/// The axes that share the label of an axis: "x1.0" is axis 0 of input 1, "*4" a block, "~" contracted, "+"
/// concatenated.
std::set<std::string> coupled(const std::vector<AxisRelation>& all, AxisRelation::Side side, std::size_t slot,
                              std::int64_t axis) {
  const auto is = [&](const AxisRelation& r) { return r.side == side && r.slot == slot && r.axis == axis; };
  const auto found = std::ranges::find_if(all, is);
  std::set<std::string> out;
  if (found == all.end()) return out;
  for (const AxisRelation& r : all) {
    if (r.label != found->label) continue;
    std::string text =
        (r.side == AxisRelation::Side::kInput ? "x" : "y") + std::to_string(r.slot) + "." + std::to_string(r.axis);
    if (r.block != 1) text += "*" + std::to_string(r.block);
    if (r.kind == Kind::kContracted) text += "~";
    if (r.kind == Kind::kConcatenated) text += "+";
    out.insert(text);
  }
  return out;
}

using Set = std::set<std::string>;
constexpr auto kIn = AxisRelation::Side::kInput, kOut = AxisRelation::Side::kOutput;
const Dim kBatch = Dim::symbol("batch");
constexpr DType kF = DType::kFloat32;

TEST(Axes, DenseConvolution) {
  const auto all = relations(
      one_node("Conv", 17,
               {{kF, Shape({kBatch, Dim(3), Dim(8), Dim(8)})}, {kF, Shape::of({6, 3, 3, 3})}, {kF, Shape::of({6})}}));
  EXPECT_EQ(coupled(all, kIn, 0, 1), (Set{"x0.1~", "x1.1~"}));
  EXPECT_EQ(coupled(all, kOut, 0, 1), (Set{"x1.0", "x2.0", "y0.1"}));
  EXPECT_EQ(coupled(all, kIn, 0, 0), (Set{"x0.0", "y0.0"}));
}

TEST(Axes, DepthwiseConvolutionCouplesItsInput) {
  const auto all =
      relations(one_node("Conv", 17, {{kF, Shape({kBatch, Dim(4), Dim(8), Dim(8)})}, {kF, Shape::of({8, 1, 3, 3})}},
                         {{"group", std::int64_t{4}}}));
  EXPECT_EQ(coupled(all, kIn, 0, 1), (Set{"x0.1", "x1.0*2", "y0.1*2"}));
}

TEST(Axes, FlattenCoversBlocks) {
  const auto all = relations(one_node("Flatten", 17, {{kF, Shape({kBatch, Dim(32), Dim(7), Dim(7)})}}));
  EXPECT_EQ(coupled(all, kIn, 0, 1), (Set{"x0.1", "y0.1*49"}));
  EXPECT_EQ(coupled(all, kIn, 0, 0), (Set{"x0.0", "y0.0"}));
}

TEST(Axes, BroadcastLeavesStretchedAxesOut) {
  const auto all = relations(one_node("Mul", 17, {{kF, Shape({kBatch, Dim(4), Dim(5)})}, {kF, Shape::of({4, 1})}}));
  EXPECT_EQ(coupled(all, kOut, 0, 1), (Set{"x0.1", "x1.0", "y0.1"}));
  EXPECT_EQ(coupled(all, kOut, 0, 2), (Set{"x0.2", "y0.2"}));
}

TEST(Axes, ConcatGemmAndBatchNormalization) {
  const auto concat = relations(
      one_node("Concat", 17, {{kF, Shape::of({2, 3})}, {kF, Shape::of({2, 4})}}, {{"axis", std::int64_t{-1}}}));
  EXPECT_EQ(coupled(concat, kOut, 0, 1), (Set{"x0.1+", "x1.1+", "y0.1+"}));
  const auto gemm =
      relations(one_node("Gemm", 17, {{kF, Shape({kBatch, Dim(3)})}, {kF, Shape::of({5, 3})}, {kF, Shape::of({5})}},
                         {{"transB", std::int64_t{1}}}));
  EXPECT_EQ(coupled(gemm, kIn, 0, 1), (Set{"x0.1~", "x1.1~"}));
  EXPECT_EQ(coupled(gemm, kOut, 0, 1), (Set{"x1.0", "x2.0", "y0.1"}));
  const std::pair<DType, Shape> channel = {kF, Shape::of({3})};
  const auto norm = relations(one_node(
      "BatchNormalization", 15, {{kF, Shape({kBatch, Dim(3), Dim(4), Dim(4)})}, channel, channel, channel, channel}));
  EXPECT_EQ(coupled(norm, kOut, 0, 1), (Set{"x0.1", "x1.0", "x2.0", "x3.0", "x4.0", "y0.1"}));
}

TEST(Axes, MatMulWithBroadcastBatch) {
  const auto all = relations(one_node("MatMul", 17, {{kF, Shape({kBatch, Dim(4), Dim(6)})}, {kF, Shape::of({6, 5})}}));
  EXPECT_EQ(coupled(all, kIn, 0, 2), (Set{"x0.2~", "x1.0~"}));
  EXPECT_EQ(coupled(all, kOut, 0, 2), (Set{"x1.1", "y0.2"}));
  EXPECT_EQ(coupled(all, kOut, 0, 1), (Set{"x0.1", "y0.1"}));
  EXPECT_EQ(coupled(all, kOut, 0, 0), (Set{"x0.0", "y0.0"}));
}

TEST(Axes, PerChannelAndBlockedScales) {
  const auto channel = relations(
      one_node("QuantizeLinear", 13, {{kF, Shape::of({4, 6})}, {kF, Shape::of({4})}, {DType::kInt8, Shape::of({4})}},
               {{"axis", std::int64_t{0}}}));
  EXPECT_EQ(coupled(channel, kIn, 0, 0), (Set{"x0.0", "x1.0", "x2.0", "y0.0"}));
  const auto blocked =
      relations(one_node("DequantizeLinear", 21, {{DType::kInt8, Shape::of({4, 6})}, {kF, Shape::of({4, 2})}},
                         {{"axis", std::int64_t{1}}, {"block_size", std::int64_t{3}}}));
  EXPECT_EQ(coupled(blocked, kIn, 0, 1), (Set{"x0.1*3", "x1.1", "y0.1*3"}));
}

}  // namespace
}  // namespace pare::testing
