#include "pack/container.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "pare/error.h"

namespace pare::pack {

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kMostSections = 1024;

// Little-endian, as every machine that Pare runs on.
struct Header {
  char magic[8];
  std::uint32_t version, sections;
  std::uint64_t file_bytes;
  std::uint64_t checksum;  // of the header with this field 0, and the table
};
struct Row {
  std::uint32_t kind, version;
  std::uint64_t offset, size, checked, checksum;
  char name[24];
};
static_assert(sizeof(Header) == 32 && sizeof(Row) == 64);

template <class T>
std::string_view view(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::uint64_t checksum_of(Header header, std::string_view table) {
  header.checksum = 0;
  return hash64(std::string(view(header)).append(table));
}

Row row_of(const Section& section, std::uint64_t offset) {
  Row row{static_cast<std::uint32_t>(section.kind),
          section.version,
          offset,
          section.bytes.size(),
          section.checked,
          hash64(section.bytes.substr(0, section.checked)),
          {}};
  std::memcpy(row.name, section.name.data(), std::min(section.name.size(), sizeof row.name - 1));
  return row;
}

[[noreturn]] void fail(const std::string& subject, const std::string& problem, const std::string& expected = {},
                       const std::string& got = {}) {
  throw Error(ErrorCode::kBadInput, subject, problem, expected, got);
}

std::string noun(const Row& row) {
  switch (static_cast<SectionKind>(row.kind)) {
    case SectionKind::kGraph:
      return "its graph";
    case SectionKind::kTensors:
      return "its tensor section";
    case SectionKind::kPacked:
      return "its packed section '" + std::string(row.name, strnlen(row.name, sizeof row.name)) + "'";
  }
  return "its section of kind " + std::to_string(row.kind);
}

Section section_of(const Row& row, std::string_view bytes, const std::string& subject) {
  if (row.offset > bytes.size() || row.size > bytes.size() - row.offset)
    fail(subject, "is damaged: " + noun(row) + " reaches past the end of the file");
  const std::string_view content = bytes.substr(row.offset, row.size);
  if (row.checked > row.size) fail(subject, "is damaged: " + noun(row) + " is checked past its end");
  if (piece_checksum(content.substr(0, row.checked)) != row.checksum)
    fail(subject, "is damaged: " + noun(row) + " does not match its checksum");
  return {static_cast<SectionKind>(row.kind),
          row.version,
          {row.name, strnlen(row.name, sizeof row.name)},
          content,
          row.checked};
}

}  // namespace

std::uint64_t piece_checksum(std::string_view piece) {
  constexpr std::size_t kLarge = std::size_t{1} << 16;  // where to look its pages up one by one takes time
  if (piece.size() >= kLarge) will_read({reinterpret_cast<const std::byte*>(piece.data()), piece.size()});
  return hash64(piece);
}

void write_container(const fs::path& path, const std::vector<Section>& sections) {
  std::string table;
  std::uint64_t at = sizeof(Header) + sections.size() * sizeof(Row);
  std::vector<std::uint64_t> offsets;
  for (const Section& section : sections) {
    at = (at + kPage - 1) / kPage * kPage;
    if (section.kind == SectionKind::kGraph) at = sizeof(Header) + sections.size() * sizeof(Row);  // needs no page
    offsets.push_back(at);
    table += view(row_of(section, at));
    at += section.bytes.size();
  }
  Header header{{}, kFormatVersion, static_cast<std::uint32_t>(sections.size()), at, 0};
  std::memcpy(header.magic, kMagic.data(), sizeof header.magic);
  header.checksum = checksum_of(header, table);
  write_file_atomically(path, [&](const auto& append) {
    append(view(header));
    append(table);
    std::uint64_t written = sizeof header + table.size();
    for (std::size_t i = 0; i < sections.size(); ++i) {
      append(std::string(offsets[i] - written, '\0'));
      append(sections[i].bytes);
      written = offsets[i] + sections[i].bytes.size();
    }
  });
}

bool is_container(std::string_view bytes) noexcept { return bytes.starts_with(kMagic); }

const Section* Container::find(SectionKind kind) const noexcept {
  const auto found = std::ranges::find(sections, kind, &Section::kind);
  return found == sections.end() ? nullptr : &*found;
}

Container read_container(std::string_view bytes, std::shared_ptr<const void> owner, const std::string& subject) {
  Header header;
  if (!is_container(bytes)) fail(subject, "is not a .pare file");
  if (bytes.size() < sizeof header) fail(subject, "is truncated: it ends within its header");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.version != kFormatVersion)
    fail(subject, "is of another version of the .pare format", std::to_string(kFormatVersion),
         std::to_string(header.version));
  if (header.file_bytes != bytes.size())
    fail(subject, bytes.size() < header.file_bytes ? "is truncated" : "holds more than its header says",
         std::to_string(header.file_bytes) + " bytes", std::to_string(bytes.size()));
  if (header.sections > kMostSections || header.sections * sizeof(Row) > bytes.size() - sizeof header)
    fail(subject, "is damaged: its table of sections does not fit");
  const std::string_view table = bytes.substr(sizeof header, header.sections * sizeof(Row));
  if (checksum_of(header, table) != header.checksum)
    fail(subject, "is damaged: its header does not match its checksum");
  Container container{{}, std::move(owner)};
  for (std::size_t i = 0; i < header.sections; ++i) {
    Row row;
    std::memcpy(&row, table.data() + i * sizeof row, sizeof row);
    container.sections.push_back(section_of(row, bytes, subject));
  }
  return container;
}

}  // namespace pare::pack
