#include "passes/settle_targets.h"

#include <gtest/gtest.h>

#include "../compress/fakes.h"
#include "ir/verify.h"

namespace pare::passes {
namespace {

using compress::Builder;
using compress::random_tensor;
using Ints = std::vector<std::int64_t>;

/// Keys as exporters transpose them: [N, 3, 5, 4] → [−1, 5, 4] → [.., 4, 5] → [N, 3, 4, 5], both targets computed.
ir::Model transposed_keys(std::vector<ir::Dim> dims) {
  Builder b;
  b.model.opsets[""] = 20;
  const ir::ValueId x = b.input("x", std::move(dims));
  const auto ints = [&](const std::string& name, Ints values) {
    return b.constant(name, Tensor::from({static_cast<std::int64_t>(values.size())}, values));
  };
  const ir::ValueId shape = b.add("Shape", "shape", {x}, {{"start", std::int64_t{0}}});
  const ir::ValueId last = b.add("Slice", "last", {shape, ints("m1", {-1}), ints("most", {INT64_MAX})});
  const ir::ValueId second = b.add("Slice", "second", {shape, ints("m2", {-2}), ints("m1_", {-1})});
  const ir::ValueId first = b.add("Slice", "first", {shape, ints("least", {INT64_MIN}), ints("m2_", {-2})});
  const std::pair<std::string, ir::AttributeValue> axis = {"axis", std::int64_t{0}};
  const ir::ValueId flat =
      b.add("Reshape", "flat", {x, b.add("Concat", "c0", {ints("open", {-1}), second, last}, {axis})});
  const ir::ValueId turned = b.add("Transpose", "turned", {flat}, {{"perm", Ints{0, 2, 1}}});
  return b.finish(b.add("Reshape", "back", {turned, b.add("Concat", "c1", {first, last, second}, {axis})}));
}

Ints target_of(const ir::Model& model, const char* node) {
  const Tensor* target = model.graph.constant(model.graph.node(model.graph.find_node(node)).input(1));
  if (!target) return {};
  return {target->data<std::int64_t>().begin(), target->data<std::int64_t>().end()};
}

TEST(SettleTargets, OneOpenSizeFollowsByItself) {
  const ir::Model model = transposed_keys({ir::Dim::symbol("N"), 3, 5, 4});
  ir::Model settled = model;
  EXPECT_EQ(settle_targets(settled), 2);
  ir::verify(settled);
  EXPECT_EQ(target_of(settled, "flat"), (Ints{-1, 5, 4}));
  EXPECT_EQ(target_of(settled, "back"), (Ints{-1, 3, 4, 5}));
  EXPECT_EQ(settled.graph.nodes().size(), 3U) << "nothing reads sizes any more";
  const NamedTensors inputs = {{"x", random_tensor({2, 3, 5, 4}, 1)}};
  EXPECT_TRUE(
      ir::evaluate(settled, inputs).begin()->second.identical(ir::evaluate(model, inputs).begin()->second));
  EXPECT_EQ(settle_targets(settled), 0);
}

TEST(SettleTargets, ASymbolAtItsPlaceIsCopied) {
  Builder b;
  const ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), ir::Dim::symbol("S"), 12});
  const ir::ValueId sizes = b.add("Shape", "shape", {x});
  const ir::ValueId two = b.constant("two", Tensor::from({2}, Ints{0, 1})),
                    rest = b.constant("rest", Tensor::from({2}, Ints{3, 4}));
  const ir::ValueId target =
      b.add("Concat", "target", {b.add("Gather", "lead", {sizes, two}), rest}, {{"axis", std::int64_t{0}}});
  ir::Model model = b.finish(b.add("Reshape", "heads", {x, target}));
  EXPECT_EQ(settle_targets(model), 1);
  EXPECT_EQ(target_of(model, "heads"), (Ints{0, -1, 3, 4}));
}

TEST(SettleTargets, TwoOpenSizesStayComputed) {
  ir::Model model = transposed_keys({ir::Dim::symbol("N"), 3, ir::Dim::symbol("S"), 4});
  settle_targets(model);
  EXPECT_EQ(target_of(model, "back"), Ints{}) << "[N, 3, 4, S] from [.., 4, S]: N and S are open, at other places";
}

}  // namespace
}  // namespace pare::passes
