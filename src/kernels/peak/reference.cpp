// One multiplication and addition after the other.
#include <cstdint>

namespace pare::kernels::reference {

void peak_rounds(std::int64_t rounds) noexcept {
  volatile float sum = 0;  // the compiler may not merge rounds
  for (std::int64_t round = 0; round < rounds; ++round) sum = sum * 0.5f + 1.0f;
}

}  // namespace pare::kernels::reference
