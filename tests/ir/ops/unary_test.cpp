// Operators that the packaged node tests do not reach, most of them newer than the package.
#include <gtest/gtest.h>

#include <cmath>

#include "ir/node_tests.h"
#include "ir/op_case.h"

namespace pare::testing {
namespace {

Tensor floats(Dims dims, const std::vector<float>& values) { return Tensor::from<float>(std::move(dims), values); }

TEST(GlobalPooling, AverageAndLargestOfEachPlane) {
  const Tensor x = floats({1, 2, 2, 2}, {1, 2, 3, 6, -1, -2, -3, -4});
  EXPECT_EQ(difference(floats({1, 2, 1, 1}, {3, -2.5F}), run_one("GlobalAveragePool", 17, {x})), "");
  EXPECT_EQ(difference(floats({1, 2, 1, 1}, {6, -1}), run_one("GlobalMaxPool", 17, {x})), "");
}

TEST(Activations, Gelu) {
  // Values of scipy.stats.norm.cdf(x)·x, and of the tanh formula in double.
  const Tensor x = floats({4}, {-2, -0.5F, 0, 1.5F});
  EXPECT_EQ(difference(floats({4}, {-0.04550026F, -0.15426877F, 0, 1.39978920F}), run_one("Gelu", 20, {x})), "");
  EXPECT_EQ(difference(floats({4}, {-0.04540231F, -0.15428599F, 0, 1.39957158F}),
                       run_one("Gelu", 20, {x}, {{"approximate", std::string("tanh")}})),
            "");
}

TEST(Activations, SoftplusDoesNotOverflow) {
  EXPECT_EQ(difference(floats({3}, {0.69314718F, 1000, 0}), run_one("Softplus", 17, {floats({3}, {0, 1000, -1000})})),
            "");
}

TEST(Activations, ReluKeepsNan) {
  const Tensor y = run_one("Relu", 17, {floats({3}, {-1, NAN, 2})});
  EXPECT_EQ(y.data<float>()[0], 0);
  EXPECT_TRUE(std::isnan(y.data<float>()[1]));
  EXPECT_EQ(y.data<float>()[2], 2);
}

TEST(Activations, MishSeluAndSoftsign) {
  const Tensor x = floats({3}, {-2, 0, 1.5F});
  EXPECT_EQ(difference(floats({3}, {-0.25250149F, 0, 1.40337827F}), run_one("Mish", 18, {x})), "");
  EXPECT_EQ(difference(floats({3}, {-1.52016652F, 0, 1.57605147F}), run_one("Selu", 17, {x})), "");
  EXPECT_EQ(difference(floats({3}, {-0.66666667F, 0, 0.6F}), run_one("Softsign", 17, {x})), "");
}

TEST(Activations, Swish) {
  const Tensor x = floats({4}, {-2, -0.5F, 0, 1.5F});
  EXPECT_EQ(difference(floats({4}, {-0.23840584F, -0.18877033F, 0, 1.22636171F}), run_one("Swish", 24, {x})), "");
  EXPECT_EQ(difference(floats({4}, {-0.06459093F, -0.14971643F, 0, 1.39136027F}),
                       run_one("Swish", 24, {x}, {{"alpha", 1.7F}})),
            "");
}

TEST(Logic, BitShiftKeepsTheSignFromOpset28) {
  const Tensor x = Tensor::from<std::int8_t>({5}, {-64, 64, -1, 1, -128}),
               by = Tensor::from<std::int8_t>({5}, {2, 2, 9, 8, -1});
  const auto shifted = [&](const char* direction) {
    return run_one("BitShift", 28, {x, by}, {{"direction", std::string(direction)}});
  };
  EXPECT_EQ(difference(Tensor::from<std::int8_t>({5}, {-16, 16, -1, 0, -1}), shifted("RIGHT")), "");
  EXPECT_EQ(difference(Tensor::from<std::int8_t>({5}, {0, 0, 0, 0, 0}), shifted("LEFT")), "");
}

TEST(Logic, BitwiseOnSignedAndUnsigned) {
  const Tensor a = Tensor::from<std::int32_t>({2}, {6, -1}), b = Tensor::from<std::int32_t>({2}, {3, 5});
  EXPECT_EQ(difference(Tensor::from<std::int32_t>({2}, {2, 5}), run_one("BitwiseAnd", 18, {a, b})), "");
  EXPECT_EQ(difference(Tensor::from<std::int32_t>({2}, {7, -1}), run_one("BitwiseOr", 18, {a, b})), "");
  EXPECT_EQ(difference(Tensor::from<std::int32_t>({2}, {5, -6}), run_one("BitwiseXor", 18, {a, b})), "");
  EXPECT_EQ(difference(Tensor::from<std::uint8_t>({1}, {0xF0}),
                       run_one("BitwiseNot", 18, {Tensor::from<std::uint8_t>({1}, {0x0F})})),
            "");
}

TEST(Logic, Not) {
  const Tensor x = Tensor::from<bool>({3}, {true, false, true});
  EXPECT_EQ(difference(Tensor::from<bool>({3}, {false, true, false}), run_one("Not", 17, {x})), "");
}

}  // namespace
}  // namespace pare::testing
