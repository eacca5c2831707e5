// Every lowering against the scalar reference, at odd sizes.
#include "runtime/graphs.h"

namespace pare {
namespace {

using test::Builder;
using Ints = std::vector<std::int64_t>;

struct ConvCase {
  std::int64_t in_c, out_c, groups, size;
  Ints kernel, strides, pads, dilations;
  bool bias;
};

TEST(Lowering, ConvAgreesWithReference) {
  const std::vector<ConvCase> cases = {{3, 5, 1, 9, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, true},
                                       {4, 8, 1, 7, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, false},
                                       {6, 6, 6, 8, {3, 3}, {2, 2}, {0, 0, 1, 1}, {1, 1}, true},
                                       {8, 12, 4, 11, {3, 2}, {2, 1}, {1, 0, 2, 1}, {1, 1}, true},
                                       {1, 7, 1, 28, {5, 5}, {3, 2}, {2, 1, 0, 4}, {1, 1}, true},
                                       {5, 3, 1, 13, {3, 3}, {1, 1}, {2, 2, 2, 2}, {2, 3}, false},
                                       {16, 16, 16, 5, {5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}, true}};
  for (const ConvCase& c : cases) {
    for (const char* activation : {"", "Relu", "HardSwish", "Sigmoid", "HardSigmoid"}) {
      Builder b;
      const ir::ValueId x =
          b.input("x", ir::Shape({ir::Dim(2), ir::Dim(c.in_c), ir::Dim(c.size), ir::Dim(c.size + 1)}));
      std::vector<ir::ValueId> inputs = {x, b.weight({c.out_c, c.in_c / c.groups, c.kernel[0], c.kernel[1]})};
      if (c.bias) inputs.push_back(b.weight({c.out_c}));
      ir::ValueId y = b.node(
          "Conv", inputs, {{"group", c.groups}, {"strides", c.strides}, {"pads", c.pads}, {"dilations", c.dilations}});
      if (*activation) y = b.node(activation, {y});
      const ir::Model& model = b.finish({y});
      SCOPED_TRACE(std::to_string(c.in_c) + "→" + std::to_string(c.out_c) + " " + activation);
      test::expect_like_reference(model, {{"x", test::random_tensor({2, c.in_c, c.size, c.size + 1}, 7)}});
    }
  }
}

TEST(Lowering, ResidualBlockIsTwoSteps) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(2), ir::Dim(8), ir::Dim(6), ir::Dim(6)}));
  const ir::ValueId first =
      b.node("Relu", {b.node("Conv", {x, b.weight({8, 8, 3, 3}), b.weight({8})}, {{"pads", Ints{1, 1, 1, 1}}})});
  const ir::ValueId second = b.node("Conv", {first, b.weight({8, 8, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
  const ir::Model& model = b.finish({b.node("Relu", {b.node("Add", {first, second})})});
  test::expect_like_reference(model, {{"x", test::random_tensor({2, 8, 6, 6}, 3)}});
  const auto names = test::kernels_of(*runtime::backend().compile(model, {}), {{"x", {2, 8, 6, 6}}});
  EXPECT_EQ(std::count_if(names.begin(), names.end(), [](const std::string& n) { return n.starts_with("conv_f32"); }),
            2);
  EXPECT_EQ(std::count(names.begin(), names.end(), "binary_f32"), 0);
}

TEST(Lowering, WhatIsAddedBehindAnActivationIsFound) {
  for (const char* activation : {"Sigmoid", "HardSigmoid"}) {  // the second is two operations of oneDNN
    Builder b;
    const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(2), ir::Dim(8), ir::Dim(6), ir::Dim(6)}));
    const ir::ValueId conv = b.node("Conv", {x, b.weight({8, 8, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
    const ir::Model& model = b.finish({b.node("Add", {b.node(activation, {conv}), x})});
    test::expect_like_reference(model, {{"x", test::random_tensor({2, 8, 6, 6}, 3)}});
  }
}

TEST(Lowering, ChainsOfResidualBlocksAddInPlaceAndKeepWhatIsReadLater) {
  for (bool read_later : {false, true}) {
    Builder b;
    const auto block = [&](ir::ValueId x) {
      const ir::ValueId inner = b.node("Relu", {b.node("Conv", {x, b.weight({8, 64, 1, 1}), b.weight({8})})});
      return b.node("Relu", {b.node("Add", {b.node("Conv", {inner, b.weight({64, 8, 1, 1}), b.weight({64})}), x})});
    };
    const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(2), ir::Dim(8), ir::Dim(29), ir::Dim(37)}));
    const ir::ValueId first = block(b.node("Relu", {b.node("Conv", {x, b.weight({64, 8, 1, 1})})}));
    ir::ValueId y = block(block(first));
    if (read_later) y = b.node("Mul", {y, first});
    const ir::Model& model = b.finish({b.node("GlobalAveragePool", {y})});
    test::expect_like_reference(model, {{"x", test::random_tensor({2, 8, 29, 37}, 3)}});
    const std::int64_t wide = 2 * 64 * 29 * 37 * 4;
    const auto arena = runtime::backend().compile(model, {})->memory({{"x", {2, 8, 29, 37}}}).arena;
    EXPECT_EQ(arena < 2 * wide, !read_later);
  }
}

/// All but every n-th weight are zero.
Tensor thinned(const Dims& dims, std::int64_t n) {
  Tensor weight = test::random_tensor(dims, 5);
  std::int64_t at = 0;
  for (float& w : weight.mutable_data<float>())
    if (at++ % n) w = 0;
  return weight;
}

TEST(Lowering, SparseConvolutionsTakeWhateverFollows) {
  for (const char* activation : {"", "Relu", "HardSwish", "Sigmoid", "HardSigmoid"})
    for (bool residual : {false, true}) {
      Builder b;
      const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(2), ir::Dim(256), ir::Dim(9), ir::Dim(7)}));
      ir::ValueId y = b.node("Conv", {x, b.constant(thinned({256, 256, 3, 3}, 29)), b.weight({256})},
                             {{"pads", Ints{1, 1, 1, 1}}});
      if (residual) y = b.node("Add", {y, x});
      if (*activation) y = b.node(activation, {y});
      const ir::Model& model = b.finish({y});
      SCOPED_TRACE(std::string(activation) + (residual ? " residual" : ""));
      test::expect_like_reference(model, {{"x", test::random_tensor({2, 256, 9, 7}, 7)}});
      const auto names = test::kernels_of(*runtime::backend().compile(model, {}), {{"x", {2, 256, 9, 7}}});
      EXPECT_TRUE(std::any_of(names.begin(), names.end(),
                              [](const std::string& n) { return n.starts_with("spconv_f32"); }));
    }
}

TEST(Lowering, SparseProductsInBothOrientations) {
  for (bool gemm : {false, true}) {
    Builder b;
    const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(37), ir::Dim(300)}));
    const ir::ValueId w = b.constant(thinned(gemm ? Dims{200, 300} : Dims{300, 200}, 31));
    const ir::ValueId y = gemm ? b.node("Gemm", {x, w, b.weight({200})}, {{"transB", std::int64_t{1}}})
                               : b.node("Add", {b.node("MatMul", {x, w}), b.weight({200})});
    const ir::Model& model = b.finish({b.node("Relu", {y})});
    test::expect_like_reference(model, {{"x", test::random_tensor({37, 300}, 7)}});
    const auto names = test::kernels_of(*runtime::backend().compile(model, {}), {{"x", {37, 300}}});
    EXPECT_TRUE(names.size() == 1 && names[0].starts_with("spconv_f32")) << (gemm ? "Gemm" : "MatMul");
  }
}

TEST(Lowering, FewZerosRunDense) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(1), ir::Dim(64), ir::Dim(8), ir::Dim(8)}));
  const ir::Model& model = b.finish({b.node("Conv", {x, b.constant(thinned({64, 64, 1, 1}, 2))})});
  const auto names = test::kernels_of(*runtime::backend().compile(model, {}), {{"x", {1, 64, 8, 8}}});
  EXPECT_FALSE(std::any_of(names.begin(), names.end(), [](const std::string& n) { return n.starts_with("spconv"); }));
}

TEST(Lowering, PoolsAgreeWithReference) {
  for (const char* type : {"MaxPool", "AveragePool"})
    for (std::int64_t ceil : {0, 1})
      for (std::int64_t count : {0, 1})
        for (const Ints& pads : {Ints{0, 0, 0, 0}, Ints{1, 0, 1, 2}, Ints{1, 1, 1, 1}}) {
          if (std::string(type) == "MaxPool" && count) continue;
          Builder b;
          b.model.opsets[""] = 19;
          const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(2), ir::Dim(5), ir::Dim(9), ir::Dim(10)}));
          std::vector<std::pair<std::string, ir::AttributeValue>> attributes = {
              {"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", pads}, {"ceil_mode", ceil}};
          if (count) attributes.emplace_back("count_include_pad", count);
          SCOPED_TRACE(std::string(type) + " ceil " + std::to_string(ceil) + " include " + std::to_string(count) +
                       " pads " + std::to_string(pads[3]));
          test::expect_like_reference(b.finish({b.node(type, {x}, attributes)}),
                                      {{"x", test::random_tensor({2, 5, 9, 10}, 5)}});
        }
}

TEST(Lowering, ProductsAgreeWithReference) {
  for (std::int64_t transposed : {0, 1}) {
    Builder b;
    const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(3), ir::Dim(17)}));
    const ir::ValueId w = transposed ? b.weight({5, 17}) : b.weight({17, 5});
    test::expect_like_reference(
        b.finish({b.node("Relu", {b.node("Gemm", {x, w, b.weight({5})}, {{"transB", transposed}})})}),
        {{"x", test::random_tensor({3, 17}, 2)}});
  }
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(2), ir::Dim(3), ir::Dim(7)}));
  const ir::ValueId y = b.node("Add", {b.node("MatMul", {x, b.weight({7, 4})}), b.weight({4})});
  const ir::ValueId z = b.node("MatMul", {y, b.node("Transpose", {y}, {{"perm", Ints{0, 2, 1}}})});
  test::expect_like_reference(b.finish({z}), {{"x", test::random_tensor({2, 3, 7}, 2)}});
}

TEST(Lowering, BroadcastsInBothLayoutsAgreeWithReference) {
  for (const Dims& other :
       {Dims{4, 1, 1}, Dims{1, 4, 1, 1}, Dims{6}, Dims{4, 5, 6}, Dims{2, 4, 5, 6}, Dims{}, Dims{5, 1}}) {
    Builder b;
    const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(2), ir::Dim(3), ir::Dim(5), ir::Dim(6)}));
    const ir::ValueId image = b.node("Conv", {x, b.weight({4, 3, 1, 1})});
    SCOPED_TRACE(to_string(other));
    test::expect_like_reference(b.finish({b.node("Mul", {image, b.weight(other)})}),
                                {{"x", test::random_tensor({2, 3, 5, 6}, 4)}});
  }
}

TEST(Lowering, MovesAgreeWithReference) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(2), ir::Dim(3), ir::Dim(5), ir::Dim(6)}));
  const ir::ValueId left = b.node("Conv", {x, b.weight({4, 3, 1, 1})}),
                    right = b.node("MaxPool", {x}, {{"kernel_shape", Ints{1, 1}}});
  const ir::ValueId joined = b.node("Concat", {left, right}, {{"axis", std::int64_t{1}}});
  const ir::ValueId moved = b.node("Transpose", {joined}, {{"perm", Ints{0, 2, 3, 1}}});
  const ir::ValueId flat = b.node("Flatten", {joined}),
                    mean = b.node("ReduceMean", {joined}, {{"axes", Ints{2, 3}}, {"keepdims", std::int64_t{0}}});
  const ir::ValueId soft = b.node("Softmax", {mean}), pooled = b.node("GlobalAveragePool", {joined});
  test::expect_like_reference(b.finish({joined, moved, flat, mean, soft, pooled}),
                              {{"x", test::random_tensor({2, 3, 5, 6}, 9)}});
}

TEST(Lowering, OneDimensionalConvolutionRunsOnTheReferenceAndSaysSo) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(1), ir::Dim(3), ir::Dim(10)}));
  const ir::Model& model = b.finish({b.node("Conv", {x, b.weight({2, 3, 3})})});
  test::expect_like_reference(model, {{"x", test::random_tensor({1, 3, 10}, 4)}});
  const auto plan = runtime::backend().compile(model, {})->plan({{"x", {1, 3, 10}}});
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].kernel, "reference");
  EXPECT_EQ(plan[0].reason, "only 2-d convolutions have kernels");
}

}  // namespace
}  // namespace pare
