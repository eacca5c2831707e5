// Small graphs with coupled channels, and what removing some of these must equal.
#pragma once

#include <gtest/gtest.h>

#include "../compress/fakes.h"
#include "ir/groups.h"
#include "ir/verify.h"

namespace pare::compress {

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
inline ir::Model everything() {
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

inline std::vector<std::string> names(const ir::Model& model, const ir::ChannelGroup& group) {
  std::vector<std::string> out;
  for (ir::NodeId id : group.layers) out.push_back(model.graph.node(id).name);
  return out;
}

inline const ir::ChannelGroup& group_of(const std::vector<ir::ChannelGroup>& groups, const std::string& name) {
  for (const ir::ChannelGroup& group : groups)
    if (group.name == name) return group;
  throw Error(ErrorCode::kInternal, name, "no such group");
}

/// What `smaller` computes against the original with the units silenced; inputs `x` of these sizes.
inline void expect_silence(const ir::Model& model, const std::vector<std::string>& pruned, const Ints& units,
                           const NamedTensors& inputs, const std::string& output) {
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

}  // namespace pare::compress
