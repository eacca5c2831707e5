#include "passes/join_slices.h"

#include <gtest/gtest.h>

#include "../compress/fakes.h"
#include "ir/groups.h"
#include "ir/verify.h"

namespace pare::passes {
namespace {

using compress::Builder;
using compress::random_tensor;
using Ints = std::vector<std::int64_t>;

/// conv [8 channels] → x[:, :begin], x[:, end:] → both through a convolution, joined again.
ir::Model chunked(std::int64_t first_end, std::int64_t second_begin, std::int64_t opset = 17) {
  Builder b;
  b.model.opsets[""] = opset;
  const ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 3, 6, 6});
  const ir::ValueId wide = b.conv("wide", x, 3, 8, 1);
  const auto slice = [&](const std::string& name, std::int64_t begin, std::int64_t end) {
    return b.add("Slice", name,
                 {wide, b.constant(name + ".b", Tensor::from({1}, Ints{begin})),
                  b.constant(name + ".e", Tensor::from({1}, Ints{end})),
                  b.constant(name + ".a", Tensor::from({1}, Ints{-3}))});
  };
  const ir::ValueId left = slice("left", 0, first_end), right = slice("right", second_begin, INT64_MAX);
  const ir::ValueId joined = b.add("Concat", "joined", {b.conv("l", left, first_end, 4, 2), b.conv("r", right, 8 - second_begin, 4, 3)},
                                   {{"axis", std::int64_t{1}}});
  return b.finish(b.conv("last", joined, 8, 2, 4));
}

TEST(JoinSlices, PartsOfAnAxisBecomeOneSplit) {
  const Tensor image = random_tensor({2, 3, 6, 6}, 9);
  for (const std::int64_t opset : {11, 17}) {
    const ir::Model model = chunked(3, 3, opset);
    ir::Model joined = model;
    EXPECT_EQ(join_slices(joined), 1);
    ir::verify(joined);
    const auto count = [&](const char* type) {
      int found = 0;
      for (ir::NodeId id : joined.graph.nodes()) found += joined.graph.node(id).is(type);
      return found;
    };
    EXPECT_EQ(count("Slice"), 0);
    EXPECT_EQ(count("Split"), 1);
    EXPECT_TRUE(ir::evaluate(joined, {{"x", image}}).begin()->second.identical(
        ir::evaluate(model, {{"x", image}}).begin()->second));
  }
}

TEST(JoinSlices, GapsAndOverlapsStay) {
  for (const auto& [end, begin] : {std::pair<std::int64_t, std::int64_t>{3, 4}, {4, 3}}) {
    ir::Model model = chunked(end, begin);
    EXPECT_EQ(join_slices(model), 0);
  }
}

TEST(JoinSlices, ChannelsOfSlicesCanGo) {
  ir::Model model = chunked(3, 3);
  const auto blocked = [&] {
    for (const ir::ChannelGroup& group : ir::channel_groups(model))
      if (group.name == "wide") return group.blocked;
    return std::string("no group");
  };
  EXPECT_NE(blocked(), "");
  join_slices(model);
  EXPECT_EQ(blocked(), "");
}

}  // namespace
}  // namespace pare::passes
