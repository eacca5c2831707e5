// .pare files to and from the IR, and the store that takes either kind of model file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "exec/backend.h"
#include "ir/model.h"

namespace pare::pack {

/// Reads an ONNX or a .pare file, told apart by their first bytes. Errors of a .pare file, all Error(kBadInput) with
/// the path first: truncated, of another version, a checksum that does not match, a section that cannot be decoded.
ir::Model read_model(const fs::path& path);
/// The same from memory; `subject` stands for the path.
ir::Model parse_model(std::string bytes, const std::string& subject);

struct WriteOptions {
  bool stored = false;  ///< tensors uncoded, to be mapped: larger, and read without decoding
};
/// Writes a .pare file where `path` ends in ".pare", an ONNX file otherwise. What was coded is decoded and compared
/// before anything is written.
void write_model(const ir::Model& model, const fs::path& path, const WriteOptions& options = {});

bool is_pare_path(const fs::path& path);

/// read_model() and write_model() as a ModelStore; serialize() gives ONNX.
const exec::ModelStore& store();

}  // namespace pare::pack
