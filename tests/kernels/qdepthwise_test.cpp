// Integer depthwise convolution: its rows against each other, and against qconv with one group a channel.
#include "kernels/qdepthwise/qdepthwise.h"

#include <gtest/gtest.h>

#include "qconv_case.h"

namespace pare::kernels {
namespace {

using test::QConvCase;
using test::Random;

QConvCase random_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  c.shape = test::random_geometry(random, 7);
  c.shape.groups = c.shape.in_c = c.shape.out_c = random.integer(1, random.coin() ? 70 : 200);
  test::fill_case(random, c);
  return c;
}

QDepthwiseWeights packed_for(const QConvCase& c, const QDepthwiseKernel* kernel) {
  return QDepthwiseWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null(), kernel);
}

std::vector<std::uint8_t> run(const QConvCase& c, const QDepthwiseKernel* kernel) {
  const QDepthwiseWeights w = packed_for(c, kernel);
  std::vector<std::uint8_t> out(c.output_bytes());
  qdepthwise(w, c.shape, c.input.data(), c.epilogue, out.data());
  return out;
}

std::vector<std::uint8_t> run_grouped(const QConvCase& c) {
  const auto w = QConvWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null(),
                                    qconv_kernels().back());
  std::vector<std::uint8_t> out(c.output_bytes());
  qconv(w, c.shape, c.input.data(), c.epilogue, out.data(), nullptr, 1);
  return out;
}

TEST(QDepthwise, EveryRowEqualsGroupedConvolutionBitForBit) {
  for (const QDepthwiseKernel* kernel : qdepthwise_kernels()) {
    if (!isa_available(qdepthwise_kernel_isa(*kernel))) continue;
    int taken = 0;  // a row that does not take a shape leaves it to the next one
    for (std::uint64_t seed = 0; seed < 1200; ++seed) {
      const QConvCase c = random_case(seed);
      taken += packed_for(c, kernel).kernel_name() == std::string_view(qdepthwise_kernel_name(*kernel));
      ASSERT_EQ(run(c, kernel), run_grouped(c)) << qdepthwise_kernel_name(*kernel) << " seed " << seed;
    }
    EXPECT_GT(taken, 60) << qdepthwise_kernel_name(*kernel);
  }
}

TEST(QDepthwise, ForcedIsaTakesEffect) {
  const QConvCase c = random_case(1);
  test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
  const auto w = QDepthwiseWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, nullptr);
  EXPECT_STREQ(w.kernel_name(), "qdepthwise__reference");
}

}  // namespace
}  // namespace pare::kernels
