// Channels through what changes the resolution of images, and through normalizations of groups.
#include "groups_fixture.h"

namespace pare::compress {
namespace {

using Names = std::vector<std::string>;

struct Images : Grown {
  /// Weights [in, out / group, 2, 2]: twice the resolution.
  ir::ValueId up(const std::string& name, ir::ValueId x, Dims weight, std::int64_t group = 1) {
    return add("ConvTranspose", name,
               {x, constant(name + ".w", random_tensor(weight, ++seed)),
                constant(name + ".b", random_tensor({weight[1] * group}, ++seed))},
               {{"strides", Ints{2, 2}}, {"group", group}});
  }
  ir::ValueId reshape(const std::string& name, ir::ValueId x, const Ints& target) {
    const auto rank = static_cast<std::int64_t>(target.size());
    return add("Reshape", name, {x, constant(name + "_target", Tensor::from({rank}, target))});
  }
  ir::ValueId turn(const std::string& name, ir::ValueId x, Ints order) {
    return add("Transpose", name, {x}, {{"perm", std::move(order)}});
  }
  ir::ValueId image(ir::Dim height = 4) { return input("x", {ir::Dim::symbol("N"), 3, height, 4}); }
};

NamedTensors image_of(std::int64_t height = 4) { return {{"x", random_tensor({2, 3, height, 4}, 3, 1)}}; }

/// One level of a U-Net: down, a transposed convolution up, and both beside each other.
TEST(ChannelGroups, TransposedConvolutionsAreLayers) {
  Images b;
  const ir::ValueId fine = b.relu("r0", b.filter("fine", b.image(), {4, 3, 3, 3}));
  const ir::ValueId half = b.add("MaxPool", "half", {fine}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  const ir::ValueId up = b.up("up", b.relu("r1", b.filter("coarse", half, {6, 4, 3, 3})), {6, 5, 2, 2});
  const ir::ValueId both = b.add("Concat", "both", {fine, up}, {{"axis", std::int64_t{1}}});
  const ir::Model model = b.finish(b.filter("head", b.relu("r2", b.filter("merge", both, {4, 9, 3, 3})), {2, 4, 1, 1}));
  const auto groups = ir::channel_groups(model);
  EXPECT_EQ(names(model, group_of(groups, "up")), (Names{"up"}));
  EXPECT_EQ(group_of(groups, "up").units, 5);
  EXPECT_EQ(group_of(groups, "up").output_axes, (std::vector<int>{1}));
  expect_silence(model, {"fine", "coarse", "up", "merge"}, {1, 3}, image_of(), "head_out");
}

TEST(ChannelGroups, GroupedTransposedConvolutionsGoByGroups) {
  Images b;
  const ir::ValueId up = b.up("up", b.relu("r", b.filter("a", b.image(), {8, 3, 3, 3})), {8, 3, 2, 2}, 4);
  const ir::Model model = b.finish(b.filter("head", up, {2, 12, 1, 1}));
  const auto groups = ir::channel_groups(model);
  EXPECT_EQ(group_of(groups, "a").units, 4);
  EXPECT_EQ(group_of(groups, "a").block, 2);
  expect_silence(model, {"a"}, {0, 2}, image_of(), "head_out");
}

/// Depth to space: the operator's modes, and as PyTorch's exporter once spelled pixel_shuffle.
TEST(ChannelGroups, PixelShuffleTakesBlocksOfChannels) {
  for (const std::string way : {"DCR", "CRD", "reshape"}) {
    SCOPED_TRACE(way);
    Images b;
    ir::ValueId y = b.filter("deep", b.image(), {20, 3, 3, 3});
    if (way == "reshape") {
      y = b.turn("turned", b.reshape("apart", y, {-1, 5, 2, 2, 4, 4}), {0, 1, 4, 2, 5, 3});
      y = b.reshape("together", y, {-1, 5, 8, 8});
    } else {
      y = b.add("DepthToSpace", "shuffle", {y}, {{"blocksize", std::int64_t{2}}, {"mode", way}});
    }
    const ir::Model model = b.finish(b.filter("head", b.relu("r", y), {2, 5, 3, 3}));
    const auto groups = ir::channel_groups(model);
    const ir::ChannelGroup& deep = group_of(groups, "deep");
    EXPECT_EQ(deep.units, 5) << deep.blocked;
    EXPECT_EQ(deep.block, 4);
    const std::vector<std::int32_t> first(deep.axes[0].unit.begin(), deep.axes[0].unit.begin() + 5);
    if (way == "DCR") EXPECT_EQ(std::set<std::int32_t>(first.begin(), first.end()).size(), 5U);
    expect_silence(model, {"deep"}, {1, 4}, image_of(), "head_out");
  }
}

TEST(ChannelGroups, PixelUnshuffleMakesBlocksOfChannels) {
  for (const std::string mode : {"DCR", "CRD"}) {
    SCOPED_TRACE(mode);
    Images b;
    b.model.opsets[""] = 28;
    const ir::ValueId y = b.add("SpaceToDepth", "fold", {b.relu("r", b.filter("wide", b.image(), {5, 3, 3, 3}))},
                                {{"blocksize", std::int64_t{2}}, {"mode", mode}});
    const ir::Model model = b.finish(b.filter("head", y, {2, 20, 1, 1}));
    EXPECT_EQ(group_of(ir::channel_groups(model), "wide").units, 5);
    expect_silence(model, {"wide"}, {0, 3}, image_of(), "head_out");
  }
}

/// Scale and bias of one entry a group (opset 18) or a channel (opset 21).
TEST(ChannelGroups, GroupNormalizationTakesWholeGroups) {
  for (const std::int64_t opset : {18, 21}) {
    SCOPED_TRACE(opset);
    Images b;
    b.model.opsets[""] = opset;
    const std::int64_t length = opset < 21 ? 4 : 12;
    const ir::ValueId y =
        b.add("GroupNormalization", "norm",
              {b.filter("a", b.image(), {12, 3, 3, 3}), b.constant("scale", random_tensor({length}, 8, 1)),
               b.constant("bias", random_tensor({length}, 9, 1))},
              {{"num_groups", std::int64_t{4}}});
    const ir::Model model = b.finish(b.filter("head", b.relu("r", y), {2, 12, 1, 1}));
    const auto groups = ir::channel_groups(model);
    EXPECT_EQ(group_of(groups, "a").units, 4) << group_of(groups, "a").blocked;
    EXPECT_EQ(group_of(groups, "a").block, 3);
    expect_silence(model, {"a"}, {0, 3}, image_of(), "head_out");
    std::vector<Ints> removed(groups.size());
    removed[static_cast<std::size_t>(&group_of(groups, "a") - groups.data())] = {0, 3};
    ir::Model smaller = model;
    ir::remove_units(smaller, groups, removed);
    EXPECT_EQ(smaller.graph.node(smaller.graph.find_node("norm")).int_or("num_groups", 0), 2);
    EXPECT_EQ(smaller.graph.constant(smaller.graph.find_value("scale"))->dims(), (Dims{length / 2}));
  }
}

/// As PyTorch's TorchScript exporter spells GroupNorm; `free`: the size of the image is, so that only Shape tells it.
TEST(ChannelGroups, GroupNormalizationByInstances) {
  for (const bool free : {false, true}) {
    SCOPED_TRACE(free);
    Images b;
    const ir::ValueId x = b.filter("a", b.image(free ? ir::Dim::symbol("H") : ir::Dim(4)), {12, 3, 3, 3});
    const ir::ValueId normed =
        b.add("InstanceNormalization", "instances",
              {b.reshape("groups", x, {0, 4, -1}), b.constant("ones", Tensor::from<float>({4}, {1, 1, 1, 1})),
               b.constant("none", Tensor(DType::kFloat32, {4}))});
    const ir::ValueId back = b.add("Reshape", "back", {normed, b.add("Shape", "sizes", {x})});
    const ir::ValueId scaled = b.add("Mul", "scaled", {back, b.constant("scale", random_tensor({12, 1, 1}, 8, 1))});
    const ir::ValueId y = b.add("Add", "shifted", {scaled, b.constant("bias", random_tensor({12, 1, 1}, 9, 1))});
    const ir::Model model = b.finish(b.filter("head", b.relu("r", y), {2, 12, 1, 1}));
    const auto groups = ir::channel_groups(model);
    EXPECT_EQ(group_of(groups, "a").units, 4) << group_of(groups, "a").blocked;
    expect_silence(model, {"a"}, {1, 2}, image_of(free ? 6 : 4), "head_out");
  }
}

}  // namespace
}  // namespace pare::compress
