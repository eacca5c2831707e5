// Networks as exporters write them: their coupled channels are found, and removing these is silencing them.
#include "passes/prepare_groups.h"

#include "../ir/groups_fixture.h"

namespace pare::compress {
namespace {

using Names = std::vector<std::string>;

struct Exported : Grown {
  ir::ValueId ints(const Ints& values) {
    return constant("ints" + std::to_string(++made), Tensor::from({static_cast<std::int64_t>(values.size())}, values));
  }
  ir::ValueId slice(const std::string& name, ir::ValueId x, std::int64_t begin, std::int64_t end, std::int64_t axis) {
    return add("Slice", name, {x, ints({begin}), ints({end}), ints({axis})});
  }
  ir::ValueId reshape(const std::string& name, ir::ValueId x, const Ints& target) {
    return add("Reshape", name, {x, ints(target)});
  }
  ir::ValueId turn(const std::string& name, ir::ValueId x, Ints order) {
    return add("Transpose", name, {x}, {{"perm", std::move(order)}});
  }
  ir::ValueId join(const std::string& name, std::vector<ir::ValueId> parts, std::int64_t axis) {
    return add("Concat", name, std::move(parts), {{"axis", axis}});
  }
  int made = 0;
};

constexpr std::int64_t kHeads = 3, kSize = 4, kWidth = 12, kTokens = 5;

/// A block of a vision transformer as PyTorch's dynamo exporter writes it (torch 2.15, timm): queries, keys and values
/// from one matrix, taken apart by slices; keys transposed through [−1, tokens, size] with sizes read at run time.
ir::ValueId vit_block(Exported& b, const std::string& name, ir::ValueId x, ir::ValueId zeros) {
  const auto linear = [&](const std::string& layer, ir::ValueId from, std::int64_t in, std::int64_t out) {
    return b.add("MatMul", name + layer, {from, b.constant(name + layer + ".w", random_tensor({in, out}, ++b.seed))});
  };
  const ir::ValueId scale = b.constant(name + ".s", random_tensor({kWidth}, ++b.seed, 1));
  const ir::ValueId norm = b.add("LayerNormalization", name + "norm", {x, scale, zeros}, {{"axis", std::int64_t{-1}}});
  const ir::ValueId joint = b.add("Add", name + "joint", {linear("qkv", norm, kWidth, 3 * kWidth),
                                                          b.model.graph.find_value("zeros3")});
  const ir::ValueId parts =
      b.turn(name + "permute", b.reshape(name + "view", joint, {-1, kTokens, 3, kHeads, kSize}), {2, 0, 3, 1, 4});
  std::vector<ir::ValueId> qkv;
  for (std::int64_t i = 0; i < 3; ++i)
    qkv.push_back(b.add("Squeeze", name + "unbind" + std::to_string(i),
                        {b.slice(name + "part" + std::to_string(i), parts, i, i + 1, 0), b.ints({0})}));
  const ir::ValueId sizes = b.add("Shape", name + "sizes", {qkv[1]}, {{"start", std::int64_t{0}}});
  const auto read = [&](const std::string& which, std::int64_t begin, std::int64_t end) {
    return b.add("Slice", name + which, {sizes, b.ints({begin}), b.ints({end})});
  };
  const ir::ValueId last = read("last", -1, INT64_MAX), second = read("second", -2, -1), lead = read("lead", INT64_MIN, -2);
  const ir::ValueId flat = b.add("Reshape", name + "flat", {qkv[1], b.join(name + "c0", {b.ints({-1}), second, last}, 0)});
  const ir::ValueId keys = b.add("Reshape", name + "keys", {b.turn(name + "turn", flat, {0, 2, 1}),
                                                            b.join(name + "c1", {lead, last, second}, 0)});
  const ir::ValueId scores =
      b.add("Softmax", name + "soft", {b.add("MatMul", name + "scores", {qkv[0], keys})}, {{"axis", std::int64_t{-1}}});
  const ir::ValueId mixed = b.turn(name + "back", b.add("MatMul", name + "mixed", {scores, qkv[2]}), {0, 2, 1, 3});
  const ir::ValueId out = linear("proj", b.reshape(name + "merge", mixed, {-1, kTokens, kWidth}), kWidth, kWidth);
  return b.add("Add", name + "sum", {x, b.add("Add", name + "biased", {out, zeros})});
}

ir::Model vit() {
  Exported b;
  b.model.opsets[""] = 20;
  const ir::ValueId x = b.input("x", {ir::Dim::symbol("batch"), kTokens, kWidth});
  // The exporter merges equal initializers: one vector of zeros is every bias.
  const ir::ValueId zeros = b.constant("zeros", Tensor(DType::kFloat32, {kWidth}));
  b.constant("zeros3", Tensor(DType::kFloat32, {3 * kWidth}));
  const ir::ValueId y = vit_block(b, "b1_", vit_block(b, "b0_", x, zeros), zeros);
  return b.finish(b.add("MatMul", "head", {y, b.constant("head.w", random_tensor({kWidth, 2}, 77))}));
}

TEST(PrepareGroups, SizesReadFromTheVeryStartAreFewSizes) {
  // Slice(Shape(x), INT64_MIN, −2) once was a loop over 2^63 axes.
  const ir::Model model = vit();
  const auto groups = ir::channel_groups(model);
  EXPECT_NE(group_of(groups, "b0_qkv").blocked, "");
}

TEST(PrepareGroups, HeadsOfAJointMatrixAsDynamoWritesIt) {
  ir::Model model = vit();
  const ir::Model original = model;
  const auto copies = passes::prepare_groups(model);
  EXPECT_FALSE(copies.empty());
  const NamedTensors inputs = {{"x", random_tensor({2, kTokens, kWidth}, 3)}};
  EXPECT_TRUE(ir::evaluate(model, inputs).begin()->second.identical(ir::evaluate(original, inputs).begin()->second));
  const auto groups = ir::channel_groups(model);
  for (const char* name : {"b0_qkv", "b1_qkv"}) {
    const ir::ChannelGroup& group = group_of(groups, name);
    ASSERT_EQ(group.blocked, "") << name;
    EXPECT_EQ(group.units, kHeads);
    EXPECT_EQ(group.block, 3 * kSize) << "queries, keys and values of a head";
    EXPECT_EQ(names(model, group), (Names{name})) << "no bias couples it with another block";
  }
  expect_silence(model, {"b0_qkv", "b1_qkv"}, {1}, inputs, "head_out");
}

/// Attention of torchvision's ViT as dynamo writes it: tokens come first, queries, keys and values are picked from one
/// matrix, and heads are merged with the batch and split from it again.
ir::ValueId heads_beside_the_batch(Exported& b, const std::string& name, ir::ValueId x) {
  const auto linear = [&](const std::string& layer, ir::ValueId from, std::int64_t in, std::int64_t out) {
    return b.add("MatMul", name + layer, {from, b.constant(name + layer + ".w", random_tensor({in, out}, ++b.seed))});
  };
  const auto axes = [&](const std::string& type, const std::string& which, ir::ValueId from, std::int64_t axis) {
    return b.add(type, name + which, {from, b.ints({axis})});
  };
  const ir::ValueId joint = linear("qkv", b.turn(name + "tokens", x, {1, 0, 2}), kWidth, 3 * kWidth);
  ir::ValueId parts = axes("Unsqueeze", "front", b.reshape(name + "view", joint, {kTokens, -1, 3, kWidth}), 0);
  parts = axes("Squeeze", "drop", b.turn(name + "permute", parts, {3, 1, 2, 0, 4}), -2);
  std::vector<ir::ValueId> qkv;
  for (std::int64_t i = 0; i < 3; ++i) {
    const std::string which = std::to_string(i);
    const ir::ValueId part = b.add("Gather", name + "select" + which,
                                   {parts, b.constant(name + "i" + which, Tensor::from<std::int64_t>({}, {i}))},
                                   {{"axis", std::int64_t{0}}});
    const ir::ValueId merged =
        b.turn(name + "turn" + which, b.reshape(name + "flat" + which, part, {kTokens, -1, kSize}), {1, 0, 2});
    qkv.push_back(b.reshape(name + "heads" + which, merged, {-1, kHeads, kTokens, kSize}));
  }
  ir::ValueId keys = b.turn(name + "keys_turn", b.reshape(name + "keys_flat", qkv[1], {-1, kTokens, kSize}), {0, 2, 1});
  keys = b.reshape(name + "keys", keys, {-1, kHeads, kSize, kTokens});
  const ir::ValueId scores =
      b.add("Softmax", name + "soft", {b.add("MatMul", name + "scores", {qkv[0], keys})}, {{"axis", std::int64_t{-1}}});
  const ir::ValueId mixed = b.turn(name + "back", b.add("MatMul", name + "mixed", {scores, qkv[2]}), {2, 0, 1, 3});
  const ir::ValueId out = linear("proj", b.reshape(name + "merge", mixed, {-1, kWidth}), kWidth, kWidth);
  return b.add("Add", name + "sum",
               {x, b.turn(name + "batch", b.reshape(name + "rows", out, {kTokens, -1, kWidth}), {1, 0, 2})});
}

TEST(PrepareGroups, HeadsThatAreMergedWithTheBatch) {
  Exported b;
  b.model.opsets[""] = 20;
  const ir::ValueId x = b.input("x", {ir::Dim::symbol("batch"), kTokens, kWidth});
  const ir::ValueId y = heads_beside_the_batch(b, "b1_", heads_beside_the_batch(b, "b0_", x));
  ir::Model model = b.finish(b.add("MatMul", "head", {y, b.constant("head.w", random_tensor({kWidth, 2}, 77))}));
  passes::prepare_groups(model);
  const auto groups = ir::channel_groups(model);
  for (const char* name : {"b0_qkv", "b1_qkv"}) {
    const ir::ChannelGroup& group = group_of(groups, name);
    ASSERT_EQ(group.blocked, "") << name;
    EXPECT_EQ(group.units, kHeads);
    EXPECT_EQ(group.block, 3 * kSize) << "queries, keys and values of a head";
  }
  expect_silence(model, {"b0_qkv", "b1_qkv"}, {1}, {{"x", random_tensor({2, kTokens, kWidth}, 3)}}, "head_out");
}

/// A block of YOLOv8: half of the channels go on, the other half through two convolutions, all are joined.
ir::ValueId split_block(Exported& b, const std::string& name, ir::ValueId x, std::int64_t in) {
  const ir::ValueId wide = b.relu(name + "_r0", b.filter(name + "_wide", x, {8, in, 1, 1}));
  const ir::ValueId left = b.slice(name + "_left", wide, 0, 4, 1), right = b.slice(name + "_right", wide, 4, INT64_MAX, 1);
  const ir::ValueId inner = b.relu(
      name + "_r2", b.filter(name + "_b", b.relu(name + "_r1", b.filter(name + "_a", right, {4, 4, 3, 3})), {4, 4, 3, 3}));
  const ir::ValueId sum = b.add("Add", name + "_sum", {right, inner});
  return b.relu(name + "_r3", b.filter(name + "_out", b.join(name + "_all", {left, right, sum}, 1), {8, 12, 1, 1}));
}

/// Two levels; boxes as distributions over `bins` distances (DFL, Li et al. 2020), three classes.
ir::Model detector() {
  constexpr std::int64_t kBins = 4, kClasses = 3;
  Exported b;
  const ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 3, 8, 8});
  const ir::ValueId fine = split_block(b, "fine", b.relu("r", b.filter("stem", x, {6, 3, 3, 3})), 6);
  const ir::ValueId coarse = split_block(
      b, "coarse", b.add("MaxPool", "down", {fine}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}), 8);
  std::vector<ir::ValueId> levels;
  for (const auto& [level, from] : {std::pair(std::string("p3"), fine), std::pair(std::string("p4"), coarse)}) {
    const auto tower = [&](const std::string& kind, std::int64_t out) {
      const std::string name = level + "_" + kind;
      return b.filter(name + "_last", b.relu(name + "_r", b.filter(name, from, {8, 8, 3, 3})), {out, 8, 1, 1});
    };
    levels.push_back(b.reshape(level + "_flat",
                               b.join(level + "_both", {tower("box", 4 * kBins), tower("class", kClasses)}, 1),
                               {0, 4 * kBins + kClasses, -1}));
  }
  const ir::ValueId all = b.join("levels", levels, 2);
  const ir::ValueId boxes = b.slice("boxes", all, 0, 4 * kBins, 1), classes = b.slice("classes", all, 4 * kBins, INT64_MAX, 1);
  const ir::ValueId bins = b.add("Softmax", "distribution", {b.turn("bins", b.reshape("dfl", boxes, {0, 4, kBins, -1}), {0, 2, 1, 3})},
                                 {{"axis", std::int64_t{1}}});
  const ir::ValueId mean = b.add("Conv", "dfl_conv", {bins, b.constant("distances", Tensor::from<float>({1, kBins, 1, 1}, {0, 1, 2, 3}))});
  const ir::ValueId sides = b.reshape("sides", mean, {0, 4, -1});
  return b.finish(b.join("detections", {sides, b.add("Sigmoid", "scores", {classes})}, 1));
}

TEST(PrepareGroups, ADetectorWithConcatenatedHeads) {
  ir::Model model = detector();
  passes::prepare_groups(model);
  const auto groups = ir::channel_groups(model);
  Names free, kept;
  for (const ir::ChannelGroup& group : groups) (group.blocked.empty() ? free : kept).push_back(group.name);
  EXPECT_EQ(kept, (Names{"p3_box_last", "p3_class_last", "dfl_conv"})) << "the parts of what is detected";
  EXPECT_NE(group_of(groups, "p3_box_last").blocked.find("Softmax 'distribution'"), std::string::npos)
      << group_of(groups, "p3_box_last").blocked;
  EXPECT_NE(group_of(groups, "p3_class_last").blocked.find("output"), std::string::npos);
  const Names prunable = {"stem",       "fine_a",     "fine_out", "coarse_a", "coarse_out",
                          "p3_box",     "p3_class",   "p4_box",   "p4_class"};
  for (const std::string& name : prunable)
    EXPECT_NE(std::find(free.begin(), free.end(), name), free.end()) << name;
  expect_silence(model, prunable, {0, 2}, {{"x", random_tensor({2, 3, 8, 8}, 3)}}, "detections_out");
}

}  // namespace
}  // namespace pare::compress
