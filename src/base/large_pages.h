// Memory for what is read from end to end again and again, packed weights and the values between layers: side by side in large pages, where the system
// has them (Linux: transparent huge pages on request). Small pages cost a product of many weights a tenth of its time in
// looking up addresses.
#pragma once

#include <cstddef>
#include <vector>

namespace pare {

/// At least 64-byte aligned; nullptr where there is no memory. Thread-safe.
void* allocate_in_large_pages(std::size_t bytes) noexcept;
/// `bytes` as it was allocated with. Whole large pages go back to the system.
void free_in_large_pages(void* memory, std::size_t bytes) noexcept;

/// For containers. Throws std::bad_alloc.
template <class T>
struct LargePageAllocator {
  using value_type = T;
  LargePageAllocator() = default;
  template <class U>
  LargePageAllocator(const LargePageAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    void* memory = allocate_in_large_pages(count * sizeof(T));
    if (!memory) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) noexcept { free_in_large_pages(memory, count * sizeof(T)); }
  bool operator==(const LargePageAllocator&) const = default;
};

template <class T>
using LargePageVector = std::vector<T, LargePageAllocator<T>>;

}  // namespace pare
