// Tensor data that lies in files beside the model.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/file.h"
#include "onnx/pare_onnx.pb.h"

namespace pare::onnx {

struct ExternalData {
  std::string_view bytes;
  std::shared_ptr<const void> owner;
};

/// Maps the data files of one model, each once. Files outside the model's folder are refused: a model must not be able
/// to read what its user never named.
class ExternalFiles {
 public:
  explicit ExternalFiles(fs::path folder) : folder_(folder.empty() ? fs::path(".") : std::move(folder)) {}

  /// The `expected` bytes that `tensor` names by the keys location, offset and length. Errors (kBadInput, with
  /// `subject`): keys absent or malformed, file missing, too short, or outside the folder (absolute, "..", or through a
  /// symbolic link).
  ExternalData find(const TensorProto& tensor, std::uint64_t expected, const std::string& subject);

 private:
  std::shared_ptr<const MappedFile> map(const std::string& location, const std::string& subject);

  fs::path folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

}  // namespace pare::onnx
