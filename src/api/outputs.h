// Where a run writes: refused early, written together at the end, cleaned up on failure (docs/exit-codes.md).
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "exec/backend.h"
#include "pare/compress.h"
#include "pare/error.h"

namespace pare::api {

class OutputGuard {
 public:
  /// Checks only, writes nothing. Throws Error(kUsage): both or contradicting targets, existing results without
  /// `force`, checkpoints of an earlier run without `resume` or `force`; Error(kBadInput): `resume` without
  /// checkpoints.
  OutputGuard(const Outputs& outputs, bool resume, bool force);

  /// Paths of the final files.
  std::vector<std::string> targets() const;
  /// Folder for checkpoints; empty when nothing is written.
  const std::filesystem::path& checkpoints() const { return checkpoints_; }

  /// Makes the folders. Error(kIo).
  void open();
  /// Writes every file beside its place and then renames them all, so that a full disk leaves the old results or none.
  void commit(const exec::ModelStore& store, const ir::Model& model, const std::string& run_json,
              const std::string& html, const std::string& recipe);
  /// After an error: removes what open() made, and for codes 2–4 the checkpoints that this run made too.
  void abandon(ErrorCode code) noexcept;

 private:
  struct File {
    std::filesystem::path target;
    enum class Kind { kModel, kRun, kReport, kRecipe } kind;
  };
  void make_folder(const std::filesystem::path& folder);
  std::filesystem::path stage(const std::filesystem::path& folder);

  bool in_directory_ = false;
  std::vector<File> files_;
  std::filesystem::path checkpoints_;
  bool had_checkpoints_ = false;
  std::vector<std::filesystem::path> made_, stages_;  // outermost first
};

}  // namespace pare::api
