#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/hash.h"
#include "pare/error.h"

namespace pare {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "pare-file-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  fs::path folder_;
};

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode{0}, "no error", "");
}

TEST_F(Files, RoundTrip) {
  const std::string content("a\0b\n", 4);
  write_file_atomically(folder_ / "x", content);
  EXPECT_EQ(read_file(folder_ / "x"), content);
  const auto mapped = MappedFile::open(folder_ / "x");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()), content);
  EXPECT_EQ(entries(), 1u);
}

/// Bytes of files that this process holds in memory.
std::size_t mapped_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssFile:")) return std::stoul(line.substr(8)) * 1024;
  return 0;
}

TEST_F(Files, DroppedMapsLeaveTheMemoryAndReadTheSame) {
  const std::string content(8 << 20, 'x');
  write_file_atomically(folder_ / "x", content);
  const auto mapped = MappedFile::open(folder_ / "x");
  const auto text = [&] {
    return std::string_view(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size());
  };
  EXPECT_EQ(text(), content);
  const std::size_t before = mapped_bytes();
  drop_mapped(mapped->bytes().subspan(100));
  EXPECT_LT(mapped_bytes() + (7 << 20), before);
  EXPECT_EQ(text(), content);
  std::vector<std::byte> other(1 << 20, std::byte{7});
  drop_mapped(other);
  EXPECT_EQ(std::count(other.begin(), other.end(), std::byte{7}), 1 << 20) << "memory that no file backs is left alone";
}

TEST_F(Files, EmptyFilesMapToNothing) {
  write_file_atomically(folder_ / "empty", "");
  EXPECT_TRUE(MappedFile::open(folder_ / "empty")->bytes().empty());
  EXPECT_EQ(read_file(folder_ / "empty"), "");
}

TEST_F(Files, MissingFileAndFolderAreBadInput) {
  for (const fs::path& path : {folder_ / "none", folder_}) {
    EXPECT_EQ(error_of([&] { read_file(path); }).code(), ErrorCode::kBadInput);
    EXPECT_EQ(error_of([&] { MappedFile::open(path); }).code(), ErrorCode::kBadInput);
  }
  EXPECT_EQ(error_of([&] { read_file(folder_ / "none"); }).subject(), (folder_ / "none").string());
}

TEST_F(Files, FailureLeavesTheOldContentAndNothingElse) {
  const fs::path path = folder_ / "x";
  write_file_atomically(path, "old");
  EXPECT_THROW(write_file_atomically(path,
                                     [](const auto& append) {
                                       append("half");
                                       throw std::runtime_error("producer failed");
                                     }),
               std::runtime_error);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, FullDiskGivesTheSystemsReason) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  const Error error = error_of([] { write_file_atomically("/dev/full", "x"); });
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(Files, MissingParentFolderIsNamed) {
  const Error error = error_of([&] { write_file_atomically(folder_ / "no" / "x", "1"); });
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_NE(std::string(error.what()).find((folder_ / "no").string() + " does not exist"), std::string::npos);
  EXPECT_EQ(error_of([&] { write_file_atomically(folder_, "1"); }).code(), ErrorCode::kIo);
}

TEST_F(Files, WritesThroughSymbolicLinks) {
  write_file_atomically(folder_ / "real", "1");
  fs::create_symlink("real", folder_ / "link");
  write_file_atomically(folder_ / "link", "2");
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(read_file(folder_ / "real"), "2");
}

TEST_F(Files, ObeysTheUmask) {
  const mode_t before = ::umask(022);
  write_file_atomically(folder_ / "x", "1");
  ::umask(before);
  EXPECT_EQ(fs::status(folder_ / "x").permissions(), fs::perms(0644));
}

TEST_F(Files, RefusesToOverwrite) {
  const fs::path path = folder_ / "x";
  refuse_to_overwrite(path, false);
  write_file_atomically(path, "1");
  refuse_to_overwrite(path, true);
  const Error error = error_of([&] { refuse_to_overwrite(path, false); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_NE(std::string(error.what()).find("--force"), std::string::npos);
}

// "hello\n" twice, as `gzip -n` writes it.
const std::string kHelloGz(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06\x00\x00\x00", 26);

TEST(Gzip, ReadsMembersAndPadding) {
  EXPECT_EQ(gunzip(kHelloGz, "x"), "hello\n");
  EXPECT_EQ(gunzip(kHelloGz + kHelloGz, "x"), "hello\nhello\n");
  EXPECT_EQ(gunzip(kHelloGz + std::string(10, '\0'), "x"), "hello\n");
}

TEST(Gzip, NamesDamage) {
  for (std::size_t length = 0; length < kHelloGz.size(); ++length) {
    const Error error = error_of([&] { gunzip(std::string_view(kHelloGz).substr(0, length), "f.gz"); });
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_STREQ(error.what(), "f.gz: the gzip file is truncated") << length;
  }
  std::string wrong = kHelloGz;
  wrong[18] ^= 1;  // the checksum
  EXPECT_EQ(error_of([&] { gunzip(wrong, "f.gz"); }).code(), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { gunzip(kHelloGz + "tail", "f.gz"); }).code(), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { gunzip("no gzip at all", "f.gz"); }).code(), ErrorCode::kBadInput);
}

TEST(Gzip, SizeOfRepetitionIsSmall) {
  const std::string zeros(1 << 20, '\0');
  const auto size_of = [](std::initializer_list<std::string_view> pieces) {
    GzipSize size;
    for (std::string_view piece : pieces) size.add(piece);
    return size.finish();
  };
  const std::int64_t size = size_of({zeros});
  EXPECT_GT(size, 20);
  EXPECT_LT(size, 2000);
  const std::string_view view = zeros;
  EXPECT_EQ(size_of({view.substr(0, 1), {}, view.substr(1, 70000), view.substr(70001)}), size);
  EXPECT_EQ(size_of({}), 20);  // header, an empty block, checksum and length
}

TEST(Hash, KnownValueAndPieces) {
  EXPECT_EQ(hash_hex(""), "99aa06d3014798d86001c324468d497f");  // XXH3-128 of nothing, as published with xxHash
  Hasher pieces;
  pieces.add("ab");
  pieces.add("c");
  EXPECT_EQ(pieces.hex(), hash_hex("abc"));
  Hasher a, b;
  a.add(Tensor::from<float>({2}, {1, 2}));
  b.add(Tensor::from<float>({2, 1}, {1, 2}));
  EXPECT_NE(a.hex(), b.hex());
}

}  // namespace
}  // namespace pare
