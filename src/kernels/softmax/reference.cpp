#include <cmath>
#include <cstdint>

namespace pare::kernels::reference {

void softmax_row(const float* in, std::int64_t count, float* out) noexcept {
  float largest = -INFINITY, sum = 0;
  for (std::int64_t i = 0; i < count; ++i) largest = in[i] > largest ? in[i] : largest;
  for (std::int64_t i = 0; i < count; ++i) sum += out[i] = std::exp(in[i] - largest);
  for (std::int64_t i = 0; i < count; ++i) out[i] /= sum;
}

}  // namespace pare::kernels::reference
