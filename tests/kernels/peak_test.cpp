// The yardstick of profiles: more than nothing where the instruction exists, ordered as the instruction sets are.
#include "kernels/peak/peak.h"

#include <gtest/gtest.h>

#include "kernels/random.h"

namespace pare::kernels {
namespace {

TEST(Peak, EveryTypeThatTheCpuMultiplies) {
  EXPECT_GT(measure_peak(DType::kFloat32, 1), 0);
  EXPECT_EQ(measure_peak(DType::kInt8, 1) > 0, isa_available(Isa::kAvx512Vnni));
  EXPECT_EQ(measure_peak(DType::kBFloat16, 1) > 0, isa_available(Isa::kAvx512Bf16));
  EXPECT_EQ(measure_peak(DType::kInt64, 1), 0);
}

TEST(Peak, TilesMultiplyMoreThanVectors) {
  if (!isa_available(Isa::kAmx)) GTEST_SKIP() << "no tiles here";
  const double int8 = measure_peak(DType::kInt8, 1), bf16 = measure_peak(DType::kBFloat16, 1);
  const test::ScopedEnv force("PARE_FORCE_ISA", "avx512bf16");
  EXPECT_GT(int8, 2 * measure_peak(DType::kInt8, 1));
  EXPECT_GT(bf16, 2 * measure_peak(DType::kBFloat16, 1));
}

TEST(Peak, VectorsMultiplyMoreThanScalars) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "no vectors here";
  const double best = measure_peak(DType::kFloat32, 1);
  const test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
  EXPECT_GT(best, 2 * measure_peak(DType::kFloat32, 1));
}

}  // namespace
}  // namespace pare::kernels
