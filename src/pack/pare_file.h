// .pare files to and from the IR, and the store that takes either kind of model file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "exec/backend.h"
#include "ir/model.h"
#include "pack/packed.h"

namespace pare::pack {

struct ModelFile {
  ir::Model model;
  std::shared_ptr<const PackedSections> packed;  ///< nullptr where the file holds none
};

/// Reads an ONNX or a .pare file, told apart by their first bytes. Errors of a .pare file, all Error(kBadInput) with
/// the path first: truncated, of another version, a checksum that does not match, a section that cannot be decoded. Large
/// stored tensors and packed weights are checked when they are first read, and throw this then (Section::checked).
/// Packed weights are looked for under the name of the active instruction set.
ModelFile read_file(const fs::path& path);
ir::Model read_model(const fs::path& path);
/// The same from memory; `subject` stands for the path.
ModelFile parse_file(std::string bytes, const std::string& subject);
ir::Model parse_model(std::string bytes, const std::string& subject);

struct WriteOptions {
  bool stored = false;            ///< tensors uncoded, to be mapped: larger, and read without decoding
  std::vector<PackedSet> packed;  ///< one for each instruction set; of constants that are those of the model
};
/// Writes a .pare file where `path` ends in ".pare", an ONNX file otherwise. What was coded is decoded and compared
/// before anything is written.
void write_model(const ir::Model& model, const fs::path& path, const WriteOptions& options = {});

bool is_pare_path(const fs::path& path);

/// read_model() and write_model() as a ModelStore; serialize() gives ONNX.
const exec::ModelStore& store();

}  // namespace pare::pack
