#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

#include "pare/error.h"

namespace pare {

namespace {

std::string reason(int error) { return std::strerror(error); }

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return number_; }
  /// Closes and returns what close() says: some file systems report a full disk only here.
  int close() { return ::close(std::exchange(number_, -1)); }

 private:
  int number_;
};

Descriptor open_for_reading(const fs::path& path, struct stat& status) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    throw Error(missing ? ErrorCode::kBadInput : ErrorCode::kIo, path.string(),
                missing ? "no such file" : "cannot be opened: " + reason(errno));
  }
  if (::fstat(file.get(), &status) != 0) throw Error(ErrorCode::kIo, path.string(), "cannot be read: " + reason(errno));
  if (S_ISDIR(status.st_mode)) throw Error(ErrorCode::kBadInput, path.string(), "is a folder, not a file");
  return file;
}

void write_all(int file, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw Error(ErrorCode::kIo, path.string(), "cannot be written: " + reason(errno));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// A new file beside the target that is removed unless it takes the target's name.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target)
      : target_(target),
        path_(temporary_name(target)),
        file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (file_.get() < 0) throw Error(ErrorCode::kIo, target.string(), "cannot be written: " + reason(errno));
  }
  ~TemporaryFile() {
    if (!kept_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void append(std::string_view content) { write_all(file_.get(), content, target_); }

  void commit() {
    if (::fsync(file_.get()) != 0 || file_.close() != 0 || ::rename(path_.c_str(), target_.c_str()) != 0) {
      throw Error(ErrorCode::kIo, target_.string(), "cannot be written: " + reason(errno));
    }
    kept_ = true;
    // The rename itself survives a power cut only when the folder is flushed too; not every file system offers that.
    const Descriptor folder(::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() >= 0) ::fsync(folder.get());
  }

 private:
  static fs::path temporary_name(const fs::path& target) {
    static std::atomic<unsigned> counter = 0;
    // The name's length is bounded by the file system, so a long target keeps only its beginning.
    std::string name(".");
    name.append(target.filename().string(), 0, 200);
    name.append(".tmp-").append(std::to_string(::getpid())).append("-").append(std::to_string(counter++));
    return target.parent_path() / name;
  }

  fs::path target_, path_;
  Descriptor file_;
  bool kept_ = false;
};

// Where the content goes: through a symbolic link to what it names, with an absolute parent folder that exists.
fs::path resolved_target(const fs::path& path) {
  std::error_code ignored;
  fs::path target = fs::absolute(path);
  if (fs::is_symlink(target, ignored)) target = fs::weakly_canonical(target);
  const fs::path folder = target.parent_path();
  if (!fs::exists(folder, ignored)) {
    throw Error(ErrorCode::kIo, path.string(), "cannot be written: the folder " + folder.string() + " does not exist");
  }
  if (fs::is_directory(target, ignored))
    throw Error(ErrorCode::kIo, path.string(), "cannot be written: it is a folder");
  return target;
}

}  // namespace

namespace {

/// Where files are mapped: begin → end.
class Maps {
 public:
  void add(const std::byte* begin, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    ends_[begin] = begin + bytes;
  }
  void remove(const std::byte* begin) {
    const std::lock_guard lock(mutex_);
    ends_.erase(begin);
  }
  /// Whole pages alone: what else lies on the first and the last may be in use.
  void drop(std::span<const std::byte> memory) {
    static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::lock_guard lock(mutex_);
    const auto next = ends_.upper_bound(memory.data());
    if (next == ends_.begin() || memory.data() + memory.size() > std::prev(next)->second) return;
    const auto begin = (reinterpret_cast<std::uintptr_t>(memory.data()) + page - 1) / page * page,
               end = reinterpret_cast<std::uintptr_t>(memory.data() + memory.size()) / page * page;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

 private:
  std::mutex mutex_;
  std::map<const std::byte*, const std::byte*> ends_;
};

Maps& maps() {
  static Maps* const all = new Maps;  // outlives every map
  return *all;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const fs::path& path) {
  struct stat status {};
  const Descriptor file = open_for_reading(path, status);
  std::shared_ptr<MappedFile> mapped(new MappedFile);
  mapped->path_ = path;
  if (status.st_size == 0) return mapped;  // the system maps no empty files
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) throw Error(ErrorCode::kIo, path.string(), "cannot be mapped: " + reason(errno));
  mapped->data_ = static_cast<const std::byte*>(address);
  mapped->size_ = size;
  maps().add(mapped->data_, size);
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  maps().remove(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

void drop_mapped(std::span<const std::byte> memory) noexcept { maps().drop(memory); }

void will_read(std::span<const std::byte> memory) noexcept {
#ifdef MADV_POPULATE_READ
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data()) / page * page,
             end = reinterpret_cast<std::uintptr_t>(memory.data() + memory.size());
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
#else
  static_cast<void>(memory);
#endif
}

std::string read_file(const fs::path& path) {
  struct stat status {};
  const Descriptor file = open_for_reading(path, status);
  std::string content(static_cast<std::size_t>(std::max<off_t>(status.st_size, 0)), '\0');
  // Read to the end, not to the size: pipes and /proc files have none.
  std::size_t used = 0;
  for (;;) {
    if (used == content.size()) content.resize(std::max<std::size_t>(used + used / 2, used + 4096));
    const ssize_t got = ::read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(ErrorCode::kIo, path.string(), "cannot be read: " + reason(errno));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  write_file_atomically(path, [&](const std::function<void(std::string_view)>& append) { append(content); });
}

void write_file_atomically(const fs::path& path,
                           const std::function<void(const std::function<void(std::string_view)>& append)>& produce) {
  const fs::path target = resolved_target(path);
  std::error_code ignored;
  if (fs::exists(target, ignored) && !fs::is_regular_file(target, ignored)) {
    // A device or pipe (/dev/stdout) is written to; renaming over it would replace it.
    Descriptor file(::open(target.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0) throw Error(ErrorCode::kIo, path.string(), "cannot be written: " + reason(errno));
    produce([&](std::string_view piece) { write_all(file.get(), piece, path); });
    if (file.close() != 0) throw Error(ErrorCode::kIo, path.string(), "cannot be written: " + reason(errno));
    return;
  }
  TemporaryFile file(target);
  produce([&](std::string_view piece) { file.append(piece); });
  file.commit();
}

void refuse_to_overwrite(const fs::path& path, bool force) {
  std::error_code ignored;
  if (!force && fs::exists(fs::symlink_status(path, ignored))) {
    throw Error(ErrorCode::kUsage, path.string(), "already exists; give --force to replace it");
  }
}

}  // namespace pare
