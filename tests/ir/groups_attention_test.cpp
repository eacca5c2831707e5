// Heads of attention go as a whole, from three matrices or a joint one.
#include "groups_fixture.h"

namespace pare::compress {
namespace {

/// Attention of four heads of four. `lost`: shapes go through floating point, where no symbol follows them.
ir::Model attention(bool lost) {
  Grown b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), ir::Dim::symbol("S"), 16});
  if (lost) {
    ir::ValueId sizes = b.add("Shape", "sizes", {x});
    ir::ValueId floats = b.add("Cast", "floats", {sizes}, {{"to", std::int64_t{1}}});
    ir::ValueId ints = b.add("Cast", "ints", {floats}, {{"to", std::int64_t{7}}});
    x = b.add("Add", "stretched", {x, b.add("Expand", "stretch", {b.constant("one", random_tensor({16}, 4)), ints})});
  }
  const auto heads = [&](const std::string& name, Ints order) {
    ir::ValueId y = b.add("MatMul", name, {x, b.constant(name + ".w", random_tensor({16, 16}, ++b.seed))});
    ir::ValueId split =
        b.add("Reshape", name + "_heads", {y, b.constant(name + "_shape", Tensor::from({4}, Ints{0, 0, -1, 4}))});
    return b.add("Transpose", name + "_turned", {split}, {{"perm", std::move(order)}});
  };
  ir::ValueId scores = b.add("MatMul", "scores", {heads("q", {0, 2, 1, 3}), heads("k", {0, 2, 3, 1})});
  ir::ValueId mixed = b.add(
      "MatMul", "mixed", {b.add("Softmax", "soft", {scores}, {{"axis", std::int64_t{-1}}}), heads("v", {0, 2, 1, 3})});
  ir::ValueId turned = b.add("Transpose", "back", {mixed}, {{"perm", Ints{0, 2, 1, 3}}});
  ir::ValueId flat = b.add("Reshape", "merge", {turned, b.constant("merge_shape", Tensor::from({3}, Ints{0, 0, 16}))});
  return b.finish(b.add("MatMul", "out", {flat, b.constant("out.w", random_tensor({16, 16}, 99))}));
}

TEST(ChannelGroups, HeadsOfAttentionGoAsAWhole) {
  for (const bool lost : {false, true}) {
    const ir::Model model = attention(lost);
    EXPECT_EQ(model.graph.value(model.graph.find_value("q_out")).shape[1].is_unknown(), lost);
    const auto groups = ir::channel_groups(model);
    const ir::ChannelGroup& group = group_of(groups, "q");
    EXPECT_EQ(group.blocked, "") << lost;
    EXPECT_EQ(group.units, 4);
    EXPECT_EQ(group.block, 4);
    EXPECT_EQ(names(model, group), (std::vector<std::string>{"q", "k", "v"}));
    std::vector<Ints> removed(groups.size());
    removed[static_cast<std::size_t>(&group - groups.data())] = {1, 2};
    ir::Model smaller = model, silent = model;
    ir::remove_units(smaller, groups, removed);
    EXPECT_EQ(smaller.graph.value(smaller.graph.find_value("out.w")).constant->dims(), (Dims{8, 16}));
    ir::Value& out = silent.graph.value(silent.graph.find_value("out.w"));
    Tensor rows = out.constant->clone();  // rows 4 to 11 are those of heads 1 and 2
    std::fill_n(rows.mutable_data<float>().begin() + 4 * 16, 8 * 16, 0.0F);
    out.constant = rows;
    const NamedTensors inputs = {{"x", random_tensor({2, 6, 16}, 3)}};
    const Tensor got = ir::evaluate(smaller, inputs).at("out_out"), want = ir::evaluate(silent, inputs).at("out_out");
    ASSERT_EQ(got.dims(), (Dims{2, 6, 16}));
    for (std::size_t i = 0; i < got.data<float>().size(); ++i)
      EXPECT_NEAR(got.data<float>()[i], want.data<float>()[i], 1e-4) << lost << " " << i;
  }
}

/// Queries, keys and values from one matrix: [3, heads, size] of its channels.
TEST(ChannelGroups, HeadsInAJointMatrix) {
  Grown b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 5, 16});
  ir::ValueId y = b.add("MatMul", "qkv", {x, b.constant("qkv.w", random_tensor({16, 48}, 21))});
  y = b.add("Reshape", "split", {y, b.constant("split_shape", Tensor::from({5}, Ints{0, 5, 3, 4, 4}))});
  y = b.add("Transpose", "turned", {y}, {{"perm", Ints{2, 0, 3, 1, 4}}});
  const auto part = [&](const std::string& name, std::int64_t i) {
    return b.add("Gather", name, {y, b.constant(name + "_i", Tensor::from({}, Ints{i}))}, {{"axis", std::int64_t{0}}});
  };
  ir::ValueId keys = b.add("Transpose", "keys", {part("k", 1)}, {{"perm", Ints{0, 1, 3, 2}}});
  ir::ValueId scores =
      b.add("Softmax", "soft", {b.add("MatMul", "scores", {part("q", 0), keys})}, {{"axis", std::int64_t{-1}}});
  ir::ValueId back =
      b.add("Transpose", "back", {b.add("MatMul", "mixed", {scores, part("v", 2)})}, {{"perm", Ints{0, 2, 1, 3}}});
  back = b.add("Reshape", "merge", {back, b.constant("merge_shape", Tensor::from({3}, Ints{0, 0, 16}))});
  const ir::Model model = b.finish(b.add("MatMul", "out", {back, b.constant("out.w", random_tensor({16, 16}, 22))}));
  EXPECT_EQ(group_of(ir::channel_groups(model), "qkv").units, 4) << group_of(ir::channel_groups(model), "qkv").blocked;
  EXPECT_EQ(group_of(ir::channel_groups(model), "qkv").block, 12);
  expect_silence(model, {"qkv"}, {2}, {{"x", random_tensor({2, 5, 16}, 3)}}, "out_out");
}

}  // namespace
}  // namespace pare::compress
