#include <gtest/gtest.h>

#include "compress/prune/importance.h"
#include "fakes.h"
#include "ir/groups.h"
#include "ir/verify.h"

namespace pare::compress {
namespace {

using Ints = std::vector<std::int64_t>;

struct Grown : Builder {
  ir::ValueId filter(const std::string& name, ir::ValueId x, Dims weight, std::int64_t group = 1) {
    const std::int64_t pad = weight[2] / 2;
    return add("Conv", name,
               {x, constant(name + ".w", random_tensor(weight, ++seed)),
                constant(name + ".b", random_tensor({weight[0]}, ++seed))},
               {{"pads", Ints{pad, pad, pad, pad}}, {"group", group}});
  }
  ir::ValueId relu(const std::string& name, ir::ValueId x) { return add("Relu", name, {x}); }
  std::uint64_t seed = 50;
};

/// Stem, a residual block, an inverted residual with depthwise convolution and squeeze-and-excitation, a grouped
/// convolution, a concatenation, Flatten of 2×2 pixels into a Gemm.
ir::Model everything() {
  Grown b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 3, 8, 8});
  ir::ValueId stem = b.relu("r0", b.filter("stem", x, {8, 3, 3, 3}));
  ir::ValueId body = b.filter("tail", b.relu("r1", b.filter("body", stem, {12, 8, 3, 3})), {8, 12, 3, 3});
  ir::ValueId sum = b.relu("r2", b.add("Add", "sum", {body, stem}));
  ir::ValueId wide = b.relu("r3", b.filter("expand", sum, {16, 8, 1, 1}));
  ir::ValueId deep = b.relu("r4", b.filter("depthwise", wide, {16, 1, 3, 3}, 16));
  ir::ValueId gate = b.add(
      "Sigmoid", "sigmoid",
      {b.filter("excite", b.relu("r5", b.filter("squeeze", b.add("GlobalAveragePool", "pool", {deep}), {4, 16, 1, 1})),
                {16, 4, 1, 1})});
  ir::ValueId project = b.filter("project", b.add("Mul", "gated", {deep, gate}), {8, 16, 1, 1});
  ir::ValueId left = b.relu("r6", b.filter("left", project, {8, 8, 1, 1}));
  ir::ValueId grouped = b.relu("r7", b.filter("grouped", left, {16, 2, 3, 3}, 4));
  ir::ValueId right = b.relu("r8", b.filter("right", project, {8, 8, 1, 1}));
  ir::ValueId both = b.add("Concat", "both", {grouped, right}, {{"axis", std::int64_t{1}}});
  ir::ValueId last = b.filter("mix", both, {8, 24, 1, 1});
  ir::ValueId small = b.add("AveragePool", "shrink", {last}, {{"kernel_shape", Ints{4, 4}}, {"strides", Ints{4, 4}}});
  ir::ValueId flat = b.add("Reshape", "reshape", {small, b.constant("shape", Tensor::from({2}, Ints{-1, 32}))});
  return b.finish(
      b.add("Gemm", "head",
            {flat, b.constant("head.w", random_tensor({5, 32}, 90)), b.constant("head.b", random_tensor({5}, 91))},
            {{"transB", std::int64_t{1}}}));
}

std::vector<std::string> names(const ir::Model& model, const ir::ChannelGroup& group) {
  std::vector<std::string> out;
  for (ir::NodeId id : group.layers) out.push_back(model.graph.node(id).name);
  return out;
}

const ir::ChannelGroup& group_of(const std::vector<ir::ChannelGroup>& groups, const std::string& name) {
  for (const ir::ChannelGroup& group : groups)
    if (group.name == name) return group;
  throw Error(ErrorCode::kInternal, name, "no such group");
}

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

/// What `smaller` computes against the original with the units silenced; inputs `x` of these sizes.
void expect_silence(const ir::Model& model, const std::vector<std::string>& pruned, const Ints& units, const Dims& dims,
                    const std::string& output) {
  const auto groups = ir::channel_groups(model);
  std::vector<Ints> removed(groups.size());
  for (const std::string& name : pruned) {
    const ir::ChannelGroup& group = group_of(groups, name);
    ASSERT_EQ(group.blocked, "") << name;
    removed[static_cast<std::size_t>(&group - groups.data())] = units;
  }
  ir::Model smaller = model, silent = model;
  ir::remove_units(smaller, groups, removed);
  ir::require_valid(smaller, "the pruned model");
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (const ir::GroupAxis& axis : groups[g].axes) {
      ir::Value& value = silent.graph.value(axis.value);
      if (!value.constant || value.constant->dtype() != DType::kFloat32) continue;
      Tensor tensor = value.constant->clone();
      std::int64_t inner = 1;
      for (std::int64_t i = axis.axis + 1; i < tensor.rank(); ++i) inner *= tensor.dim(i);
      auto data = tensor.mutable_data<float>();
      for (std::size_t i = 0; i < data.size(); ++i) {
        const std::int32_t unit = axis.unit[i / static_cast<std::size_t>(inner) % axis.unit.size()];
        if (std::find(removed[g].begin(), removed[g].end(), unit) != removed[g].end()) data[i] = 0;
      }
      value.constant = tensor;
    }
  const NamedTensors inputs = {{"x", random_tensor(dims, 3)}};
  const Tensor got = ir::evaluate(smaller, inputs).at(output), want = ir::evaluate(silent, inputs).at(output),
               whole = ir::evaluate(model, inputs).at(output);
  ASSERT_EQ(got.dims(), want.dims());
  double moved = 0;
  for (std::size_t i = 0; i < got.data<float>().size(); ++i) {
    EXPECT_NEAR(got.data<float>()[i], want.data<float>()[i], 1e-4) << i;
    moved += std::fabs(static_cast<double>(got.data<float>()[i] - whole.data<float>()[i]));
  }
  EXPECT_GT(moved, 1e-3) << "what goes has an effect";
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
      expect_silence(model, {"project", "first", "second"}, {1, 4}, {5, 2, 6}, "head_out");
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
  expect_silence(model, {"left"}, {0, 5}, {2, 3, 4, 4}, "last_out");
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
  expect_silence(model, {"qkv"}, {2}, {2, 5, 16}, "out_out");
}

double l1(const Tensor& weight, std::int64_t filter) {
  const auto data = weight.data<float>();
  const std::size_t size = data.size() / static_cast<std::size_t>(weight.dim(0));
  double sum = 0;
  for (std::size_t i = 0; i < size; ++i)
    sum += std::fabs(static_cast<double>(data[static_cast<std::size_t>(filter) * size + i]));
  return sum;
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

TEST(Filters, TheSmallestFiltersGo) {
  World world("l1");
  world.model = everything();
  world.dataset = {};
  const PipelineResult result =
      world.run("steps: [{prune: {method: filters, ratio: 0.5, round_to: 1, include: [body]}}]");
  const Tensor& before = *world.model.graph.value(world.model.graph.find_value("body.w")).constant;
  const Tensor& after = *result.model.graph.value(result.model.graph.find_value("body.w")).constant;
  ASSERT_EQ(after.dims(), (Dims{6, 8, 3, 3}));
  std::vector<double> norms, kept;
  for (std::int64_t f = 0; f < 12; ++f) norms.push_back(l1(before, f));
  for (std::int64_t f = 0; f < 6; ++f) kept.push_back(l1(after, f));
  std::sort(norms.begin(), norms.end());
  std::sort(kept.begin(), kept.end());
  for (std::size_t i = 0; i < 6; ++i) EXPECT_DOUBLE_EQ(kept[i], norms[i + 6]);
  EXPECT_LT(result.run["after"]["macs"].get<double>(), result.run["before"]["macs"].get<double>());
  EXPECT_EQ(result.run["steps"][0]["filters"]["channels_before"].get<int>() -
                result.run["steps"][0]["filters"]["channels_after"].get<int>(),
            6);
}

TEST(Filters, RoundingAndScopeGlobal) {
  World world("l1_global");
  world.model = residual_model(32);
  const PipelineResult rounded = world.run("steps: [{prune: {method: filters, ratio: 0.4}}]");
  const auto dims = [](const PipelineResult& run, const char* name) {
    return run.model.graph.value(run.model.graph.find_value(name)).constant->dims();
  };
  EXPECT_EQ(dims(rounded, "body.weight"), (Dims{24, 24, 3, 3})) << "20 of 32, rounded up to 24";
  EXPECT_EQ(dims(rounded, "head.weight"), (Dims{4, 24}));
  const PipelineResult global =
      world.run("steps: [{prune: {method: filters, ratio: 0.5, scope: global, round_to: 1}}]");
  const auto& groups = global.run["steps"][0]["filters"]["groups"];
  int kept = 0;
  for (const auto& group : groups) kept += group["reason"].is_null() ? group["kept"].get<int>() : 0;
  EXPECT_EQ(kept, 32) << "half of the 64 that may go";
  EXPECT_NE(groups.back()["reason"].get<std::string>().find("output"), std::string::npos);
}

TEST(Filters, RefusesWhatCannotBePruned) {
  World world("l1_refuse");
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: filters, include: [head]}}]"); }).code(),
            ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: filters, include: [hat]}}]"); }).code(),
            ErrorCode::kUsage);
  EXPECT_EQ(error_of([&] { world.run("steps: [quantize, {prune: {method: filters}}]"); }).code(), ErrorCode::kUsage);
  const Error two = error_of([&] { world.run("steps: [{prune: {method: filters, ratio: 0.5, macs: 0.5}}]"); });
  EXPECT_EQ(two.code(), ErrorCode::kUsage);
  EXPECT_NE(std::string(two.what()).find("prune.macs"), std::string::npos) << two.what();
}

TEST(Filters, GradientsNeedAnswers) {
  World world("filters_unlabelled");
  world.dataset = {};
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: filters, importance: taylor}}]"); }).code(),
            ErrorCode::kUsage);
  EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: filters, importance: apoz}}]"); }).code(),
            ErrorCode::kUsage);
}

TEST(Filters, MacBudgets) {
  World world("filters_macs");
  world.model = residual_model(32);
  const PipelineResult met = world.run("steps: [{prune: {method: filters, macs: 0.5, scope: global, round_to: 1}}]");
  const auto& budget = met.run["steps"][0]["budget"];
  EXPECT_TRUE(met.gate_passed);
  EXPECT_LE(met.run["after"]["macs"].get<double>(), 0.5 * met.run["before"]["macs"].get<double>());
  EXPECT_GE(met.run["after"]["macs"].get<double>(), 0.4 * met.run["before"]["macs"].get<double>());
  EXPECT_NEAR(budget["reached"].get<double>(),
              met.run["after"]["macs"].get<double>() / met.run["before"]["macs"].get<double>(), 1e-9);
  const PipelineResult missed =
      world.run("steps: [{prune: {method: filters, macs: 0.01, scope: global, most: 0.5, round_to: 1}}]");
  EXPECT_FALSE(missed.gate_passed) << "half of the channels leave a quarter of most MACs";
  EXPECT_FALSE(missed.run["steps"][0]["budget"]["met"].get<bool>());
  EXPECT_LT(missed.run["after"]["macs"].get<double>(), 0.4 * missed.run["before"]["macs"].get<double>());
}

/// Two filters of three weights each, in one unit each.
FilterSet two_filters(const Tensor& weight, const std::vector<std::int32_t>& units) {
  return {weight, 3, units, 2, nullptr, 7};
}

TEST(Importances, OfWeightsMatchTheirFormulas) {
  const Tensor weight = Tensor::from<float>({2, 3}, {1, -2, 2, 0, 3, 4});
  const std::vector<std::int32_t> units = {0, 1};
  const FilterSet filters = two_filters(weight, units);
  EXPECT_EQ(find_importance("l1").score(filters), (std::vector<double>{5, 7}));
  EXPECT_EQ(find_importance("l2").score(filters), (std::vector<double>{3, 5}));
  const double apart = std::sqrt(1.0 + 25.0 + 4.0);
  EXPECT_EQ(find_importance("geometric-median").score(filters), (std::vector<double>{apart, apart}));
  const std::vector<double> chance = find_importance("random").score(filters);
  EXPECT_EQ(chance, find_importance("random").score(filters)) << "of the seed alone";
  EXPECT_NE(chance[0], chance[1]);
}

/// x → a (two channels; the second is the first, upside down, plus 10) → Relu → b.
ir::Model measured_model() {
  Builder b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 1, 1, 2});
  ir::ValueId a = b.add("Conv", "a",
                        {x, b.constant("a.w", Tensor::from<float>({2, 1, 1, 1}, {1, -1})),
                         b.constant("a.b", Tensor::from<float>({2}, {0, 10}))});
  ir::ValueId y = b.add("Conv", "b", {b.add("Relu", "relu", {a}), b.constant("b.w", random_tensor({3, 2, 1, 1}, 4))});
  return b.finish(b.add("Flatten", "flat", {y}));
}

/// Two samples of two pixels.
class TwoPixels : public data::Split {
 public:
  std::int64_t size() const override { return 2; }
  bool labelled() const override { return true; }
  std::int64_t classes() const override { return 2; }
  data::Batch batch(const std::vector<std::int64_t>& indices, std::uint64_t, std::int64_t) const override {
    data::Batch batch;
    batch.indices = indices;
    std::vector<float> values;
    for (std::int64_t index : indices) {
      values.insert(values.end(), {index == 0 ? -1.0F : 4.0F, index == 0 ? 2.0F : -3.0F});
      batch.labels.push_back(index);
    }
    batch.inputs["x"] = Tensor::from<float>({static_cast<std::int64_t>(indices.size()), 1, 1, 2}, values);
    return batch;
  }
  std::shared_ptr<const Split> subset(std::vector<std::int64_t>) const override { return nullptr; }
  std::string fingerprint() const override { return "two pixels"; }
};

TEST(Importances, OfDataMatchTheirFormulas) {
  World world("measures");
  world.model = measured_model();
  data::Dataset data;
  data.train = std::make_shared<TwoPixels>();
  const nlohmann::json options = nlohmann::json::object();
  nlohmann::json record;
  const StepContext context{options, world.model,   data,    world.backend, world.trainer,
                            {},      world.control, nullptr, record};
  const auto groups = ir::channel_groups(world.model);
  const ir::NodeId layer = world.model.graph.find_node("a");
  const auto seen = measure_units(world.model, groups, Importance::Data::kActivations, 2, context);
  const UnitMeasures& units = seen.at({layer, "a"});
  EXPECT_EQ(units.mean, (std::vector<double>{(0 + 2 + 4 + 0) / 4.0, (11 + 8 + 6 + 13) / 4.0})) << "behind the Relu";
  EXPECT_EQ(units.nonzero, (std::vector<double>{0.5, 1}));
  ASSERT_EQ(units.entropy.size(), 2U);
  EXPECT_NEAR(units.entropy[0], std::log(2.0), 1e-12) << "two samples, two averages: one bit";
  EXPECT_EQ(units.entropy[1], 0) << "both samples average 9.5";
  const auto slopes = measure_units(world.model, groups, Importance::Data::kGradients, 2, context).at({layer, "a"});
  EXPECT_EQ(slopes.gradient, (std::vector<double>{1, 1})) << "the fake trainer's gradient is the weight";
  EXPECT_EQ(slopes.product, (std::vector<double>{1, 1}));
  EXPECT_EQ(slopes.taylor, (std::vector<double>{1, 1}));
  EXPECT_EQ(slopes.fisher, (std::vector<double>{1, 1}));
}

TEST(Importances, EveryRowPrunes) {
  for (const Importance* importance : importances()) {
    World world("importance_" + std::string(importance->name));
    const PipelineResult result =
        world.run("steps: [{prune: {method: filters, ratio: 0.5, round_to: 1, samples: 8, importance: " +
                  std::string(importance->name) + "}}]");
    const auto& filters = result.run["steps"][0]["filters"];
    EXPECT_LT(filters["channels_after"].get<int>(), filters["channels_before"].get<int>()) << importance->name;
    EXPECT_FALSE(importance->paper.empty());
  }
}

}  // namespace
}  // namespace pare::compress
