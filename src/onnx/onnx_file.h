// ONNX files to and from the IR. The only folder that sees protobuf.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/backend.h"
#include "ir/model.h"

namespace pare::onnx {

/// Reads a model. Tensor data is mapped from the file (or its external data files), not copied. Shapes are not
/// inferred. Errors (all kBadInput, subject = the path or "path: node/tensor"): missing file, not a protobuf,
/// truncated, no graph, IR or opset out of range, external data missing / too short / outside the model's folder,
/// inconsistent tensor.
ir::Model read_model(const std::filesystem::path& path);
/// The same from memory; external data is resolved relative to `folder`.
ir::Model parse_model(std::string bytes, const std::string& subject, const std::filesystem::path& folder);

struct WriteOptions {
  std::int64_t external_threshold = std::int64_t{1800}
                                    << 20;  ///< tensors go to `<file>.data` when the file would be larger
};
void write_model(const ir::Model& model, const std::filesystem::path& path, const WriteOptions& options = {});
std::string serialize_model(const ir::Model& model);
/// The same bytes piece by piece, whatever ONNX files can hold.
void visit_content(const ir::Model& model, const std::function<void(std::string_view)>& visit);
/// Its size, whatever ONNX files can hold; copies no tensor.
std::size_t serialized_size(const ir::Model& model);

/// A model as its graph, a serialized message without the data of larger tensors, and those tensors: what .pare files
/// keep apart.
struct ModelParts {
  std::string graph;
  std::vector<Tensor> tensors;
};
/// Tensors of at least `least_bytes` go beside the graph.
ModelParts take_apart(const ir::Model& model, std::size_t least_bytes);
/// The inverse; the model shares the tensors' memory. Errors as read_model(), with `subject` for the path.
ir::Model put_together(std::string_view graph, std::vector<Tensor> tensors, const std::string& subject);

/// One TensorProto file (ONNX node tests: input_0.pb).
Tensor read_tensor_proto(const std::filesystem::path& path);

/// The ModelStore of this folder.
const exec::ModelStore& store();

}  // namespace pare::onnx
