#include "onnx/onnx_file.h"

#include <google/protobuf/arena.h>

#include <climits>

#include "base/file.h"
#include "onnx/cut.h"
#include "onnx/exporter.h"
#include "onnx/fail.h"
#include "onnx/importer.h"

namespace pare::onnx {

namespace {

/// The bytes of a file and what keeps them alive.
struct Source {
  std::string file;
  fs::path folder;
  std::string_view bytes;
  std::shared_ptr<const void> owner;
};

Source map_source(const fs::path& path) {
  const auto mapped = MappedFile::open(path);
  const auto bytes = mapped->bytes();
  return {path.string(), path.parent_path(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, mapped};
}

/// Whether the bytes begin as models do: with a plausible IR version, or a valid field after it.
bool begins_as_model(std::string_view bytes) {
  try {
    WireReader reader(bytes);
    const WireField first = reader.next();
    return first.number == 1 && first.type == WireType::kVarint && first.value >= 1 && first.value < 100;
  } catch (const WireError&) {
    return false;
  }
}

/// Bytes → message and the tensor data that stayed outside it.
template <class Message>
CutMessage parse(const Source& source, MessageKind kind, const char* noun, Message& message) {
  const bool model = kind == MessageKind::kModel;
  if (source.bytes.empty()) fail(source.file, std::string("is empty, not ") + noun);
  CutMessage result;
  try {
    result = cut(source.bytes, kind);
  } catch (const WireError& error) {
    if (model && !begins_as_model(source.bytes)) fail(source.file, std::string("is not ") + noun);
    fail(source.file, "is truncated or damaged: at byte " + std::to_string(error.offset) + " it " + error.what());
  }
  if (result.bytes.size() > INT_MAX) refuse(source.file, "holds more than 2 GB beside its raw tensor data");
  if (!message.ParsePartialFromArray(result.bytes.data(), static_cast<int>(result.bytes.size())))
    fail(source.file, "is damaged: it holds a malformed message");
  result.bytes = {};
  return result;
}

ir::Model read(const Source& source) {
  google::protobuf::Arena arena;  // thousands of messages, that go together
  auto& proto = *google::protobuf::Arena::CreateMessage<ModelProto>(&arena);
  CutMessage parts = parse(source, MessageKind::kModel, "an ONNX model", proto);
  TensorReader tensors(source.file, source.folder, std::move(parts.segments), source.owner);
  return Importer(source.file, tensors).model(proto);
}

void require_size(const Rope& rope, const std::string& file) {
  if (rope.size() > INT_MAX)
    refuse(file, "would pass the 2 GB that an ONNX file can hold", {}, std::to_string(rope.size()) + " bytes");
}

void append_external(const std::vector<ExternalPiece>& pieces, const std::function<void(std::string_view)>& append) {
  std::uint64_t at = 0;
  for (const ExternalPiece& piece : pieces) {
    append(std::string(piece.offset - at, '\0'));
    append(piece.bytes);
    at = piece.offset + piece.bytes.size();
  }
}

class Store : public exec::ModelStore {
 public:
  ir::Model load(const std::string& path) const override { return read_model(path); }
  void save(const ir::Model& model, const std::string& path) const override { write_model(model, path); }
  void visit_content(const ir::Model& model, const std::function<void(std::string_view)>& visit) const override {
    onnx::visit_content(model, visit);
  }
};

}  // namespace

ir::Model read_model(const fs::path& path) { return read(map_source(path)); }

ir::Model parse_model(std::string bytes, const std::string& subject, const fs::path& folder) {
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return read({subject, folder, *owner, owner});
}

void write_model(const ir::Model& model, const fs::path& path, const WriteOptions& options) {
  const Exporter whole(model);
  Rope rope = whole.rope();
  if (static_cast<std::int64_t>(rope.size()) <= options.external_threshold) {
    require_size(rope, path.string());
    write_file_atomically(path, [&](const auto& append) { rope.for_each(append); });
    return;
  }
  const std::string data_name = path.filename().string() + ".data";
  const Exporter split(model, data_name);
  rope = split.rope();
  require_size(rope, path.string());
  // The data appears while the model's temporary file is complete but not yet renamed: a full disk changes neither.
  write_file_atomically(path, [&](const auto& append) {
    rope.for_each(append);
    write_file_atomically(path.parent_path() / data_name,
                          [&](const auto& append_data) { append_external(split.external(), append_data); });
  });
}

std::size_t serialized_size(const ir::Model& model) {
  const Exporter whole(model);
  return whole.rope().size();
}

void visit_content(const ir::Model& model, const std::function<void(std::string_view)>& visit) {
  const Exporter whole(model);
  whole.rope().for_each(visit);
}

std::string serialize_model(const ir::Model& model) {
  const Exporter whole(model);
  const Rope rope = whole.rope();
  require_size(rope, "model");
  return rope.str();
}

ModelParts take_apart(const ir::Model& model, std::size_t least_bytes) {
  const Exporter exporter(model, {}, least_bytes);
  ModelParts parts{exporter.message(), exporter.cut_tensors()};
  if (parts.graph.size() > INT_MAX) refuse("model", "holds more than 2 GB beside its larger tensors");
  return parts;
}

ir::Model put_together(std::string_view graph, std::vector<Tensor> tensors, const std::string& subject) {
  google::protobuf::Arena arena;
  auto& proto = *google::protobuf::Arena::CreateMessage<ModelProto>(&arena);
  if (graph.size() > INT_MAX || !proto.ParsePartialFromArray(graph.data(), static_cast<int>(graph.size())))
    fail(subject, "is damaged: its graph is not an ONNX message");
  TensorReader reader(subject, std::move(tensors));
  return Importer(subject, reader).model(proto);
}

Tensor read_tensor_proto(const fs::path& path) {
  const Source source = map_source(path);
  TensorProto proto;
  CutMessage parts = parse(source, MessageKind::kTensor, "an ONNX tensor", proto);
  TensorReader tensors(source.file, source.folder, std::move(parts.segments), source.owner);
  return tensors.read(proto, "tensor " + in_quotes(proto.name()));
}

const exec::ModelStore& store() {
  static const Store instance;
  return instance;
}

}  // namespace pare::onnx
