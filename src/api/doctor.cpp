#include "pare/doctor.h"

#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "api/machine.h"
#include "api/plugin.h"
#include "base/cpu.h"
#include "base/text.h"
#include "base/threads.h"
#include "pare/error.h"
#include "pare/version.h"

namespace pare {
namespace {

namespace fs = std::filesystem;

/// What Pare computes, reads and writes with; everything else that is loaded serves these.
bool is_of_interest(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "libpare",          "libpare_train", "libdnnl",      "libgomp",   "libiomp5",    "libopenblas",
      "libprotobuf-lite", "libspng",       "libturbojpeg", "libxxhash", "libyaml-cpp", "libz",
      "libtorch_cpu",     "libtorch_cuda", "libstdc++",    "libc",      "libtorch"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

/// "/usr/lib/libdnnl.so.2" → {"libdnnl", "2.6", …}: the full version is in the name of the file that the soname links
/// to.
LibraryInfo library_at(const char* loaded) {
  std::error_code error;
  const fs::path real = fs::canonical(loaded, error);
  const fs::path path = error ? fs::path(loaded) : real;
  const std::string file = path.filename().string();
  const std::size_t suffix = file.find(".so");
  LibraryInfo info{file.substr(0, suffix), "", path.string()};
  if (suffix != std::string::npos && file.size() > suffix + 4) info.version = file.substr(suffix + 4);
  if (const std::size_t dash = info.name.rfind('-');  // libtorch_cpu-1.13.so and the like
      dash != std::string::npos && dash + 1 < info.name.size() &&
      std::isdigit(static_cast<unsigned char>(info.name[dash + 1]))) {
    if (info.version.empty()) info.version = info.name.substr(dash + 1);
    info.name.resize(dash);
  }
  if (info.name == "libpare" || info.name == "libpare_train") info.version = version();
  return info;
}

std::vector<LibraryInfo> loaded_libraries() {
  std::vector<LibraryInfo> libraries;
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* out) {
        if (!object->dlpi_name || !*object->dlpi_name) return 0;
        LibraryInfo info = library_at(object->dlpi_name);
        if (is_of_interest(info.name)) static_cast<std::vector<LibraryInfo>*>(out)->push_back(std::move(info));
        return 0;
      },
      &libraries);
  std::sort(libraries.begin(), libraries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return libraries;
}

PluginInfo probe_plugin() {
  PluginInfo info;
  for (const fs::path& folder : api::plugin_folders()) info.searched.push_back(folder.string());
  try {
    info.path = api::load_train_plugin("finetune").path.string();
    info.found = true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    info.reason = error.what();
  }
  return info;
}

}  // namespace

DoctorReport doctor() {
  DoctorReport report;
  const CpuInfo& cpu = cpu_info();
  report.version = version();
  report.commit = commit();
  report.build_id = build_id();
  report.compiler = api::compiler();
  report.os = api::os_name();
  report.cpu = cpu.model;
  report.cpu_features = cpu.features;
  report.isa = name(active_isa());
  if (const char* forced = std::getenv("PARE_FORCE_ISA")) report.forced_isa = forced;
  report.cores = cpu.cores;
  report.threads = hardware_threads();
  report.l1d_bytes = cpu.l1d;
  report.l2_bytes = cpu.l2;
  report.l3_bytes = cpu.l3;
  report.train_plugin = probe_plugin();
  report.libraries = loaded_libraries();
  return report;
}

}  // namespace pare
