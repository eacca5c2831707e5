#include "data/zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include "base/file.h"
#include "pare/error.h"

namespace pare::data {

namespace {

constexpr std::uint32_t kLocal = 0x04034b50, kDirectory = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                        kLocator64 = 0x07064b50;
constexpr std::size_t kLocalSize = 30, kDirectorySize = 46, kEndSize = 22, kLocatorSize = 20;
constexpr std::uint64_t kSmall = 0xFFFFFFFF;  // a 32-bit field of this value is in the zip64 extra field

struct Entry {
  std::string name;
  unsigned flags = 0, method = 0;
  std::uint32_t crc = 0;
  std::uint64_t compressed = 0, size = 0, offset = 0;
};

/// Little-endian reads that refuse to leave the file.
class Bytes {
 public:
  Bytes(std::string_view content, std::string name) : content_(content), name_(std::move(name)) {}

  std::uint64_t number(std::uint64_t at, int width) const {
    const std::string_view field = piece(at, static_cast<std::uint64_t>(width));
    std::uint64_t value = 0;
    for (int i = width - 1; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(field[static_cast<std::size_t>(i)]);
    return value;
  }
  std::string_view piece(std::uint64_t at, std::uint64_t size) const {
    if (at > content_.size() || size > content_.size() - at) throw error("the zip file is truncated");
    return content_.substr(at, size);
  }
  void expect(std::uint64_t at, std::uint32_t signature) const {
    if (number(at, 4) != signature) throw error("the zip file is damaged");
  }
  std::uint64_t size() const { return content_.size(); }
  std::string_view all() const { return content_; }
  Error error(const std::string& problem) const { return Error(ErrorCode::kBadInput, name_, problem); }
  const std::string& name() const { return name_; }

 private:
  std::string_view content_;
  std::string name_;
};

// The end record is the last one; a comment of up to 64 KiB may follow it.
std::uint64_t find_end(const Bytes& file) {
  constexpr std::string_view kSignature("PK\5\6", 4);
  const std::size_t at =
      file.size() < kEndSize ? std::string_view::npos : file.all().rfind(kSignature, file.size() - kEndSize);
  if (at == std::string_view::npos) {
    throw file.error(file.all().starts_with("PK") ? "the zip file is truncated" : "is not a zip file (npz)");
  }
  return at;
}

// Replaces the fields that do not fit 32 bits by those of the zip64 extra field (id 1), in the order of APPNOTE 4.5.3.
void apply_zip64(const Bytes& file, std::uint64_t extra, std::uint64_t size, Entry& entry) {
  for (const std::uint64_t end = extra + size; extra + 4 <= end;) {
    const std::uint64_t id = file.number(extra, 2), length = file.number(extra + 2, 2);
    std::uint64_t at = extra + 4;
    if (id == 1) {
      for (std::uint64_t* field : {&entry.size, &entry.compressed, &entry.offset}) {
        if (*field != kSmall) continue;
        *field = file.number(at, 8);
        at += 8;
      }
    }
    extra += 4 + length;
  }
}

std::vector<Entry> read_directory(const Bytes& file) {
  const std::uint64_t end = find_end(file);
  std::uint64_t count = file.number(end + 10, 2), at = file.number(end + 16, 4);
  if (end >= kLocatorSize && file.number(end - kLocatorSize, 4) == kLocator64) {
    const std::uint64_t end64 = file.number(end - kLocatorSize + 8, 8);
    file.expect(end64, kEnd64);
    count = file.number(end64 + 32, 8);
    at = file.number(end64 + 48, 8);
  }
  std::vector<Entry> entries;
  for (std::uint64_t i = 0; i < count; ++i) {
    file.expect(at, kDirectory);
    const std::uint64_t name = file.number(at + 28, 2), extra = file.number(at + 30, 2),
                        comment = file.number(at + 32, 2);
    Entry entry;
    entry.flags = static_cast<unsigned>(file.number(at + 8, 2));
    entry.method = static_cast<unsigned>(file.number(at + 10, 2));
    entry.crc = static_cast<std::uint32_t>(file.number(at + 16, 4));
    entry.compressed = file.number(at + 20, 4);
    entry.size = file.number(at + 24, 4);
    entry.offset = file.number(at + 42, 4);
    entry.name = file.piece(at + kDirectorySize, name);
    apply_zip64(file, at + kDirectorySize + name, extra, entry);
    entries.push_back(std::move(entry));
    at += kDirectorySize + name + extra + comment;
  }
  return entries;
}

std::string inflate_raw(std::string_view compressed, std::uint64_t size, const Error& damage) {
  std::string content;
  // Deflate reaches about 1032:1; a directory that claims more lies, and would only make us allocate.
  if (size / 1100 > compressed.size() + 16) throw damage;
  content.resize(size);
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) throw std::bad_alloc();
  std::size_t consumed = 0, produced = 0;
  int result = Z_OK;
  while (result == Z_OK) {
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data() + consumed));
    stream.avail_in = static_cast<uInt>(std::min(compressed.size() - consumed, kMost));
    stream.next_out = reinterpret_cast<Bytef*>(content.data() + produced);
    stream.avail_out = static_cast<uInt>(std::min(content.size() - produced, kMost));
    const uInt in = stream.avail_in, out = stream.avail_out;
    result = inflate(&stream, Z_NO_FLUSH);
    consumed += in - stream.avail_in;
    produced += out - stream.avail_out;
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END || produced != size) throw damage;
  return content;
}

ZipMember read_member(const Bytes& file, const Entry& entry) {
  const std::string name = file.name() + " member " + entry.name;
  const Error damage(ErrorCode::kBadInput, name, "the zip member is damaged");
  if (entry.flags & 1) throw Error(ErrorCode::kUnsupported, name, "the zip member is encrypted");
  file.expect(entry.offset, kLocal);
  const std::uint64_t start =
      entry.offset + kLocalSize + file.number(entry.offset + 26, 2) + file.number(entry.offset + 28, 2);
  const std::string_view raw = file.piece(start, entry.compressed);
  ZipMember member{entry.name, {}};
  if (entry.method == 0) {
    if (entry.compressed != entry.size) throw damage;
    member.content = raw;
  } else if (entry.method == 8) {
    member.content = inflate_raw(raw, entry.size, damage);
  } else {
    throw Error(ErrorCode::kUnsupported, name, "unknown zip compression", "0 (stored) or 8 (deflated)",
                std::to_string(entry.method));
  }
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(member.content.data()), member.content.size());
  if (static_cast<std::uint32_t>(crc) != entry.crc) throw damage;
  return member;
}

void put(std::string& out, std::uint64_t value, int width) {
  for (int i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

// The fields that a local header and a directory entry share: version 2.0, no flags, stored, 1980-01-01, sizes.
std::string common_fields(const ZipMember& member) {
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(member.content.data()), member.content.size());
  std::string out;
  for (const unsigned value : {20u, 0u, 0u, 0u, 0x21u}) put(out, value, 2);
  put(out, crc, 4);
  put(out, member.content.size(), 4);
  put(out, member.content.size(), 4);
  put(out, member.name.size(), 2);
  put(out, 0, 2);  // no extra field
  return out;
}

}  // namespace

std::vector<ZipMember> read_zip(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> mapped = MappedFile::open(path);
  const Bytes file({reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()}, path.string());
  std::vector<ZipMember> members;
  for (const Entry& entry : read_directory(file)) members.push_back(read_member(file, entry));
  return members;
}

void write_zip(const std::filesystem::path& path, const std::vector<ZipMember>& members) {
  std::uint64_t total = 0;
  for (const ZipMember& member : members)
    total += member.content.size() + kLocalSize + kDirectorySize + 2 * member.name.size();
  if (total + kEndSize >= kSmall || members.size() > 0xFFFE) {
    throw Error(ErrorCode::kUnsupported, path.string(), "the arrays are too large for one npz file", "less than 4 GB",
                std::to_string(total) + " bytes");
  }
  write_file_atomically(path, [&](const auto& append) {
    std::string directory, header;
    std::uint64_t offset = 0;
    for (const ZipMember& member : members) {
      const std::string common = common_fields(member);
      header.clear();
      put(header, kLocal, 4);
      header += common + member.name;
      append(header);
      append(member.content);
      put(directory, kDirectory, 4);
      put(directory, 20, 2);
      directory += common;
      put(directory, 0, 6);  // comment length, disk, internal attributes
      put(directory, 0, 4);
      put(directory, offset, 4);
      directory += member.name;
      offset += header.size() + member.content.size();
    }
    std::string end;
    put(end, kEnd, 4);
    put(end, 0, 4);
    put(end, members.size(), 2);
    put(end, members.size(), 2);
    put(end, directory.size(), 4);
    put(end, offset, 4);
    put(end, 0, 2);
    append(directory);
    append(end);
  });
}

}  // namespace pare::data
