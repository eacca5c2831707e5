// The table of bfloat16 convolutions, and how a call is cut into parts for threads.
#include "kernels/conv_bf16/conv_bf16.h"

#include <algorithm>
#include <functional>

#include "kernels/amx/chunks.h"
#include "kernels/conv_bf16/row.h"
#include "kernels/run_parts.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                                                     \
  namespace ns {                                                                       \
  void conv_bf16_run(const Bf16Call&, const ProductPart&, std::byte* scratch) noexcept; \
  }
#include "kernels/conv_bf16/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr Bf16Kernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"conv_bf16__" #ns, Isa::isa, ns::conv_bf16_run},
#include "kernels/conv_bf16/kernels.inc"
#undef PARE_KERNEL
};

constexpr auto kRows = rows_of(kTable);
constexpr std::int64_t kTile = 16;  ///< pixels

std::size_t part_scratch_bytes(const ConvShape& s) noexcept { return amx::scratch_bytes(s, 2) + amx::kChunk; }

}  // namespace

bool bf16_fits(const ConvShape& s) noexcept {
  const amx::Chunks chunks(s, 2);
  // A shorter odd line would be multiplied with what lies behind it, by weights of 0: a NaN there would count.
  return chunks.segment_bytes % 4 == 0 || chunks.segment_bytes > amx::kChunk;
}

std::size_t conv_bf16_scratch_bytes(const Bf16Weights&, const ConvShape& shape, int threads) noexcept {
  return part_scratch_bytes(shape) * static_cast<std::size_t>(std::max(threads, 1));
}

void conv_bf16(const Bf16Weights& weights, const ConvShape& shape, const void* in, const FloatEpilogue& epilogue,
               void* out, void* scratch, int threads) noexcept {
  const Bf16Packed& w = weights.packed();
  const Bf16Call call{&w, shape, in, &epilogue, out};
  const std::size_t each = part_scratch_bytes(shape);
  const auto run = [&](const ProductPart& part, std::int64_t index) {
    w.kernel->run(call, part, static_cast<std::byte*>(scratch) + static_cast<std::size_t>(index) * each);
  };
  run_parts(shape.pixels(), w.panels, kTile, threads, std::ref(run));
}

std::span<const Bf16Kernel* const> conv_bf16_kernels() noexcept { return kRows; }
const char* conv_bf16_kernel_name(const Bf16Kernel& kernel) noexcept { return kernel.name; }
Isa conv_bf16_kernel_isa(const Bf16Kernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
