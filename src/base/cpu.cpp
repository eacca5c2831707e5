#include "base/cpu.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "base/threads.h"
#include "pare/error.h"

namespace pare {

namespace {

constexpr std::array<std::string_view, 7> kIsaNames{"scalar",          "avx2",       "avx512", "avx512vnni",
                                                    "avx512vnni_vbmi", "avx512bf16", "amx"};

struct Feature {
  const char* name;
  bool present;
};

/// Linux gives the tile registers only to processes that ask for them.
bool tiles_granted() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

// The compiler's own detection asks cpuid and, through xgetbv, whether the system saves the wide registers.
std::vector<Feature> detect_features() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return {{"avx", __builtin_cpu_supports("avx") != 0},
          {"avx2", __builtin_cpu_supports("avx2") != 0},
          {"fma", __builtin_cpu_supports("fma") != 0},
          {"avx512f", __builtin_cpu_supports("avx512f") != 0},
          {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
          {"avx512vl", __builtin_cpu_supports("avx512vl") != 0},
          {"avx512dq", __builtin_cpu_supports("avx512dq") != 0},
          {"avx512vnni", __builtin_cpu_supports("avx512vnni") != 0},
          {"avx512vbmi", __builtin_cpu_supports("avx512vbmi") != 0},
          {"avx512vpopcntdq", __builtin_cpu_supports("avx512vpopcntdq") != 0},
          {"avx512bf16", __builtin_cpu_supports("avx512bf16") != 0},
          {"amx", __builtin_cpu_supports("amx-tile") != 0 && __builtin_cpu_supports("amx-int8") != 0 &&
                      __builtin_cpu_supports("amx-bf16") != 0 && tiles_granted()}};
#else
  return {};
#endif
}

const std::vector<std::string>& present_features() {
  static const std::vector<std::string> features = [] {
    std::vector<std::string> names;
    for (const Feature& feature : detect_features()) {
      if (feature.present) names.emplace_back(feature.name);
    }
    return names;
  }();
  return features;
}

bool has_all(std::initializer_list<const char*> wanted) {
  const std::vector<std::string>& features = present_features();
  return std::all_of(wanted.begin(), wanted.end(), [&](const char* feature) {
    return std::find(features.begin(), features.end(), feature) != features.end();
  });
}

Isa detect_isa() {
  if (!has_all({"avx2", "fma"})) return Isa::kScalar;
  if (!has_all({"avx512f", "avx512bw", "avx512vl", "avx512dq"})) return Isa::kAvx2;
  if (!has_all({"avx512vnni"})) return Isa::kAvx512;
  if (!has_all({"avx512vbmi", "avx512vpopcntdq"})) return Isa::kAvx512Vnni;
  if (!has_all({"avx512bf16"})) return Isa::kAvx512VnniVbmi;
  return has_all({"amx"}) ? Isa::kAmx : Isa::kAvx512Bf16;
}

Isa cpu_isa() {
  static const Isa isa = detect_isa();
  return isa;
}

std::string names_up_to(Isa isa) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(isa); ++i) names.emplace_back(kIsaNames[static_cast<std::size_t>(i)]);
  return join(names, ", ");
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = trim(line.substr(0, colon));
    if (key == "model name" || key == "Model") return trim(line.substr(colon + 1));
  }
  return "unknown";
}

/// Bytes of the caches of levels 1 (of data), 2 and 3.
std::array<std::int64_t, 3> cache_bytes() {
  std::array<std::int64_t, 3> bytes{};
  const std::string root = "/sys/devices/system/cpu/cpu0/cache/index";
  for (int index = 0; index < 8; ++index) {
    const std::string folder = root + std::to_string(index);
    std::ifstream level_file(folder + "/level");
    std::size_t level = 0;
    if (!(level_file >> level) || level < 1 || level > bytes.size() || bytes[level - 1] != 0) continue;
    std::ifstream type_file(folder + "/type"), size_file(folder + "/size");
    std::string type;
    std::int64_t kib = 0;
    if (type_file >> type && size_file >> kib && type != "Instruction") bytes[level - 1] = kib * 1024;
  }
  constexpr int kNames[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    if (bytes[i] == 0) bytes[i] = std::max<std::int64_t>(0, sysconf(kNames[i]));
  return bytes;
}

// A field of /proc/self/status in bytes; −1 where the system does not have it.
std::int64_t status_bytes(std::string_view field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(field) || line.size() <= field.size() || line[field.size()] != ':') continue;
    std::istringstream value(line.substr(field.size() + 1));
    std::int64_t kib = -1;
    if (value >> kib) return kib * 1024;
  }
  return -1;
}

}  // namespace

std::string_view name(Isa isa) noexcept { return kIsaNames[static_cast<std::size_t>(isa)]; }

std::optional<Isa> isa_from_name(std::string_view wanted) noexcept {
  for (std::size_t i = 0; i < kIsaNames.size(); ++i) {
    if (kIsaNames[i] == wanted) return static_cast<Isa>(i);
  }
  return std::nullopt;
}

Isa active_isa() {
  const Isa cpu = cpu_isa();
  const char* forced = std::getenv("PARE_FORCE_ISA");
  if (forced == nullptr || *forced == '\0') return cpu;
  const std::optional<Isa> isa = isa_from_name(forced);
  if (!isa) {
    const std::vector<std::string> all(kIsaNames.begin(), kIsaNames.end());
    throw Error(ErrorCode::kUsage, "PARE_FORCE_ISA", "names no instruction set" + did_you_mean(forced, all),
                join(all, ", "), std::string("'") + forced + "'");
  }
  if (*isa > cpu) {
    throw Error(ErrorCode::kUsage, "PARE_FORCE_ISA", "names an instruction set that this CPU lacks", names_up_to(cpu),
                forced);
  }
  return *isa;
}

bool isa_available(Isa isa) { return isa <= active_isa(); }

const CpuInfo& cpu_info() {
  static const CpuInfo info = [] {
    CpuInfo result;
    result.model = cpu_model();
    result.features = present_features();
    result.cores = hardware_threads();
    const auto [l1d, l2, l3] = cache_bytes();
    result.l1d = l1d, result.l2 = l2, result.l3 = l3;
    return result;
  }();
  return info;
}

std::int64_t peak_resident_bytes() {
  const std::int64_t peak = status_bytes("VmHWM");
  if (peak >= 0) return peak;
  rusage usage{};  // some containers hide VmHWM
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

bool reset_peak_resident_bytes() {
  std::ofstream file("/proc/self/clear_refs");  // proc(5): writing 5 resets the high-water mark
  file << "5" << std::flush;
  return file.good();
}

std::int64_t resident_bytes() {
  const std::int64_t resident = status_bytes("VmRSS");
  return resident >= 0 ? resident : 0;
}

}  // namespace pare
