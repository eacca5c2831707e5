// Normalizations that the packaged node tests do not reach, against values computed with numpy in float64.
#include <gtest/gtest.h>

#include "ir/node_tests.h"
#include "ir/op_case.h"
#include "pare/error.h"

namespace pare::testing {
namespace {

Tensor floats(Dims dims, const std::vector<float>& values) { return Tensor::from<float>(std::move(dims), values); }

const std::vector<float> kInput = {-5, -1, 3, -4, 0, 4, -3, 1, 5, -2, 2, -5};

TEST(Normalization, GroupNormalizationScalesChannelsFromOpset21) {
  const Tensor y = run_one("GroupNormalization", 21,
                           {floats({1, 4, 3}, kInput), floats({4}, {1, 2, 0.5F, -1}), floats({4}, {0, 1, 2, 3})},
                           {{"num_groups", std::int64_t{2}}});
  EXPECT_EQ(difference(floats({1, 4, 3}, {-1.361969F, -0.15133F, 1.059309F, -1.118619F, 1.30266F, 3.723938F, 1.601985F,
                                          2.199007F, 2.796029F, 3.497518F, 2.303474F, 4.393051F}),
                       y),
            "");
}

TEST(Normalization, GroupNormalizationScalesGroupsBeforeOpset21) {
  const Tensor y =
      run_one("GroupNormalization", 18, {floats({1, 4, 3}, kInput), floats({2}, {1, 2}), floats({2}, {0, 1})},
              {{"num_groups", std::int64_t{2}}});
  EXPECT_EQ(difference(floats({1, 4, 3}, {-1.361969F, -0.15133F, 1.059309F, -1.059309F, 0.15133F, 1.361969F, -0.592059F,
                                          1.796029F, 4.184118F, 0.004963F, 2.393051F, -1.786103F}),
                       y),
            "");
}

TEST(Normalization, InstanceNormalizationIsGroupNormalizationOfEveryChannel) {
  const Tensor x = floats({1, 4, 3}, kInput), scale = floats({4}, {1, 2, 0.5F, -1}), bias = floats({4}, {0, 1, 2, 3});
  const Tensor groups = run_one("GroupNormalization", 21, {x, scale, bias}, {{"num_groups", std::int64_t{4}}});
  EXPECT_EQ(difference(groups, run_one("InstanceNormalization", 17, {x, scale, bias})), "");
}

TEST(Normalization, RmsNormalization) {
  const Tensor y = run_one("RMSNormalization", 23, {floats({2, 3}, {1, 2, 2, 3, 0, -4}), floats({3}, {1, 2, 3})});
  EXPECT_EQ(difference(floats({2, 3}, {0.577349F, 2.309397F, 3.464096F, 1.03923F, 0, -4.156919F}), y), "");
}

TEST(Normalization, LpNormalizationKeepsZeroLines) {
  const Tensor x = floats({2, 2}, {3, 4, 0, 0});
  EXPECT_EQ(difference(floats({2, 2}, {0.6F, 0.8F, 0, 0}), run_one("LpNormalization", 17, {x})), "");
  EXPECT_EQ(difference(floats({2, 2}, {1, 1, 0, 0}),
                       run_one("LpNormalization", 17, {x}, {{"axis", std::int64_t{0}}, {"p", std::int64_t{1}}})),
            "");
}

TEST(Normalization, RefusesScalesThatDoNotFit) {
  const auto message = [](const std::string& type, std::int64_t opset, const std::vector<Tensor>& inputs,
                          const std::map<std::string, ir::AttributeValue>& attributes) -> std::string {
    std::vector<std::pair<DType, ir::Shape>> types;
    for (const Tensor& tensor : inputs) types.emplace_back(tensor.dtype(), ir::Shape::of(tensor.dims()));
    ir::Model model = one_node(type, opset, types, attributes);
    try {
      ir::infer_shapes(model);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const Tensor x = floats({1, 4, 3}, kInput), three = floats({3}, {1, 1, 1}), four = floats({4}, {1, 1, 1, 1});
  EXPECT_EQ(message("LayerNormalization", 17, {x, four}, {}),
            "LayerNormalization 'the_node': input 1 does not broadcast to the input (expected [1, 4, 3], got [4])");
  EXPECT_EQ(message("InstanceNormalization", 17, {x, three, three}, {}),
            "InstanceNormalization 'the_node': length of input 1 differs from the channels (expected 4, got 3)");
  EXPECT_EQ(message("GroupNormalization", 21, {x, four, four}, {{"num_groups", std::int64_t{3}}}),
            "GroupNormalization 'the_node': channels are not a multiple of num_groups (expected a multiple of 3, got "
            "4)");
}

}  // namespace
}  // namespace pare::testing
