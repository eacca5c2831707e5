// What a row of the table sees: some queries of one head. No inline code: files of different instruction sets include
// it.
#pragma once

#include <cstdint>

namespace pare::kernels {

inline constexpr std::int64_t kKeyPanel = 16;  ///< keys that lie side by side in packed form

struct AttentionBlock {
  const float* q;  ///< of the first query
  std::int64_t q_position;
  const float* k;  ///< of the first key
  std::int64_t k_position;
  float* scratch;      ///< of rows that pack for themselves; 64-byte aligned
  float* keys_packed;  ///< of the others: [panels][width][kKeyPanel], zeros behind the last key; 64-byte aligned
  const float* v;
  std::int64_t v_position;
  const float* mask;  ///< of the first query; nullptr: none
  std::int64_t mask_query, mask_key;
  float* scores;  ///< [kQueryRows][panels · kKeyPanel], 64-byte aligned
  float* out;
  std::int64_t out_position;
  std::int64_t queries, keys, width, value_width;
  float scale;

  std::int64_t panels() const noexcept;
};

inline constexpr std::int64_t kQueryRows = 4;  ///< queries whose scores are held at once

}  // namespace pare::kernels
