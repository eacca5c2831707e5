// What operator sets 24 and 25 added to Attention; the packaged node tests are older. Expected values: numpy, in
// double.
#include <gtest/gtest.h>

#include "ir/node_tests.h"
#include "ir/op_case.h"

namespace pare::testing {
namespace {

const Tensor& queries() {
  static const Tensor x = Tensor::from<float>({1, 1, 3, 2}, {1, 0, 0, 1, 1, 1});
  return x;
}
const Tensor& values() {
  static const Tensor x = Tensor::from<float>({1, 1, 3, 2}, {1, 2, 3, 4, 5, 6});
  return x;
}

TEST(Attention, WindowsBoundTheKeysOnBothSides) {
  const Tensor y = run_one("Attention", 25, {queries(), queries(), values()},
                           {{"left_window_size", std::int64_t{1}}, {"right_window_size", std::int64_t{0}}});
  EXPECT_EQ(difference(Tensor::from<float>({1, 1, 3, 2}, {1, 2, 2.3395231F, 3.3395231F, 4.3395231F, 5.3395231F}), y),
            "");
}

TEST(Attention, QueriesEndWhereTheCacheDoes) {
  // Two of three cached keys are valid, so the three queries stand at −1, 0 and 1; the first sees nothing.
  const Tensor y =
      run_one("Attention", 24, {queries(), queries(), values(), {}, {}, {}, Tensor::from<std::int64_t>({1}, {2})},
              {{"is_causal", std::int64_t{1}}});
  EXPECT_EQ(difference(Tensor::from<float>({1, 1, 3, 2}, {0, 0, 1, 2, 2, 3}), y), "");
}

}  // namespace
}  // namespace pare::testing
