// The table of attention kernels, packing of keys and the walk over heads.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/threads.h"
#include "kernels/attention/block.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                      \
  namespace ns {                                        \
  void attention_block(const AttentionBlock&) noexcept; \
  }
#define PARE_NARROW(file, ns, isa)                                                                      \
  PARE_KERNEL(file, ns, isa)                                                                            \
  namespace ns {                                                                                        \
  std::int64_t attention_scratch_floats(std::int64_t keys, std::int64_t width, std::int64_t value_width) noexcept; \
  }
#include "kernels/attention/kernels.inc"
#undef PARE_KERNEL
#undef PARE_NARROW

struct AttentionKernel {
  const char* name;
  Isa isa;
  void (*block)(const AttentionBlock&) noexcept;
  /// Of one thread, of rows that multiply bfloat16 and pack for themselves; nullptr for others.
  std::int64_t (*narrow_floats)(std::int64_t keys, std::int64_t width, std::int64_t value_width) noexcept;
};

std::int64_t AttentionBlock::panels() const noexcept { return (keys + kKeyPanel - 1) / kKeyPanel; }

namespace {

constexpr AttentionKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"attention_f32__" #ns, Isa::isa, ns::attention_block, nullptr},
#define PARE_NARROW(file, ns, isa) \
  {"attention_bf16__" #ns, Isa::isa, ns::attention_block, ns::attention_scratch_floats},
#include "kernels/attention/kernels.inc"
#undef PARE_KERNEL
#undef PARE_NARROW
};

template <std::size_t... I>
constexpr std::array<const AttentionKernel*, sizeof...(I)> pointers(std::index_sequence<I...>) {
  return {&kTable[I]...};
}
constexpr auto kRows = pointers(std::make_index_sequence<std::size(kTable)>{});

constexpr std::int64_t kQueriesOfAUnit = 128;  ///< that share one packing of the keys

std::int64_t padded_keys(const AttentionShape& s) noexcept { return (s.keys + kKeyPanel - 1) / kKeyPanel * kKeyPanel; }

/// Floats of one thread: packed keys and scores; a multiple of 16.
std::int64_t scratch_floats(const AttentionShape& s, const AttentionKernel& kernel) noexcept {
  return kernel.narrow_floats ? kernel.narrow_floats(s.keys, s.width, s.value_width)
                              : padded_keys(s) * (s.width + kQueryRows);
}

const AttentionKernel& best_of(bool narrow) {
  return **std::find_if(kRows.begin(), kRows.end(), [&](const auto* row) {
    return isa_available(row->isa) && (narrow || !row->narrow_floats);
  });
}

void pack_keys(const AttentionShape& s, const float* k, float* packed) noexcept {
  for (std::int64_t first = 0; first < s.keys; first += kKeyPanel, packed += s.width * kKeyPanel) {
    const std::int64_t count = std::min(kKeyPanel, s.keys - first);
    if (count < kKeyPanel) std::fill_n(packed, s.width * kKeyPanel, 0.0f);
    for (std::int64_t d = 0; d < s.width; ++d)
      for (std::int64_t key = 0; key < count; ++key)
        packed[d * kKeyPanel + key] = k[(first + key) * s.k.position + d];
  }
}

}  // namespace

std::size_t attention_scratch_bytes(const AttentionShape& shape, int threads, const AttentionKernel* kernel) noexcept {
  const std::int64_t floats = scratch_floats(shape, kernel ? *kernel : best_of(false));
  return static_cast<std::size_t>(floats) * static_cast<std::size_t>(threads) * sizeof(float);
}

void attention(const AttentionShape& s, const float* q, const float* k, const float* v, const float* mask, float* out,
               void* scratch, int threads, const AttentionKernel* kernel) noexcept {
  if (!kernel) kernel = &best_of(false);
  const std::int64_t chunks = (s.queries + kQueriesOfAUnit - 1) / kQueriesOfAUnit, units = s.batch * s.heads * chunks;
  const auto unit = [&](std::int64_t index, float* own) {
    const std::int64_t first = index % chunks * kQueriesOfAUnit, head = index / chunks % s.heads,
                       batch = index / chunks / s.heads;
    AttentionBlock b{};
    b.q = q + batch * s.q.batch + head * s.q.head + first * s.q.position, b.q_position = s.q.position;
    b.k = k + batch * s.k.batch + head * s.k.head, b.k_position = s.k.position;
    b.scratch = b.keys_packed = own, b.scores = own + padded_keys(s) * s.width;
    if (!kernel->narrow_floats) pack_keys(s, b.k, b.keys_packed);
    b.v = v + batch * s.v.batch + head * s.v.head, b.v_position = s.v.position;
    b.mask = mask ? mask + batch * s.mask.batch + head * s.mask.head + first * s.mask.query : nullptr;
    b.mask_query = s.mask.query, b.mask_key = s.mask.key;
    b.out = out + batch * s.out.batch + head * s.out.head + first * s.out.position, b.out_position = s.out.position;
    b.queries = std::min(kQueriesOfAUnit, s.queries - first);
    b.keys = s.keys, b.width = s.width, b.value_width = s.value_width, b.scale = s.scale;
    kernel->block(b);
  };
  // One task a thread, so that each has scratch of its own.
  const std::int64_t tasks = std::min<std::int64_t>(threads, units);
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task)
      for (std::int64_t index = task * units / tasks; index < (task + 1) * units / tasks; ++index)
        unit(index, static_cast<float*>(scratch) + task * scratch_floats(s, *kernel));
  };
  parallel_for(tasks, 1, std::ref(body));
}

std::span<const AttentionKernel* const> attention_kernels() noexcept { return kRows; }
const char* attention_kernel_name(const AttentionKernel& kernel) noexcept { return kernel.name; }
Isa attention_kernel_isa(const AttentionKernel& kernel) noexcept { return kernel.isa; }
bool attention_kernel_narrow(const AttentionKernel& kernel) noexcept { return kernel.narrow_floats != nullptr; }
const AttentionKernel& best_attention_kernel(bool narrow) {
  active_isa();  // an unusable PARE_FORCE_ISA is reported here, where errors may be thrown
  return best_of(narrow);
}

}  // namespace pare::kernels
