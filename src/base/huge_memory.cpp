#include "base/huge_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace pare {

namespace {

constexpr std::size_t kLine = 64, kPage = std::size_t{2} << 20;
constexpr std::size_t kChunk = 32 * kPage;  ///< addresses; memory is taken by pages, when they are written
constexpr std::size_t kLeast = 4096;  ///< bytes of a block; smaller ones come from the heap

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// Consecutive huge pages.
class Chunk {
 public:
  explicit Chunk(std::size_t bytes) : bytes_(bytes), free_{{0, bytes}} {
    void* const memory = mmap(nullptr, bytes + kPage, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    auto* const from = static_cast<std::byte*>(memory);
    const std::size_t skip = round_up(reinterpret_cast<std::uintptr_t>(from), kPage) -
                             reinterpret_cast<std::uintptr_t>(from);
    begin_ = from + skip;
    if (skip > 0) munmap(from, skip);
    if (skip < kPage) munmap(begin_ + bytes, kPage - skip);
#ifdef MADV_HUGEPAGE
    madvise(begin_, bytes, MADV_HUGEPAGE);  // refused where the kernel has none: small pages serve as well
#endif
  }
  ~Chunk() {
    if (begin_) munmap(begin_, bytes_);
  }
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  const std::byte* begin() const noexcept { return begin_; }
  bool unused() const noexcept { return !free_.empty() && free_.begin()->second == bytes_; }

  /// nullptr where no gap is large enough.
  std::byte* take(std::size_t bytes) {
    const auto gap = std::find_if(free_.begin(), free_.end(), [&](const auto& g) { return g.second >= bytes; });
    if (gap == free_.end()) return nullptr;
    const auto [at, size] = *gap;
    if (size > bytes) free_.emplace(at + bytes, size - bytes);
    free_.erase(gap);
    return begin_ + at;
  }

  void give_back(const std::byte* memory, std::size_t bytes) {
    auto gap = free_.emplace(static_cast<std::size_t>(memory - begin_), bytes).first;
    if (const auto next = std::next(gap); next != free_.end() && gap->first + gap->second == next->first) {
      gap->second += next->second;
      free_.erase(next);
    }
    if (gap != free_.begin())
      if (const auto before = std::prev(gap); before->first + before->second == gap->first) {
        before->second += gap->second;
        free_.erase(gap);
        gap = before;
      }
    // Whole pages go back to the system.
    const std::size_t from = round_up(gap->first, kPage), to = (gap->first + gap->second) / kPage * kPage;
    if (from < to) madvise(begin_ + from, to - from, MADV_DONTNEED);
  }

 private:
  std::byte* begin_ = nullptr;
  std::size_t bytes_;
  std::map<std::size_t, std::size_t> free_;  ///< gaps: where, bytes
};

class Pool {
 public:
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    for (auto& [begin, chunk] : chunks_)
      if (std::byte* found = chunk->take(bytes)) return found;
    auto chunk = std::make_unique<Chunk>(std::max(kChunk, round_up(bytes, kPage)));
    if (!chunk->begin()) return nullptr;
    std::byte* const found = chunk->take(bytes);
    chunks_.emplace(chunk->begin(), std::move(chunk));
    return found;
  }

  void give_back(const std::byte* memory, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto owner = std::prev(chunks_.upper_bound(memory));
    owner->second->give_back(memory, bytes);
    if (owner->second->unused()) chunks_.erase(owner);
  }

 private:
  std::mutex mutex_;
  std::map<const std::byte*, std::unique_ptr<Chunk>> chunks_;
};

/// Never destroyed: static objects may still hold blocks.
Pool& pool() {
  static Pool& all = *new Pool;
  return all;
}

/// A sanitizer sees what is written outside a block only where each comes from the heap.
bool from_heap(std::size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  return true;
#else
  return bytes < kLeast;
#endif
}

}  // namespace

void* take_huge(std::size_t bytes) noexcept try {
  if (from_heap(bytes)) return ::operator new(bytes, std::align_val_t(kLine), std::nothrow);
  if (bytes > static_cast<std::size_t>(-1) / 2) return nullptr;
  return pool().take(round_up(bytes, kLine));
} catch (const std::bad_alloc&) {
  return nullptr;
}

void give_back_huge(void* memory, std::size_t bytes) noexcept try {
  if (!memory) return;
  if (from_heap(bytes)) return ::operator delete(memory, std::align_val_t(kLine));
  pool().give_back(static_cast<const std::byte*>(memory), round_up(bytes, kLine));
} catch (const std::bad_alloc&) {  // no memory to note the gap: it stays taken
}

}  // namespace pare
