// What Pare finds on this machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pare {

/// A shared library as loaded: "libdnnl" 2.6 from /usr/lib/…
struct LibraryInfo {
  std::string name, version, path;
};

struct PluginInfo {
  bool found = false;
  std::string path;    ///< where it was loaded from
  std::string reason;  ///< not found: why, and which package helps
  std::vector<std::string> searched;
};

struct DoctorReport {
  std::string version, commit, build_id, compiler, os;
  std::string cpu;
  std::vector<std::string> cpu_features;
  std::string isa;             ///< highest level that kernels may use
  std::string forced_isa;      ///< PARE_FORCE_ISA, "" when unset
  int cores = 0, threads = 0;  ///< of the machine; that this process may use
  std::int64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;
  std::vector<LibraryInfo> libraries;
  PluginInfo train_plugin;
};

/// Loads the training plug-in to see whether it works. Throws Error(kUsage) when PARE_FORCE_ISA names no usable level.
DoctorReport doctor();

}  // namespace pare
