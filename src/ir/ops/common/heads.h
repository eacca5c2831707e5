// What the attention operators of com.microsoft share: heads, masks, past keys and values.
#pragma once

#include "ir/expansion.h"

namespace pare::ir::ops {

/// Which input slots hold what, and how many heads.
struct AttentionSlots {
  std::int64_t heads = 1;
  std::size_t mask = 0;    ///< int32 [B] (lengths), [2·B] (ends, then starts), [B, T], [B, S, T]; 0: none
  std::size_t bias = 0;    ///< added to the scores, [B or 1, heads or 1, S, T]; 0: none
  double scale = 0;        ///< 0: 1 / √(head size)
  double masked = -10000;  ///< what is added where the mask says no
  bool causal = false;
};

/// [B, S, heads · D] → [B, heads, S, D].
ValueId split_heads(Expansion& e, ValueId x, std::int64_t heads);
/// softmax(q · kᵀ · scale + masks) · v for [B, heads, ·, D], as [B, S, heads · D]. `head_size` is D of q and k.
ValueId attend(Expansion& e, const AttentionSlots& slots, ValueId q, ValueId k, ValueId v, std::int64_t head_size);
/// An attribute that must be positive.
std::int64_t head_count(const Expansion& e);

}  // namespace pare::ir::ops
