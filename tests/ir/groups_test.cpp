// Which channels are coupled, in each kind of network, and that removing them is silencing them.
#include "groups_fixture.h"

namespace pare::compress {
namespace {

TEST(ChannelGroups, FollowFromTheAxes) {
  const ir::Model model = everything();
  const auto groups = ir::channel_groups(model);
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(model, group_of(groups, "stem")), (Names{"stem", "tail"})) << "the residual sum couples them";
  EXPECT_EQ(names(model, group_of(groups, "body")), (Names{"body"}));
  EXPECT_EQ(names(model, group_of(groups, "expand")), (Names{"expand", "excite"})) << "depthwise and the gate";
  EXPECT_EQ(group_of(groups, "expand").units, 16);
  EXPECT_EQ(group_of(groups, "left").units, 4) << "whole groups of the grouped convolution";
  EXPECT_EQ(group_of(groups, "left").block, 2);
  EXPECT_EQ(group_of(groups, "mix").units, 8) << "four elements of the flattened axis a channel";
  for (const char* free : {"stem", "body", "expand", "squeeze", "project", "left", "right", "mix"})
    EXPECT_EQ(group_of(groups, free).blocked, "") << free;
  EXPECT_NE(group_of(groups, "head").blocked.find("output"), std::string::npos);
}

/// The same network whose removed channels are multiplied by nothing: what removal has to equal.
ir::Model silenced(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                   const std::vector<Ints>& removed) {
  ir::Model out = model;
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (const ir::GroupAxis& axis : groups[g].axes) {
      ir::Value& value = out.graph.value(axis.value);
      if (!value.constant || axis.axis != 1 || value.constant->dtype() != DType::kFloat32) continue;  // what contracts
      Tensor tensor = value.constant->clone();
      std::int64_t inner = 1;
      for (std::int64_t i = 2; i < tensor.rank(); ++i) inner *= tensor.dim(i);
      auto data = tensor.mutable_data<float>();
      for (std::size_t i = 0; i < data.size(); ++i) {
        const std::int32_t unit = axis.unit[i / static_cast<std::size_t>(inner) % axis.unit.size()];
        if (std::find(removed[g].begin(), removed[g].end(), unit) != removed[g].end()) data[i] = 0;
      }
      value.constant = tensor;
    }
  return out;
}

TEST(ChannelGroups, RemovalIsSilence) {
  const ir::Model model = everything();
  const auto groups = ir::channel_groups(model);
  std::vector<Ints> removed;
  for (const ir::ChannelGroup& group : groups) {
    removed.emplace_back();
    if (group.blocked.empty())
      for (std::int64_t unit = 0; unit < group.units; unit += 3) removed.back().push_back(unit);
  }
  ir::Model smaller = model;
  ir::remove_units(smaller, groups, removed);
  ir::require_valid(smaller, "the pruned model");
  const NamedTensors inputs = {{"x", random_tensor({2, 3, 8, 8}, 7, 1)}};
  // A grouped convolution sums over no axis of the list: its groups go as a whole, inputs and outputs.
  const Tensor expected = ir::evaluate(silenced(model, groups, removed), inputs).at("head_out");
  const Tensor got = ir::evaluate(smaller, inputs).at("head_out");
  ASSERT_EQ(got.dims(), expected.dims());
  for (std::size_t i = 0; i < got.data<float>().size(); ++i)
    EXPECT_NEAR(got.data<float>()[i], expected.data<float>()[i], 1e-4) << i;
  const auto dims = [&](const char* name) {
    return smaller.graph.value(smaller.graph.find_value(name)).constant->dims();
  };
  EXPECT_EQ(dims("depthwise.w"), (Dims{10, 1, 3, 3}));
  EXPECT_EQ(dims("grouped.w"), (Dims{8, 2, 3, 3}));
  EXPECT_EQ(smaller.graph.node(smaller.graph.find_node("grouped")).int_or("group", 1), 2);
  EXPECT_EQ(smaller.graph.node(smaller.graph.find_node("depthwise")).int_or("group", 1), 10);
  EXPECT_EQ(dims("head.w"), (Dims{5, 20}));
}

TEST(ChannelGroups, WhatWorksAcrossChannelsBlocks) {
  Grown b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 3, 4, 4});
  ir::ValueId soft = b.add("Softmax", "soft", {b.filter("a", x, {8, 3, 1, 1})}, {{"axis", std::int64_t{1}}});
  ir::ValueId strange = b.add("Strange", "strange", {b.filter("b", soft, {8, 8, 1, 1})});
  b.model.graph.value(strange).dtype = DType::kFloat32;
  b.model.graph.value(strange).shape = ir::Shape({ir::Dim::symbol("N"), 8, 4, 4});
  b.model.graph.value(strange).has_value_info = true;
  ir::Model model = b.finish(b.filter("c", strange, {4, 8, 1, 1}));
  const auto groups = ir::channel_groups(model);
  EXPECT_EQ(group_of(groups, "a").blocked, "Softmax 'soft' works along axis 1 of 'a_out'");
  EXPECT_NE(group_of(groups, "b").blocked.find("Strange 'strange' is not known"), std::string::npos);
  EXPECT_NE(group_of(groups, "c").blocked.find("output"), std::string::npos);
}

/// Two bidirectional or forward recurrent layers behind a projection, as exporters write them.
ir::Model recurrent(const std::string& type, std::int64_t gates, std::int64_t ways) {
  Grown b;
  ir::ValueId x = b.input("x", {ir::Dim(5), ir::Dim::symbol("N"), 6});
  x = b.add("MatMul", "project", {x, b.constant("project.w", random_tensor({6, 8}, 1))});
  const std::string direction = ways == 2 ? "bidirectional" : "forward";
  for (const std::string name : {"first", "second"}) {
    const std::int64_t width = name == "first" ? 8 : 6 * ways;
    x = b.add(type, name,
              {x, b.constant(name + ".w", random_tensor({ways, gates * 6, width}, ++b.seed)),
               b.constant(name + ".r", random_tensor({ways, gates * 6, 6}, ++b.seed)),
               b.constant(name + ".b", random_tensor({ways, 2 * gates * 6}, ++b.seed))},
              {{"hidden_size", std::int64_t{6}}, {"direction", direction}});
    x = b.add("Transpose", name + "_turned", {x}, {{"perm", Ints{0, 2, 1, 3}}});
    x = b.add("Reshape", name + "_flat", {x, b.constant(name + "_shape", Tensor::from({3}, Ints{0, 0, 6 * ways}))});
  }
  return b.finish(b.add("MatMul", "head", {x, b.constant("head.w", random_tensor({6 * ways, 4}, 9))}));
}

TEST(ChannelGroups, HiddenUnitsOfRecurrentLayers) {
  for (const auto& [type, gates] : {std::pair("LSTM", 4), std::pair("GRU", 3), std::pair("RNN", 1)})
    for (const std::int64_t ways : {1, 2}) {
      SCOPED_TRACE(type + std::to_string(ways));
      const ir::Model model = recurrent(type, gates, ways);
      const auto groups = ir::channel_groups(model);
      EXPECT_EQ(group_of(groups, "first").units, 6) << "a unit of both directions goes from all gates";
      EXPECT_EQ(group_of(groups, "project").units, 8);
      expect_silence(model, {"project", "first", "second"}, {1, 4}, {{"x", random_tensor({5, 2, 6}, 3)}}, "head_out");
    }
}

/// ShuffleNet's unit: two branches, concatenated, shuffled and split in equal parts.
TEST(ChannelGroups, ShuffledChannelsGoInPairs) {
  Grown b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 3, 4, 4});
  ir::ValueId both = b.add("Concat", "both", {b.filter("left", x, {8, 3, 1, 1}), b.filter("right", x, {8, 3, 1, 1})},
                           {{"axis", std::int64_t{1}}});
  const auto shaped = [&](const std::string& name, ir::ValueId from, Ints target) {
    const auto rank = static_cast<std::int64_t>(target.size());
    return b.add("Reshape", name, {from, b.constant(name + "_shape", Tensor::from({rank}, target))});
  };
  ir::ValueId turned =
      b.add("Transpose", "turned", {shaped("apart", both, {0, 2, 8, 4, 4})}, {{"perm", Ints{0, 2, 1, 3, 4}}});
  ir::ValueId shuffled = shaped("together", turned, {-1, 16, 4, 4});
  const ir::Model model = b.finish(b.filter("last", shuffled, {4, 16, 1, 1}));
  const auto groups = ir::channel_groups(model);
  EXPECT_EQ(group_of(groups, "left").units, 8);
  EXPECT_EQ(names(model, group_of(groups, "left")), (std::vector<std::string>{"left", "right"}));
  expect_silence(model, {"left"}, {0, 5}, {{"x", random_tensor({2, 3, 4, 4}, 3)}}, "last_out");
}

/// Embedding → LayerNormalization → a residual feed-forward layer → LayerNormalization → head.
ir::Model normalized() {
  Grown b;
  const ir::ValueId ids = b.model.graph.add_input("ids", DType::kInt64, ir::Shape({ir::Dim::symbol("N"), 5}));
  const auto norm = [&](const std::string& name, ir::ValueId x) {
    return b.add("LayerNormalization", name,
                 {x, b.constant(name + ".scale", random_tensor({8}, ++b.seed)),
                  b.constant(name + ".bias", random_tensor({8}, ++b.seed))},
                 {{"axis", std::int64_t{-1}}});
  };
  const auto matmul = [&](const std::string& name, ir::ValueId x, std::int64_t in, std::int64_t out) {
    return b.add("MatMul", name, {x, b.constant(name + ".w", random_tensor({in, out}, ++b.seed))});
  };
  const ir::ValueId words = b.add("Gather", "words", {b.constant("table", random_tensor({11, 8}, ++b.seed)), ids});
  const ir::ValueId hidden = norm("n0", words);
  const ir::ValueId wide = b.relu("r", matmul("up", hidden, 8, 12));
  const ir::ValueId sum = b.add("Add", "sum", {matmul("down", wide, 12, 8), hidden});
  return b.finish(matmul("head", norm("n1", sum), 8, 3));
}

TEST(ChannelGroups, HiddenWidthThroughNormalizations) {
  const ir::Model model = normalized();
  EXPECT_NE(group_of(ir::channel_groups(model), "down").blocked, "");
  const auto groups = ir::channel_groups(model, {.through_norms = true});
  const ir::ChannelGroup& hidden = group_of(groups, "down");
  ASSERT_EQ(hidden.blocked, "");
  EXPECT_EQ(hidden.units, 8);
  std::vector<std::vector<std::int64_t>> removed(groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g)
    if (groups[g].name == "down") removed[g] = {1, 6};
  ir::Model smaller = model;
  ir::remove_units(smaller, groups, removed);
  ir::verify(smaller);
  for (const char* name : {"table", "n0.scale", "n1.bias"}) {
    const Tensor& constant = *smaller.graph.constant(smaller.graph.find_value(name));
    EXPECT_EQ(constant.dim(constant.rank() - 1), 6) << name;
  }
  EXPECT_EQ(smaller.graph.constant(smaller.graph.find_value("up.w"))->dim(0), 6);
  EXPECT_EQ(smaller.graph.constant(smaller.graph.find_value("head.w"))->dim(0), 6);
  const Tensor ids = Tensor::from<std::int64_t>({1, 5}, {0, 3, 10, 7, 1});
  EXPECT_EQ(ir::evaluate(smaller, {{"ids", ids}}).begin()->second.dims(), (Dims{1, 5, 3}));
}

TEST(ChannelGroups, UnevenUnitsAreCountedOneByOne) {
  const ir::ChannelGroup group{.name = "g",
                               .layers = {},
                               .weights = {7},
                               .output_axes = {0},
                               .units = 3,
                               .block = 1,
                               .axes = {{7, 0, {0, 1, 1, -1, 2, 2}}},
                               .blocked = ""};
  EXPECT_EQ(ir::channels_of(group), 5);
  EXPECT_EQ(ir::channels_of(group, {1}), 3);
  EXPECT_EQ(ir::channels_of(group, {0, 2}), 2);
}

}  // namespace
}  // namespace pare::compress
