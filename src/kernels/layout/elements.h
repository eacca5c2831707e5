// Elements as unsigned integers of their size.
#pragma once

#include <cstdint>

namespace pare::kernels {

/// use(T{}) with the unsigned type of `element` bytes (1, 2, 4 or 8).
template <class Use>
void with_element(std::int64_t element, const Use& use) noexcept {
  switch (element) {
    case 1:
      return use(std::uint8_t{});
    case 2:
      return use(std::uint16_t{});
    case 4:
      return use(std::uint32_t{});
    default:
      return use(std::uint64_t{});
  }
}

}  // namespace pare::kernels
