#include "pack/pare_file.h"

#include "base/cpu.h"
#include "onnx/onnx_file.h"
#include "pack/container.h"
#include "pack/fields.h"
#include "pack/tensors.h"
#include "pack/zstd.h"
#include "pare/error.h"

namespace pare::pack {

namespace {

constexpr std::size_t kApartBytes = 256;  // larger tensors are coded by content, smaller ones with the graph
constexpr std::uint64_t kLargestGraph = std::uint64_t{2} << 30;
constexpr std::uint32_t kGraphVersion = 1, kTensorsVersion = 2;

[[noreturn]] void fail(const std::string& subject, const std::string& problem) {
  throw Error(ErrorCode::kBadInput, subject, problem);
}

const Section& need(const Container& container, SectionKind kind, std::uint32_t version, const std::string& noun,
                    const std::string& subject) {
  const Section* section = container.find(kind);
  if (!section) fail(subject, "is damaged: it has no " + noun);
  if (section->version != version)
    throw Error(ErrorCode::kBadInput, subject, "its " + noun + " is of another version", std::to_string(version),
                std::to_string(section->version));
  return *section;
}

ModelFile read(const Container& container, const std::string& subject) {
  const Section& graph = need(container, SectionKind::kGraph, kGraphVersion, "graph", subject);
  const Section& tensors = need(container, SectionKind::kTensors, kTensorsVersion, "tensor section", subject);
  std::string message;
  std::vector<Tensor> values;
  try {
    message = decompress(graph.bytes, kLargestGraph);
  } catch (const Damaged& damage) {
    fail(subject, std::string("is damaged: its graph ") + damage.what());
  }
  try {
    values = read_tensors(tensors.bytes, tensors.checked, container.owner, subject);
  } catch (const Damaged& damage) {
    fail(subject, std::string("is damaged: its tensor section ") + damage.what());
  }
  ModelFile file;
  if (container.find(SectionKind::kPacked)) {
    try {
      file.packed = std::make_shared<const PackedSections>(container, values, std::string(name(active_isa())), subject);
    } catch (const Damaged& damage) {
      fail(subject, std::string("is damaged: a packed section ") + damage.what());
    }
  }
  file.model = onnx::put_together(message, std::move(values), subject);
  return file;
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

void require_equal(const std::vector<Tensor>& written, const std::vector<Tensor>& read) {
  bool same = written.size() == read.size();
  for (std::size_t i = 0; same && i < written.size(); ++i) same = written[i].identical(read[i]);
  if (!same) throw Error(ErrorCode::kInternal, ".pare file", "its tensors do not decode to what they were");
}

void write_pare(const ir::Model& model, const fs::path& path, const WriteOptions& options) {
  const onnx::ModelParts parts = onnx::take_apart(model, kApartBytes);
  const std::string graph = compress(parts.graph);
  const SectionContent tensors = write_tensors(parts.tensors, options.stored);
  if (!options.stored)
    require_equal(parts.tensors, read_tensors(tensors.bytes, tensors.checked, nullptr, path.string()));
  std::vector<Section> sections = {{SectionKind::kGraph, kGraphVersion, "", graph},
                                   {SectionKind::kTensors, kTensorsVersion, "", tensors.bytes, tensors.checked}};
  std::vector<SectionContent> packed;
  for (const PackedSet& set : options.packed) packed.push_back(write_packed(set.blobs, parts.tensors));
  for (std::size_t i = 0; i < packed.size(); ++i)
    sections.push_back({SectionKind::kPacked, kPackedVersion, options.packed[i].isa, packed[i].bytes,
                        packed[i].checked});
  write_container(path, sections);
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

bool is_pare_path(const fs::path& path) { return path.extension() == ".pare"; }

ModelFile read_file(const fs::path& path) {
  const auto file = MappedFile::open(path);
  if (!is_container(text_of(*file)) && !is_pare_path(path)) return {onnx::read_model(path), nullptr};
  return read(read_container(text_of(*file), file, path.string()), path.string());
}

ir::Model read_model(const fs::path& path) { return read_file(path).model; }

ModelFile parse_file(std::string bytes, const std::string& subject) {
  if (!is_container(bytes)) return {onnx::parse_model(std::move(bytes), subject, {}), nullptr};
  // Sections are to lie on pages, as in a mapped file: stored tensors are viewed in place.
  const Tensor copy = Tensor::from<std::uint8_t>({static_cast<std::int64_t>(bytes.size())},
                                                 std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
  const auto owner = std::make_shared<const Tensor>(copy);
  return read(read_container({reinterpret_cast<const char*>(owner->raw()), owner->bytes()}, owner, subject), subject);
}

ir::Model parse_model(std::string bytes, const std::string& subject) {
  return parse_file(std::move(bytes), subject).model;
}

void write_model(const ir::Model& model, const fs::path& path, const WriteOptions& options) {
  if (is_pare_path(path))
    write_pare(model, path, options);
  else
    onnx::write_model(model, path);
}

const exec::ModelStore& store() {
  static const Store instance;
  return instance;
}

}  // namespace pare::pack
