#include "api/machine.h"

#include <sys/utsname.h>

#include <fstream>

#include "base/cpu.h"
#include "base/text.h"
#include "pare/version.h"

namespace pare::api {

std::string os_name() {
  std::string name = "unknown";
  std::ifstream release("/etc/os-release");
  for (std::string line; std::getline(release, line);) {
    constexpr std::string_view key = "PRETTY_NAME=";
    if (line.starts_with(key)) name = trim(line.substr(key.size()));
  }
  if (name.size() > 1 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
  utsname kernel{};
  if (uname(&kernel) == 0) name += std::string(", ") + kernel.sysname + " " + kernel.release;
  return name;
}

std::string compiler() {
#if defined(__clang__)
  return std::string("Clang ") + __clang_version__;
#else
  return std::string("GCC ") + __VERSION__;
#endif
}

nlohmann::json environment(int threads) {
  const CpuInfo& cpu = cpu_info();
  return {{"pare", version()},  {"commit", commit()}, {"cpu", cpu.model}, {"isa", std::string(name(active_isa()))},
          {"cores", cpu.cores}, {"threads", threads}, {"os", os_name()},  {"compiler", compiler()},
          {"trainer", nullptr}};
}

}  // namespace pare::api
