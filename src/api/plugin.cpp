#include "api/plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>
#include <optional>

#include "base/text.h"
#include "pare/error.h"
#include "pare_build_id.h"

namespace pare::api {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "libpare_train.so";
constexpr const char* kEntry = "pare_train_plugin";
constexpr const char* kPackage = "install Debian's libtorch-dev and build Pare with -DPARE_BUILD_TRAIN=ON";

struct Loaded {
  std::mutex mutex;
  std::optional<LoadedPlugin> plugin;
};

Loaded& loaded() {
  static Loaded state;
  return state;
}

[[noreturn]] void refuse(const std::string& subject, const std::string& needed_by, const std::string& problem) {
  throw Error(ErrorCode::kUnsupported, subject,
              needed_by + " needs gradients, which the training plug-in provides: " + problem + "; " + kPackage);
}

fs::path library_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void*>(&plugin_folders), &info) || !info.dli_fname) return {};
  std::error_code error;
  const fs::path path = fs::canonical(info.dli_fname, error);
  return error ? fs::path(info.dli_fname).parent_path() : path.parent_path();
}

fs::path find(const std::string& needed_by) {
  std::vector<std::string> searched;
  for (const fs::path& folder : plugin_folders()) {
    std::error_code error;
    if (fs::exists(folder / kFile, error)) return folder / kFile;
    searched.push_back(folder.string());
  }
  refuse(kFile, needed_by, "not found in " + join(searched, ", "));
}

/// The plug-in of an opened library, checked against this build.
const exec::TrainPlugin* entry_of(void* library, const fs::path& path, const std::string& needed_by) {
  using Entry = const exec::TrainPlugin* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(library, kEntry));
  if (!entry) refuse(path, needed_by, std::string("it has no entry ") + kEntry);
  const exec::TrainPlugin* plugin = entry();
  if (!plugin || !plugin->factory) refuse(path, needed_by, "its entry returned nothing");
  if (plugin->abi != exec::kTrainPluginAbi) {
    refuse(path, needed_by,
           "its ABI is " + std::to_string(plugin->abi) + ", this Pare's is " + std::to_string(exec::kTrainPluginAbi));
  }
  if (std::string_view(plugin->build_id) != PARE_BUILD_ID) {
    refuse(path, needed_by, std::string("it belongs to the build ") + plugin->build_id + ", this is " + PARE_BUILD_ID);
  }
  return plugin;
}

}  // namespace

std::vector<fs::path> plugin_folders() {
  std::vector<fs::path> folders;
  if (const char* given = std::getenv("PARE_PLUGIN_PATH")) {
    for (const std::string& folder : split(given, ':')) {
      if (!folder.empty()) folders.emplace_back(folder);
    }
  }
  folders.push_back(library_folder() / "pare");
  return folders;
}

const LoadedPlugin& load_train_plugin(const std::string& needed_by) {
  Loaded& state = loaded();
  std::lock_guard lock(state.mutex);
  if (state.plugin) return *state.plugin;
  const fs::path path = find(needed_by);
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) refuse(path, needed_by, std::string("it does not load: ") + dlerror());
  const exec::TrainPlugin* plugin = nullptr;
  try {
    plugin = entry_of(library, path, needed_by);
  } catch (...) {
    dlclose(library);
    throw;
  }
  state.plugin = LoadedPlugin{path, plugin};
  return *state.plugin;
}

bool train_plugin_loaded() {
  Loaded& state = loaded();
  std::lock_guard lock(state.mutex);
  return state.plugin.has_value();
}

exec::TrainerProvider trainer_provider(std::string needed_by) {
  return [needed_by = std::move(needed_by)]() -> const exec::TrainerFactory& {
    return *load_train_plugin(needed_by).plugin->factory;
  };
}

}  // namespace pare::api
