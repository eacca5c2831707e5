// What this CPU can do and what kernels may use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pare {

/// Instruction sets that kernel rows name, in ascending order; each includes the earlier ones on x86-64.
enum class Isa { kScalar, kAvx2, kAvx512, kAvx512Vnni, kAvx512VnniVbmi, kAvx512Bf16, kAmx };

std::string_view name(Isa isa) noexcept;  ///< "scalar", "avx2", "avx512", "avx512vnni", "avx512vnni_vbmi", "avx512bf16",
                                             ///< "amx"
std::optional<Isa> isa_from_name(std::string_view name) noexcept;

/// The CPU's highest level, lowered by PARE_FORCE_ISA (read at each call; Error(kUsage) for an unknown name or one that
/// the CPU lacks).
Isa active_isa();
bool isa_available(Isa isa);  ///< isa <= active_isa()

struct CpuInfo {
  std::string model;                  ///< as the CPU names itself
  std::vector<std::string> features;  ///< those that Pare looks at, present ones
  int cores = 0;
  std::int64_t l1d = 0, l2 = 0, l3 = 0;  ///< bytes, per core for L1 and L2
};
const CpuInfo& cpu_info();

/// High-water mark of this process's resident memory, bytes (VmHWM), and a reset of it (false where not permitted).
std::int64_t peak_resident_bytes();
bool reset_peak_resident_bytes();
std::int64_t resident_bytes();

}  // namespace pare
