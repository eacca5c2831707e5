// As much of zip (PKWARE APPNOTE 6.3) as numpy's .npz needs: stored and deflated members, zip64 when reading.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pare::data {

struct ZipMember {
  std::string name, content;
};

/// All members in the order of the directory, decompressed and checked against their CRC-32. Throws Error(kBadInput)
/// naming the file when it is truncated, damaged or no zip file, Error(kUnsupported) for encryption and other
/// compressions.
std::vector<ZipMember> read_zip(const std::filesystem::path& path);

/// Writes stored members atomically. Throws Error(kUnsupported) beyond 4 GB, Error(kIo) as write_file_atomically.
void write_zip(const std::filesystem::path& path, const std::vector<ZipMember>& members);

}  // namespace pare::data
