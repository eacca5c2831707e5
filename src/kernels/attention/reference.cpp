// One query after the other, sums in f64.
#include <algorithm>
#include <cmath>

#include "kernels/attention/block.h"

namespace pare::kernels::reference {
namespace {

double dot(const AttentionBlock& b, std::int64_t query, std::int64_t key) {
  double sum = 0;
  const float* keys = b.keys_packed + key / kKeyPanel * b.width * kKeyPanel + key % kKeyPanel;
  for (std::int64_t d = 0; d < b.width; ++d)
    sum += static_cast<double>(b.q[query * b.q_position + d]) * keys[d * kKeyPanel];
  return sum;
}

}  // namespace

void attention_block(const AttentionBlock& b) noexcept {
  for (std::int64_t query = 0; query < b.queries; ++query) {
    float largest = -INFINITY;
    for (std::int64_t key = 0; key < b.keys; ++key) {
      const float mask = b.mask ? b.mask[query * b.mask_query + key * b.mask_key] : 0.0f;
      b.scores[key] = static_cast<float>(dot(b, query, key)) * b.scale + mask;
      largest = b.scores[key] > largest ? b.scores[key] : largest;
    }
    double sum = 0;
    for (std::int64_t key = 0; key < b.keys; ++key) sum += b.scores[key] = std::exp(b.scores[key] - largest);
    for (std::int64_t c = 0; c < b.value_width; ++c) {
      double mixed = 0;
      for (std::int64_t key = 0; key < b.keys; ++key)
        mixed += static_cast<double>(b.scores[key]) * b.v[key * b.v_position + c];
      b.out[query * b.out_position + c] = static_cast<float>(mixed / sum);
    }
  }
}

}  // namespace pare::kernels::reference
