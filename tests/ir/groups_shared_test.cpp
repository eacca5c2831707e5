// One initializer that several layers read: the channels of all of them go together.
#include "groups_fixture.h"

namespace pare::compress {
namespace {

using Names = std::vector<std::string>;

NamedTensors image(const Dims& dims) { return {{"x", random_tensor(dims, 3)}}; }

/// The same convolution twice in a row: its outputs are its inputs.
TEST(SharedWeights, ALayerThatRunsTwice) {
  Grown b;
  const ir::ValueId w = b.constant("w", random_tensor({8, 8, 3, 3}, 1, 0.2F));
  const auto again = [&](const std::string& name, ir::ValueId x) {
    return b.relu(name + "_relu", b.add("Conv", name, {x, w}, {{"pads", Ints{1, 1, 1, 1}}}));
  };
  const ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 3, 5, 5});
  const ir::ValueId y = again("second", again("first", b.relu("r", b.filter("stem", x, {8, 3, 3, 3}))));
  const ir::Model model = b.finish(b.filter("last", y, {2, 8, 1, 1}));
  const auto groups = ir::channel_groups(model);
  EXPECT_EQ(names(model, group_of(groups, "stem")), (Names{"stem", "first", "second"}));
  EXPECT_EQ(group_of(groups, "stem").units, 8);
  expect_silence(model, {"stem"}, {0, 5}, image({2, 3, 5, 5}), "last_out");
}

/// A detector's head over two levels of a pyramid: all its weights are shared, what goes in has equal channels.
TEST(SharedWeights, AHeadOverSeveralLevels) {
  Grown b;
  const ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 3, 8, 8});
  const ir::ValueId fine = b.relu("r0", b.filter("fine", x, {6, 3, 3, 3}));
  const ir::ValueId coarse = b.relu("r1", b.add("Conv", "coarse",
                                                {fine, b.constant("coarse.w", random_tensor({6, 6, 3, 3}, 7))},
                                                {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}}));
  const ir::ValueId tower = b.constant("tower.w", random_tensor({10, 6, 3, 3}, 8)),
                    bias = b.constant("tower.b", random_tensor({10}, 9)),
                    out = b.constant("out.w", random_tensor({4, 10, 1, 1}, 10));
  std::vector<ir::ValueId> flat;
  for (const auto& [level, from] : {std::pair("p3", fine), std::pair("p4", coarse)}) {
    const std::string name = level;
    const ir::ValueId y = b.relu(name + "_relu",
                                 b.add("Conv", name + "_tower", {from, tower, bias}, {{"pads", Ints{1, 1, 1, 1}}}));
    flat.push_back(b.add("Reshape", name + "_flat",
                         {b.add("Conv", name + "_out", {y, out}),
                          b.constant(name + "_shape", Tensor::from({3}, Ints{0, 4, -1}))}));
  }
  const ir::Model model = b.finish(b.add("Concat", "all", flat, {{"axis", std::int64_t{2}}}));
  const auto groups = ir::channel_groups(model);
  EXPECT_EQ(names(model, group_of(groups, "p3_tower")), (Names{"p3_tower", "p4_tower"}));
  EXPECT_EQ(names(model, group_of(groups, "fine")), (Names{"fine", "coarse"})) << "both are the tower's inputs";
  EXPECT_NE(group_of(groups, "p3_out").blocked.find("output"), std::string::npos);
  expect_silence(model, {"fine", "p3_tower"}, {1, 4}, image({2, 3, 8, 8}), "all_out");
}

/// A table of words that is the matrix of the output too, transposed: the hidden width goes from both.
TEST(SharedWeights, AnEmbeddingThatIsTheHead) {
  Grown b;
  const ir::ValueId ids = b.model.graph.add_input("ids", DType::kInt64, ir::Shape({ir::Dim::symbol("N"), 5}));
  const ir::ValueId table = b.constant("table", random_tensor({11, 8}, 1));
  const ir::ValueId words = b.add("Gather", "words", {table, ids});
  const ir::ValueId wide =
      b.relu("r", b.add("MatMul", "up", {words, b.constant("up.w", random_tensor({8, 12}, 2))}));
  const ir::ValueId sum = b.add(
      "Add", "sum", {b.add("MatMul", "down", {wide, b.constant("down.w", random_tensor({12, 8}, 3))}), words});
  const ir::Model model =
      b.finish(b.add("MatMul", "head", {sum, b.add("Transpose", "turned", {table}, {{"perm", Ints{1, 0}}})}));
  const auto groups = ir::channel_groups(model);
  EXPECT_EQ(group_of(groups, "down").blocked, "");
  EXPECT_EQ(group_of(groups, "down").units, 8);
  const NamedTensors inputs = {{"ids", Tensor::from<std::int64_t>({2, 5}, {0, 3, 10, 7, 1, 2, 4, 6, 8, 9})}};
  expect_silence(model, {"up", "down"}, {2, 3}, inputs, "head_out");
}

/// Where one of the readers keeps all channels, the others do too.
TEST(SharedWeights, AReaderThatMustStayKeepsTheOthers) {
  Grown b;
  const ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 4, 5, 5});
  const ir::ValueId w = b.constant("w", random_tensor({4, 4, 1, 1}, 1));
  const ir::ValueId inner = b.add("Conv", "inner", {b.relu("r", b.filter("stem", x, {4, 4, 1, 1})), w});
  const ir::Model model = b.finish(b.add("Conv", "outer", {inner, w}));
  const auto groups = ir::channel_groups(model);
  EXPECT_NE(group_of(groups, "stem").blocked.find("output"), std::string::npos) << group_of(groups, "stem").blocked;
}

}  // namespace
}  // namespace pare::compress
