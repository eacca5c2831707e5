#include "base/cpu.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "pare/error.h"

namespace pare {
namespace {

class ForcedIsa : public testing::Test {
 protected:
  void SetUp() override {
    const char* value = std::getenv("PARE_FORCE_ISA");
    if (value != nullptr) saved_ = value;
    ::unsetenv("PARE_FORCE_ISA");
  }
  void TearDown() override {
    if (saved_.empty()) {
      ::unsetenv("PARE_FORCE_ISA");
    } else {
      ::setenv("PARE_FORCE_ISA", saved_.c_str(), 1);
    }
  }
  std::string saved_;
};

TEST_F(ForcedIsa, LowersTheLevel) {
  const Isa cpu = active_isa();
  for (int i = 0; i <= static_cast<int>(cpu); ++i) {
    const auto isa = static_cast<Isa>(i);
    ::setenv("PARE_FORCE_ISA", std::string(name(isa)).c_str(), 1);
    EXPECT_EQ(active_isa(), isa);
    EXPECT_TRUE(isa_available(Isa::kScalar));
    EXPECT_EQ(isa_available(Isa::kAvx2), isa >= Isa::kAvx2);
  }
}

TEST_F(ForcedIsa, RefusesUnknownAndAbsentNames) {
  const Isa cpu = active_isa();
  std::vector<std::string> bad{"avx3", "AVX2x"};
  if (cpu < Isa::kAvx512Bf16) bad.emplace_back("avx512bf16");
  if (cpu < Isa::kAmx) bad.emplace_back("amx");
  for (const std::string& isa : bad) {
    ::setenv("PARE_FORCE_ISA", isa.c_str(), 1);
    try {
      active_isa();
      ADD_FAILURE() << isa;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_NE(std::string(error.what()).find(isa), std::string::npos);
    }
  }
}

TEST_F(ForcedIsa, NamesAreOneToOne) {
  for (int i = 0; i <= static_cast<int>(Isa::kAmx); ++i) {
    EXPECT_EQ(isa_from_name(name(static_cast<Isa>(i))), static_cast<Isa>(i));
  }
  EXPECT_FALSE(isa_from_name("sse"));
}

TEST(Cpu, DescribesItself) {
  EXPECT_GE(cpu_info().cores, 1);
  EXPECT_FALSE(cpu_info().model.empty());
}

TEST(Memory, PeakFollowsAllocations) {
  reset_peak_resident_bytes();
  const std::int64_t before = resident_bytes();
  EXPECT_GT(before, 0);
  {
    std::vector<char> block(64 << 20);
    for (std::size_t i = 0; i < block.size(); i += 4096) block[i] = static_cast<char>(i >> 12);
    EXPECT_GE(resident_bytes(), before + (32 << 20));
    EXPECT_EQ(block[4096], 1);
  }
  EXPECT_GE(peak_resident_bytes(), before + (32 << 20));
}

}  // namespace
}  // namespace pare
