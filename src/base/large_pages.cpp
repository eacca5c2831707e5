#include "base/large_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>

namespace pare {

namespace {

constexpr std::size_t kPage = std::size_t{2} << 20;     ///< bytes of a large page on x86-64
constexpr std::size_t kRegion = std::size_t{64} << 20;  ///< addresses that are asked for at once
constexpr std::size_t kSmall = std::size_t{64} << 10;   ///< below it the usual allocator does
constexpr std::size_t kAlign = 64;

std::size_t rounded_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

/// Addresses in large pages and the holes in them.
class Heap {
 public:
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    auto hole = std::find_if(holes_.begin(), holes_.end(), [&](const auto& h) { return h.second >= bytes; });
    if (hole == holes_.end() && (hole = grow(bytes)) == holes_.end()) return nullptr;
    const auto [at, size] = *hole;
    holes_.erase(hole);
    if (size > bytes) holes_[at + bytes] = size - bytes;
    return reinterpret_cast<void*>(at);
  }

  void give_back(void* memory, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    auto at = holes_.emplace(reinterpret_cast<std::uintptr_t>(memory), bytes).first;
    if (const auto next = std::next(at); next != holes_.end() && at->first + at->second == next->first) {
      at->second += next->second;
      holes_.erase(next);
    }
    if (at != holes_.begin()) {
      const auto before = std::prev(at);
      if (before->first + before->second == at->first) {
        before->second += at->second;
        holes_.erase(at);
        at = before;
      }
    }
    const std::uintptr_t begin = rounded_up(at->first, kPage), end = (at->first + at->second) / kPage * kPage;
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

 private:
  using Holes = std::map<std::uintptr_t, std::size_t>;  ///< address and bytes

  Holes::iterator grow(std::size_t bytes) {
    const std::size_t size = rounded_up(std::max(bytes, kRegion), kPage) + kPage;
    void* region = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) return holes_.end();
    const std::uintptr_t begin = rounded_up(reinterpret_cast<std::uintptr_t>(region), kPage);
    madvise(reinterpret_cast<void*>(begin), size - kPage, MADV_HUGEPAGE);  // refused: small pages do
    return holes_.emplace(begin, size - kPage).first;
  }

  std::mutex mutex_;
  Holes holes_;
};

Heap& heap() {
  static auto* heap = new Heap;  // never destroyed: weights may outlive the statics
  return *heap;
}

}  // namespace

void* allocate_in_large_pages(std::size_t bytes) noexcept {
  const std::size_t rounded = rounded_up(bytes, kAlign);
  if (bytes < kSmall) return std::aligned_alloc(kAlign, std::max(rounded, kAlign));
  try {
    return heap().take(rounded);
  } catch (...) {
    return nullptr;
  }
}

void free_in_large_pages(void* memory, std::size_t bytes) noexcept {
  if (!memory) return;
  if (bytes < kSmall) return std::free(memory);
  heap().give_back(memory, rounded_up(bytes, kAlign));
}

}  // namespace pare
