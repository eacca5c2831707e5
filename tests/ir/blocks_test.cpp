#include "ir/blocks.h"

#include <gtest/gtest.h>

#include "../compress/fakes.h"
#include "ir/verify.h"

namespace pare::ir {
namespace {

using compress::Builder;
using compress::random_tensor;

/// x → stem → first block → second block (with one inside it) → projection beside a body → output.
Model residual() {
  Builder b;
  const ValueId x = b.input("x", {Dim::symbol("N"), 3, 6, 6});
  const ValueId stem = b.conv("stem", x, 3, 4, 1);
  const ValueId one = b.add("Add", "one", {stem, b.conv("a", b.add("Relu", "r", {stem}), 4, 4, 2)});
  const ValueId within = b.conv("b", one, 4, 4, 3);
  const ValueId inner = b.add("Add", "inner", {b.conv("c", within, 4, 4, 4), within});
  const ValueId two = b.add("Add", "two", {inner, one});
  const ValueId sum = b.add("Add", "projected", {b.conv("body", two, 4, 8, 5), b.conv("projection", two, 4, 8, 6)});
  return b.finish(sum);
}

std::vector<std::string> names(const Model& model, const std::vector<NodeId>& nodes) {
  std::vector<std::string> out;
  for (NodeId id : nodes) out.push_back(model.graph.node(id).name);
  return out;
}

Tensor run(const Model& model) {
  return evaluate(model, {{"x", random_tensor({2, 3, 6, 6}, 9)}}).begin()->second;
}

TEST(ResidualBlocks, AreSumsOfAValueAndWhatIsComputedFromIt) {
  const Model model = residual();
  const auto blocks = residual_blocks(model);
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_EQ(blocks[0].name, "one");
  EXPECT_EQ(names(model, blocks[0].layers), (std::vector<std::string>{"a"}));
  EXPECT_EQ(names(model, blocks[0].nodes), (std::vector<std::string>{"r", "a"}));
  EXPECT_EQ(blocks[1].name, "inner");
  EXPECT_EQ(names(model, blocks[2].layers), (std::vector<std::string>{"b", "c"}));
}

TEST(ResidualBlocks, GoAsIfTheirBranchWereZero) {
  const Model model = residual();
  const auto blocks = residual_blocks(model);
  for (const std::vector<std::size_t>& which : {std::vector<std::size_t>{0}, {1}, {2}, {0, 2}, {2, 1, 0}}) {
    Model smaller = model, zeroed = model;
    std::vector<Block> gone;
    for (std::size_t i : which) {
      gone.push_back(blocks[i]);
      // The branch times zero: its last layer's weight and bias.
      for (NodeId id : blocks[i].name == "inner" || blocks[i].name == "one" ? std::vector{blocks[i].layers.back()}
                                                                            : blocks[i].layers)
        for (std::size_t slot : {1, 2}) {
          const ValueId value = zeroed.graph.node(id).input(slot);
          zeroed.graph.set_constant(value, Tensor(DType::kFloat32, zeroed.graph.constant(value)->dims()));
        }
    }
    remove_blocks(smaller, gone);
    verify(smaller);
    EXPECT_LT(smaller.graph.nodes().size(), model.graph.nodes().size());
    const Tensor a = run(smaller), c = run(zeroed);
    for (std::size_t i = 0; i < a.data<float>().size(); ++i) EXPECT_NEAR(a.data<float>()[i], c.data<float>()[i], 1e-5);
  }
}

TEST(ResidualBlocks, AnOutputKeepsItsName) {
  Builder b;
  const ValueId x = b.input("x", {Dim::symbol("N"), 3, 6, 6});
  const ValueId stem = b.conv("stem", x, 3, 4, 1);
  Model model = b.finish(b.add("Add", "last", {b.conv("a", stem, 4, 4, 2), stem}));
  remove_blocks(model, residual_blocks(model));
  verify(model);
  EXPECT_EQ(model.graph.value(model.graph.outputs[0]).name, "last_out");
  EXPECT_EQ(model.graph.nodes().size(), 2U);
}

TEST(ResidualBlocks, ABranchThatOthersReadStays) {
  Builder b;
  const ValueId x = b.input("x", {Dim::symbol("N"), 3, 6, 6});
  const ValueId stem = b.conv("stem", x, 3, 4, 1), branch = b.conv("a", stem, 4, 4, 2);
  const ValueId sum = b.add("Add", "sum", {branch, stem});
  const Model model = b.finish(b.add("Concat", "both", {sum, branch}, {{"axis", std::int64_t{1}}}));
  EXPECT_TRUE(residual_blocks(model).empty());
}

/// VGG's way: convolutions of one width, a pooling, a wider one; dense layers, of which one keeps its width.
Model plain() {
  Builder b;
  const auto relu = [&](const std::string& name, ValueId x) { return b.add("Relu", name, {x}); };
  const ValueId x = b.input("x", {Dim::symbol("N"), 3, 6, 6});
  ValueId y = relu("r0", b.conv("c0", x, 3, 4, 1));
  y = relu("r1", b.conv("c1", y, 4, 4, 2));
  y = b.conv("c2", y, 4, 4, 3);
  y = b.add("MaxPool", "pool", {relu("r2", y)},
            {{"kernel_shape", std::vector<std::int64_t>{2, 2}}, {"strides", std::vector<std::int64_t>{2, 2}}});
  y = b.add("Flatten", "flat", {relu("r3", b.conv("c3", y, 4, 2, 4))});
  const auto dense = [&](const std::string& name, ValueId from, std::int64_t in, std::int64_t out) {
    return b.add("Gemm", name,
                 {from, b.constant(name + ".w", random_tensor({in, out}, 40 + static_cast<std::uint64_t>(out)))});
  };
  return b.finish(dense("last", relu("r4", dense("same", y, 18, 18)), 18, 18));
}

TEST(PlainLayers, AreThoseThatGiveWhatTheyTake) {
  const Model model = plain();
  const auto blocks = plain_layers(model);
  ASSERT_EQ(blocks.size(), 3U) << "not the output's layer, which has the same width";
  EXPECT_EQ(names(model, blocks[0].nodes), (std::vector<std::string>{"c1", "r1"})) << "with its activation";
  EXPECT_EQ(names(model, blocks[1].nodes), (std::vector<std::string>{"c2", "r2"}));
  EXPECT_EQ(names(model, blocks[2].nodes), (std::vector<std::string>{"same", "r4"}));
  EXPECT_TRUE(residual_blocks(model).empty());
}

TEST(PlainLayers, GoAsIfTheyPassedOnWhatTheyGet) {
  const Model model = plain();
  const auto blocks = plain_layers(model);
  for (const std::vector<std::size_t>& which : {std::vector<std::size_t>{0}, {1}, {0, 1}, {1, 0}, {2, 0, 1}}) {
    Model smaller = model, passing = model;
    std::vector<Block> gone;
    for (std::size_t i : which) {
      gone.push_back(blocks[i]);
      // Identity instead; what it gets is behind a ReLU, so that another changes nothing.
      const Node& layer = model.graph.node(blocks[i].layers[0]);
      Tensor weight(DType::kFloat32, model.graph.constant(layer.input(1))->dims());
      const std::int64_t n = weight.dim(0), inner = weight.numel() / n / n;
      for (std::int64_t c = 0; c < n; ++c)
        weight.mutable_data<float>()[static_cast<std::size_t>((c * n + c) * inner + inner / 2)] = 1;
      passing.graph.set_constant(layer.input(1), weight);
      if (layer.input(2) != kNoValue) passing.graph.set_constant(layer.input(2), Tensor(DType::kFloat32, {n}));
    }
    remove_blocks(smaller, gone);
    verify(smaller);
    EXPECT_EQ(smaller.graph.nodes().size(), model.graph.nodes().size() - 2 * which.size());
    const Tensor a = run(smaller), c = run(passing);
    ASSERT_EQ(a.dims(), c.dims());
    for (std::size_t i = 0; i < a.data<float>().size(); ++i) EXPECT_NEAR(a.data<float>()[i], c.data<float>()[i], 1e-5);
  }
}

/// Recurrent layers of one width on top of each other, the second in both directions.
TEST(PlainLayers, StackedRecurrentLayers) {
  Builder b;
  ValueId x = b.input("x", {Dim::symbol("T"), Dim::symbol("N"), 6});
  const auto constant = [&](const std::string& name, Dims dims) {
    return b.constant(name, random_tensor(std::move(dims), 5));
  };
  const auto ints = [&](const std::string& name, std::vector<std::int64_t> values) {
    return b.constant(name, Tensor::from({static_cast<std::int64_t>(values.size())}, values));
  };
  ValueId y = b.add("LSTM", "one", {x, constant("one.w", {1, 24, 6}), constant("one.r", {1, 24, 6})},
                    {{"hidden_size", std::int64_t{6}}});
  y = b.add("Squeeze", "one_flat", {y, ints("axis", {1})});
  y = b.add("GRU", "two", {y, constant("two.w", {2, 9, 6}), constant("two.r", {2, 9, 3})},
            {{"hidden_size", std::int64_t{3}}, {"direction", std::string("bidirectional")}});
  y = b.add("Transpose", "two_turned", {y}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
  y = b.add("Reshape", "two_flat", {y, ints("sizes", {0, 0, 6})});
  Model model = b.finish(b.add("MatMul", "head", {y, constant("head.w", {6, 2})}));
  const auto blocks = plain_layers(model);
  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_EQ(names(model, blocks[0].nodes), (std::vector<std::string>{"one", "one_flat"}));
  EXPECT_EQ(names(model, blocks[1].nodes), (std::vector<std::string>{"two", "two_turned", "two_flat"}));
  remove_blocks(model, blocks);
  verify(model);
  EXPECT_EQ(names(model, model.graph.nodes()), (std::vector<std::string>{"head"}));
}

}  // namespace
}  // namespace pare::ir
