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
    std::vector<ResidualBlock> gone;
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

}  // namespace
}  // namespace pare::ir
