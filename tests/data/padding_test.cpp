#include "data/padding.h"

#include <gtest/gtest.h>

namespace pare::data {
namespace {

TEST(Padding, RepeatsTheLastSampleAndCutsItOff) {
  const Tensor three = Tensor::from<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  NamedTensors inputs{{"x", three}, {"shared", Tensor::from<std::int64_t>({2}, {7, 8})}};
  fill_up(inputs, 3, 5);
  EXPECT_TRUE(inputs.at("x").identical(Tensor::from<float>({5, 2}, {1, 2, 3, 4, 5, 6, 5, 6, 5, 6})));
  EXPECT_TRUE(inputs.at("shared").identical(Tensor::from<std::int64_t>({2}, {7, 8})));  // has no batch axis
  EXPECT_TRUE(first_rows(inputs.at("x"), 3, 5).identical(three));
  EXPECT_TRUE(first_rows(three, 2, 5).identical(three));  // not a batch of five
}

TEST(Padding, WholeBatchesStay) {
  NamedTensors inputs{{"x", Tensor::from<float>({2, 1}, {1, 2})}};
  fill_up(inputs, 2, 2);
  fill_up(inputs, 2, 0);
  EXPECT_EQ(inputs.at("x").dims(), (Dims{2, 1}));
}

}  // namespace
}  // namespace pare::data
