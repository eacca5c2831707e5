#include "api/outputs.h"

#include <algorithm>

#include "base/file.h"

namespace pare::api {
namespace {

bool has_content(const fs::path& folder) {
  std::error_code error;
  return fs::is_directory(folder, error) && !fs::is_empty(folder, error);
}

/// A relative name without a folder lies in the current one.
fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

}  // namespace

OutputGuard::OutputGuard(const Outputs& outputs, bool resume, bool force) {
  if (!outputs.directory.empty() && !outputs.file.empty()) {
    throw Error(ErrorCode::kUsage, outputs.file, "results go to a folder or to a file, not both");
  }
  if (!outputs.report.empty() && outputs.file.empty()) {
    throw Error(ErrorCode::kUsage, outputs.report, "a report folder belongs to a model file");
  }
  const auto add_record = [&](const fs::path& folder) {
    files_.push_back({folder / "run.json", File::Kind::kRun});
    files_.push_back({folder / "report.html", File::Kind::kReport});
    files_.push_back({folder / "recipe.yaml", File::Kind::kRecipe});
  };
  if (!outputs.directory.empty()) {
    in_directory_ = true;
    files_.push_back({fs::path(outputs.directory) / "model.onnx", File::Kind::kModel});
    add_record(outputs.directory);
    checkpoints_ = fs::path(outputs.directory) / "checkpoints";
  } else if (!outputs.file.empty()) {
    files_.push_back({outputs.file, File::Kind::kModel});
    if (!outputs.report.empty()) add_record(outputs.report);
    checkpoints_ = outputs.file + ".checkpoints";
  }
  for (const File& file : files_) {
    const fs::path folder = folder_of(file.target);
    std::error_code error;
    if (fs::exists(folder, error) && !fs::is_directory(folder, error)) {
      throw Error(ErrorCode::kUsage, folder.string(), "exists and is not a folder");
    }
    if (fs::is_directory(file.target, error)) throw Error(ErrorCode::kUsage, file.target.string(), "is a folder");
    refuse_to_overwrite(file.target, force);
  }
  had_checkpoints_ = has_content(checkpoints_);
  if (had_checkpoints_ && !resume && !force) {
    throw Error(ErrorCode::kUsage, checkpoints_.string(), "holds checkpoints of an earlier run",
                "--resume to continue it or --force to start over");
  }
  if (resume && !had_checkpoints_) {
    throw Error(ErrorCode::kBadInput, checkpoints_.empty() ? "resume" : checkpoints_.string(),
                "no checkpoints to resume from");
  }
}

std::vector<std::string> OutputGuard::targets() const {
  std::vector<std::string> paths;
  for (const File& file : files_) paths.push_back(file.target.string());
  return paths;
}

void OutputGuard::make_folder(const fs::path& folder) {
  std::vector<fs::path> missing;
  std::error_code error;
  for (fs::path path = folder; !path.empty() && !fs::exists(path, error); path = path.parent_path())
    missing.push_back(path);
  for (auto path = missing.rbegin(); path != missing.rend(); ++path) {
    if (!fs::create_directory(*path, error) && error) {
      throw Error(ErrorCode::kIo, path->string(), "cannot make the folder: " + error.message());
    }
    made_.push_back(*path);
  }
}

void OutputGuard::open() {
  for (const File& file : files_) make_folder(folder_of(file.target));
}

fs::path OutputGuard::stage(const fs::path& folder) {
  const fs::path stage = folder / ".pare-partial";
  if (std::find(stages_.begin(), stages_.end(), stage) != stages_.end()) return stage;
  make_folder(folder);  // hours may lie between open() and now: someone may have tidied up
  std::error_code error;
  fs::remove_all(stage, error);  // of a run that was killed
  stages_.push_back(stage);
  if (!fs::create_directory(stage, error))
    throw Error(ErrorCode::kIo, stage.string(), "cannot make the folder: " + error.message());
  return stage;
}

void OutputGuard::commit(const exec::ModelStore& store, const ir::Model& model, const std::string& run_json,
                         const std::string& html, const std::string& recipe) {
  for (const File& file : files_) {
    const fs::path path = stage(folder_of(file.target)) / file.target.filename();
    switch (file.kind) {
      case File::Kind::kModel:
        store.save(model, path.string());
        break;
      case File::Kind::kRun:
        write_file_atomically(path, run_json);
        break;
      case File::Kind::kReport:
        write_file_atomically(path, html);
        break;
      case File::Kind::kRecipe:
        write_file_atomically(path, recipe);
        break;
    }
  }
  for (const fs::path& stage : stages_) {
    for (const auto& entry : fs::directory_iterator(stage)) {
      fs::rename(entry.path(), stage.parent_path() / entry.path().filename());
    }
    fs::remove(stage);
  }
  stages_.clear();
  if (!in_directory_ && !checkpoints_.empty()) {  // a lone model file needs no company
    std::error_code error;
    fs::remove_all(checkpoints_, error);
  }
}

void OutputGuard::abandon(ErrorCode code) noexcept {
  std::error_code error;
  for (const fs::path& stage : stages_) fs::remove_all(stage, error);
  const bool request_failed =
      code == ErrorCode::kUsage || code == ErrorCode::kBadInput || code == ErrorCode::kUnsupported;
  if (!checkpoints_.empty() && !had_checkpoints_ && (request_failed || !has_content(checkpoints_))) {
    fs::remove_all(checkpoints_, error);
  }
  for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) fs::remove(*folder, error);  // only when empty
}

}  // namespace pare::api
