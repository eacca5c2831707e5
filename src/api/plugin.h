// The training plug-in: libpare_train.so, loaded on first need and kept for the life of the process.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "exec/trainer.h"

namespace pare::api {

/// Folders searched, in order: those of PARE_PLUGIN_PATH (separated by ':'), then pare/ beside libpare.so.
std::vector<std::filesystem::path> plugin_folders();

struct LoadedPlugin {
  std::filesystem::path path;
  const exec::TrainPlugin* plugin;
};

/// Loads the plug-in once. Throws Error(kUnsupported) saying what `needed_by` it, where it was looked for or why it
/// does not load, and the package that provides it. A failure is not remembered.
const LoadedPlugin& load_train_plugin(const std::string& needed_by);
/// True once load_train_plugin() has succeeded.
bool train_plugin_loaded();

/// The provider for steps; `needed_by` goes into the error when there is no plug-in.
exec::TrainerProvider trainer_provider(std::string needed_by);

}  // namespace pare::api
