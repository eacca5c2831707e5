// Files: whole reads, read-only maps, and writes that appear complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace pare {

namespace fs = std::filesystem;

/// A read-only memory map of a whole file; unmapped with the last reference.
class MappedFile {
 public:
  /// Throws Error(kBadInput) when the file is missing, Error(kIo) when it cannot be read.
  static std::shared_ptr<const MappedFile> open(const fs::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const fs::path& path() const noexcept { return path_; }

 private:
  MappedFile() = default;
  fs::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Gives memory that belongs to a map back to the system until it is read again; anything else is left alone.
void drop_mapped(std::span<const std::byte> memory) noexcept;

/// Says that memory that belongs to a map is about to be read through: its pages are looked up at once, not a few at a
/// time. No more than advice, which systems older than Linux 5.14 do not take.
void will_read(std::span<const std::byte> memory) noexcept;

/// Whole file as bytes. Errors as MappedFile::open.
std::string read_file(const fs::path& path);

/// Writes through a temporary file in the same folder, fsync and rename: readers see the old file or the new one.
/// Throws Error(kIo) with the system's reason (disk full …) and leaves no partial file.
void write_file_atomically(const fs::path& path, std::string_view content);
/// The same for content that is produced piece by piece through `append`.
void write_file_atomically(const fs::path& path,
                           const std::function<void(const std::function<void(std::string_view)>& append)>& produce);

/// Throws Error(kUsage) naming --force when `path` exists and `force` is false.
void refuse_to_overwrite(const fs::path& path, bool force);

/// Decompresses gzip content (throws Error(kBadInput) with `name` when it is damaged).
std::string gunzip(std::string_view compressed, const std::string& name);
/// Size that content takes after gzip level 6; pieces come in order.
class GzipSize {
 public:
  GzipSize();
  ~GzipSize();
  GzipSize(const GzipSize&) = delete;
  GzipSize& operator=(const GzipSize&) = delete;
  void add(std::string_view piece);
  std::int64_t finish();  ///< once, after all pieces

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pare
