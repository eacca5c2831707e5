// The proof that samples of a batch do not meet: what is proven, and what is refused with which reason.
#include "runtime/batch_axis.h"

#include "pare/error.h"
#include "runtime/compile.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using runtime::BatchAxes;
using runtime::BatchAxis;
using test::Builder;
using Ints = std::vector<std::int64_t>;

const ir::Dim kN = ir::Dim::symbol("N");

Tensor ints(const Ints& values) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

struct Proof {
  std::optional<BatchAxes> axes;
  std::string reason;
};

/// `shapes`: of the inputs for one sample; those of symbol N have N first.
Proof prove(const ir::Model& model, const std::vector<Dims>& shapes, std::int64_t samples = 6, std::int64_t part = 2) {
  const runtime::PreparedModel prepared = runtime::prepare(model, {});
  const auto at = [&](std::int64_t n) {
    std::vector<Dims> result = shapes;
    for (std::size_t i = 0; i < result.size(); ++i)
      if (!prepared.model.graph.value(prepared.model.graph.inputs[i]).shape[0].is_known()) result[i][0] = n;
    return result;
  };
  const auto batch = runtime::free_batch(prepared.model.graph, at(samples));
  Proof proof;
  if (!batch) return {std::nullopt, "no free batch"};
  try {
    proof.axes = runtime::batch_axes(runtime::specialize(prepared.model, at(samples)),
                                     runtime::specialize(prepared.model, at(part)), *batch, proof.reason);
  } catch (const Error& error) {
    proof.reason = error.what();
  }
  return proof;
}

TEST(BatchAxis, FollowsTheBatchThroughHeads) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(5), ir::Dim(8)}));
  // [N, 5, 8] → [N, 5, 2, 4] → [N, 2, 5, 4] → [N·2, 5, 4] → · its transpose → [N, 2, 5, 5]
  ir::ValueId y = b.node("Reshape", {b.node("MatMul", {x, b.weight({8, 8})}), b.constant(ints({0, 0, 2, 4}))});
  y = b.node("Transpose", {y}, {{"perm", Ints{0, 2, 1, 3}}});
  y = b.node("Reshape", {y, b.constant(ints({-1, 5, 4}))});
  ir::ValueId scores = b.node("MatMul", {y, b.node("Transpose", {y}, {{"perm", Ints{0, 2, 1}}})});
  scores = b.node("Softmax", {scores}, {{"axis", std::int64_t{-1}}}, "merged");
  const ir::ValueId apart = b.node("Reshape", {scores, b.constant(ints({-1, 2, 5, 5}))}, {}, "apart");
  const Proof proof = prove(b.finish({scores, apart}), {{0, 5, 8}});
  ASSERT_TRUE(proof.axes) << proof.reason;
  EXPECT_EQ(proof.axes->outputs[0], (BatchAxis{0, 2}));
  EXPECT_EQ(proof.axes->outputs[1], (BatchAxis{0, 1}));
}

TEST(BatchAxis, FollowsTheBatchToAnotherAxis) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(3), ir::Dim(4)}));
  const Proof proof = prove(b.finish({b.node("Transpose", {x}, {{"perm", Ints{1, 2, 0}}})}), {{0, 3, 4}});
  ASSERT_TRUE(proof.axes) << proof.reason;
  EXPECT_EQ(proof.axes->outputs[0], (BatchAxis{2, 1}));
}

TEST(BatchAxis, WhatHasNoBatchIsSharedByAllSamples) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(4)})), scale = b.input("scale", ir::Shape({ir::Dim(4)}));
  const ir::ValueId only = b.node("Exp", {scale}, {}, "only");
  const Proof proof = prove(b.finish({b.node("Mul", {x, only}, {}, "scaled"), only}), {{0, 4}, {4}});
  ASSERT_TRUE(proof.axes) << proof.reason;
  EXPECT_EQ(proof.axes->inputs[1], std::nullopt);
  EXPECT_EQ(proof.axes->outputs[0], (BatchAxis{0, 1}));
  EXPECT_EQ(proof.axes->outputs[1], std::nullopt);
}

TEST(BatchAxis, AConstantOfTheBatchsSizeMustBeAlikeForAllSamples) {
  const auto build = [](bool counts) {
    Builder b;
    const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(4)}));
    const ir::ValueId size = b.node("Gather", {b.node("Shape", {x}), b.constant(ints({0}))});
    ir::ValueId added = ir::kNoValue;
    if (counts) {
      const ir::ValueId axis = b.constant(ints({0}));
      added = b.node("Range", {b.constant(Tensor::scalar<std::int64_t>(0)), b.node("Squeeze", {size, axis}),
                               b.constant(Tensor::scalar<std::int64_t>(1))});
      added = b.node("Unsqueeze", {b.node("Cast", {added}, {{"to", std::int64_t{1}}}), b.constant(ints({1}))});
    } else {
      added = b.node("ConstantOfShape", {b.node("Concat", {size, b.constant(ints({4}))}, {{"axis", std::int64_t{0}}})});
    }
    return b.finish({b.node("Add", {x, added})});
  };
  const Proof zeros = prove(build(false), {{0, 4}});
  EXPECT_TRUE(zeros.axes) << zeros.reason;
  const Proof counts = prove(build(true), {{0, 4}});
  EXPECT_FALSE(counts.axes);
  EXPECT_NE(counts.reason.find("another for every sample"), std::string::npos) << counts.reason;
}

TEST(BatchAxis, ComputingWithTheBatchsSizeIsRefused) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(4)}));
  const ir::ValueId size =
      b.node("Cast", {b.node("Gather", {b.node("Shape", {x}), b.constant(ints({0}))})}, {{"to", std::int64_t{1}}});
  const Proof proof = prove(b.finish({b.node("Div", {x, size})}), {{0, 4}});
  EXPECT_FALSE(proof.axes);
  EXPECT_NE(proof.reason.find("computes with the batch's size"), std::string::npos) << proof.reason;
}

struct Mixing {
  const char* name;
  std::function<ir::ValueId(Builder&, ir::ValueId)> make;  ///< of x [N, 4, 4, 4]
  const char* reason;
};

TEST(BatchAxis, OperatorsThatMixSamplesAreRefused) {
  const auto along = [](std::int64_t axis) { return std::pair<std::string, ir::AttributeValue>{"axis", axis}; };
  const std::vector<Mixing> cases = {
      {"ReduceMean",
       [](Builder& b, ir::ValueId x) {
         return b.node("ReduceMean", {x}, {{"axes", Ints{0}}});
       },
       "together"},
      {"Centered",
       [](Builder& b, ir::ValueId x) {
         return b.node("Sub", {x, b.node("ReduceMean", {x}, {{"axes", Ints{0}}, {"keepdims", std::int64_t{1}}})});
       },
       "together"},
      {"Softmax", [&](Builder& b, ir::ValueId x) { return b.node("Softmax", {x}, {along(0)}); }, "along the batch"},
      {"CumSum",
       [](Builder& b, ir::ValueId x) {
         return b.node("CumSum", {x, b.constant(Tensor::scalar<std::int64_t>(0))});
       },
       "along the batch"},
      {"MeanVarianceNormalization", [](Builder& b, ir::ValueId x) { return b.node("MeanVarianceNormalization", {x}); },
       "along the batch"},
      {"BatchNormalization",
       [](Builder& b, ir::ValueId x) {
         return b.node("BatchNormalization", {x, b.weight({4}), b.weight({4}), b.weight({4}), b.weight({4}, 1, 2)},
                       {{"training_mode", std::int64_t{1}}});
       },
       "along the batch"},
      {"Concat",
       [&](Builder& b, ir::ValueId x) {
         return b.node("Concat", {x, x}, {along(0)});
       },
       "along the batch"},
      {"Flip",
       [](Builder& b, ir::ValueId x) {
         return b.node("Slice", {x, b.constant(ints({-1})), b.constant(ints({INT64_MIN})), b.constant(ints({0})),
                                 b.constant(ints({-1}))});
       },
       "along the batch"},
      {"Folded",  // [N, 4, 4, 4] → [4, N, 4, 4]: other samples in every row
       [](Builder& b, ir::ValueId x) {
         return b.node("Reshape", {x, b.constant(ints({4, -1, 4, 4}))});
       },
       "folds the batch"},
      {"FoldedAndBack",
       [](Builder& b, ir::ValueId x) {
         const ir::ValueId folded = b.node("Reshape", {x, b.constant(ints({4, -1, 4, 4}))});
         return b.node("Reshape",
                       {b.node("Softmax", {folded}, {{"axis", std::int64_t{1}}}), b.constant(ints({-1, 4, 4, 4}))});
       },
       "folds the batch"},
      {"Pairs",  // two samples to a row: two are enough for both sizes of batch
       [](Builder& b, ir::ValueId x) {
         return b.node("Reshape", {x, b.constant(ints({-1, 128}))});
       },
       "another way"},
      {"GramMatrix",
       [](Builder& b, ir::ValueId x) {
         const ir::ValueId rows = b.node("Flatten", {x});
         return b.node("MatMul", {rows, b.node("Transpose", {rows})});
       },
       "several axes"},
      {"DynamicQuantizeLinear",  // one scale for all samples
       [](Builder& b, ir::ValueId x) {
         ir::Node n;
         n.op_type = "DynamicQuantizeLinear";
         n.inputs = {x};
         for (const char* name : {"q", "scale", "zero"}) n.outputs.push_back(b.model.graph.add_value(name));
         const ir::ValueId q = n.outputs[0];
         b.model.graph.add_node(n);
         return q;
       },
       "together"},
  };
  for (const Mixing& mixing : cases) {
    Builder b;
    const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(4), ir::Dim(4), ir::Dim(4)}));
    const ir::ValueId y = mixing.make(b, b.node("Relu", {x}));
    const Proof proof = prove(b.finish({b.node("Neg", {y})}), {{0, 4, 4, 4}});
    EXPECT_FALSE(proof.axes) << mixing.name;
    EXPECT_NE(proof.reason.find(mixing.reason), std::string::npos) << mixing.name << ": " << proof.reason;
  }
}

TEST(BatchAxis, TheFreeBatchIsOneSymbolOnLeadingAxes) {
  const auto batch = [](const std::vector<ir::Shape>& declared, const std::vector<Dims>& shapes) {
    Builder b;
    for (std::size_t i = 0; i < declared.size(); ++i) b.input("x" + std::to_string(i), declared[i]);
    return runtime::free_batch(b.model.graph, shapes);
  };
  const ir::Dim other = ir::Dim::symbol("L");
  EXPECT_FALSE(batch({ir::Shape({ir::Dim(8), ir::Dim(3)})}, {{8, 3}}));  // fixed
  EXPECT_FALSE(batch({ir::Shape({kN, kN})}, {{8, 8}}));
  const auto two = batch({ir::Shape({ir::Dim(8), other}), ir::Shape({kN, other}), ir::Shape({other, ir::Dim(3)})},
                         {{8, 5}, {8, 5}, {5, 3}});
  ASSERT_TRUE(two);
  EXPECT_EQ(two->samples, 8);
  EXPECT_EQ(two->inputs, (std::vector<bool>{false, true, false}));
  const auto unnamed =
      batch({ir::Shape({ir::Dim(), ir::Dim(3)}), ir::Shape({ir::Dim(), ir::Dim(2)})}, {{4, 3}, {4, 2}});
  ASSERT_TRUE(unnamed);
  EXPECT_EQ(unnamed->inputs, (std::vector<bool>{true, true}));
}

}  // namespace
}  // namespace pare
