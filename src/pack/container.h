// The frame of a .pare file: a header, a table of sections, sections (docs/file-format.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace pare::pack {

inline constexpr std::string_view kMagic{"\x89PARE\r\n\x1a", 8};  // as PNG's: shows what text transfers do to it
inline constexpr std::uint32_t kFormatVersion = 2;

enum class SectionKind : std::uint32_t { kGraph = 1, kTensors = 2, kPacked = 3 };

struct Section {
  SectionKind kind = SectionKind::kGraph;
  std::uint32_t version = 1;
  std::string name;  ///< kPacked: what can read it; at most 23 bytes
  std::string_view bytes;
  /// How many of the bytes, from the first, the checksum in the file's table is of. The rest is data that those bytes
  /// hold checksums of, piece by piece, so that who reads a piece checks it, and what nobody reads is not read.
  std::size_t checked = bytes.size();
};

/// A section's bytes for one who writes it, and Section::checked.
struct SectionContent {
  std::string bytes;
  std::size_t checked = 0;
};

/// The checksum that sections hold of a piece of their data.
std::uint64_t piece_checksum(std::string_view piece);

/// Throws what write_file_atomically() throws. Sections begin on pages.
void write_container(const fs::path& path, const std::vector<Section>& sections);

/// Whether these are the first bytes of a .pare file.
bool is_container(std::string_view bytes) noexcept;

/// Sections in a file that is mapped as long as `owner` lives.
struct Container {
  std::vector<Section> sections;
  std::shared_ptr<const void> owner;

  const Section* find(SectionKind kind) const noexcept;
};

/// Checks the header, the table and the checksum of every section (Section::checked). Throws Error(kBadInput) with `subject`: not a .pare
/// file, of another version, truncated, damaged.
Container read_container(std::string_view bytes, std::shared_ptr<const void> owner, const std::string& subject);

}  // namespace pare::pack
