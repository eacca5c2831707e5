// Memory for what is read over and over, weights and activations, in huge pages where the system lends them on request
// (Linux, transparent huge pages at "madvise" or "always"). A walk through megabytes then misses the translation cache
// once in 2 MiB, not in 4 KiB, and hardware prefetchers do not stop at every page.
#pragma once

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

namespace pare {

/// 64-byte aligned, contents not set; nullptr where there is no memory. Blocks share huge pages, so that small weights
/// have them too. Thread-safe.
void* take_huge(std::size_t bytes) noexcept;
/// What take_huge gave for so many bytes; nullptr is allowed.
void give_back_huge(void* memory, std::size_t bytes) noexcept;

/// Of vectors. Elements that need no initializing are not, where the vector is given none: who fills all need not have
/// them filled before.
template <class T>
struct HugeAllocator {
  using value_type = T;
  HugeAllocator() = default;
  template <class U>
  HugeAllocator(const HugeAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    if (void* memory = count <= static_cast<std::size_t>(-1) / sizeof(T) ? take_huge(count * sizeof(T)) : nullptr)
      return static_cast<T*>(memory);
    throw std::bad_alloc();
  }
  void deallocate(T* memory, std::size_t count) noexcept { give_back_huge(memory, count * sizeof(T)); }
  template <class U, class... Arguments>
  void construct(U* at, Arguments&&... arguments) {
    if constexpr (sizeof...(Arguments) == 0)
      ::new (static_cast<void*>(at)) U;
    else
      ::new (static_cast<void*>(at)) U(std::forward<Arguments>(arguments)...);
  }
  template <class U>
  bool operator==(const HugeAllocator<U>&) const noexcept {
    return true;
  }
};

template <class T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace pare
