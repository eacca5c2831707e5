#include <cstdint>

namespace pare::kernels::reference {

void lookup_span(const std::uint8_t* table, std::int64_t count, const std::uint8_t* in, std::uint8_t* out) noexcept {
  for (std::int64_t i = 0; i < count; ++i) out[i] = table[in[i]];
}

}  // namespace pare::kernels::reference
