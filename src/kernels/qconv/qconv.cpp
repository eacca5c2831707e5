// The table of integer convolutions, and how a call is cut into parts for threads.
#include "kernels/qconv/qconv.h"

#include <algorithm>
#include <functional>

#include "kernels/qconv/row.h"
#include "kernels/run_parts.h"
#include "kernels/table.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa, rows, lanes, depth, input) \
  namespace ns {                                              \
  void qconv_tile(const QConvTile&) noexcept;                 \
  }
#define PARE_TILES(file, ns, isa)                                                  \
  namespace ns {                                                                   \
  std::size_t qconv_scratch_bytes(const QConvWeights::Packed&, const ConvShape&) noexcept; \
  void qconv_run(const QConvCall&, const ProductPart&, std::byte* scratch) noexcept; \
  }
#define PARE_REFERENCE(file, ns)                                             \
  namespace ns {                                                             \
  void run(const QConvCall&, const ProductPart&, std::byte* scratch) noexcept; \
  }
#include "kernels/qconv/kernels.inc"
#undef PARE_KERNEL
#undef PARE_TILES
#undef PARE_REFERENCE

namespace {

constexpr QConvKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa, rows, lanes, depth, input) \
  {"qconv__" #ns "_" #rows "x" #lanes,                        \
   Isa::isa,                                                  \
   rows,                                                      \
   lanes,                                                     \
   depth,                                                     \
   QConvInput::input,                                         \
   false,                                                     \
   ns::qconv_tile,                                            \
   qconv_tile_scratch_bytes,                                  \
   qconv_run_tiles},
#define PARE_TILES(file, ns, isa) \
  {"qconv__" #ns "_32x32", Isa::isa, 32, 32, 4, QConvInput::kRaw, true, nullptr, ns::qconv_scratch_bytes, ns::qconv_run},
#define PARE_REFERENCE(file, ns) \
  {"qconv__" #ns, Isa::kScalar, 1, 1, 1, QConvInput::kCentredS16, false, nullptr, nullptr, ns::run},
#include "kernels/qconv/kernels.inc"
#undef PARE_KERNEL
#undef PARE_TILES
#undef PARE_REFERENCE
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kTile = 16;  ///< pixels that parts are cut by, where a block has more

std::size_t part_scratch_bytes(const QConvWeights::Packed& w, const ConvShape& shape) noexcept {
  return w.kernel->scratch_bytes ? w.kernel->scratch_bytes(w, shape) : 0;
}

}  // namespace

std::size_t qconv_scratch_bytes(const QConvWeights& weights, const ConvShape& shape, int threads) noexcept {
  return part_scratch_bytes(weights.packed(), shape) * static_cast<std::size_t>(std::max(threads, 1));
}

void qconv(const QConvWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
           void* output, void* scratch, int threads) noexcept {
  const QConvWeights::Packed& w = weights.packed();
  const QConvCall call{&w, shape, input, &epilogue, output};
  const std::size_t each = part_scratch_bytes(w, shape);
  const auto run = [&](const ProductPart& part, std::int64_t index) {
    w.kernel->run(call, part, static_cast<std::byte*>(scratch) + static_cast<std::size_t>(index) * each);
  };
  run_parts(shape.pixels(), w.panels, std::min(w.kernel->rows, kTile), threads, std::ref(run));
}

std::span<const QConvKernel* const> qconv_kernels() noexcept { return kRows; }
const char* qconv_kernel_name(const QConvKernel& kernel) noexcept { return kernel.name; }
Isa qconv_kernel_isa(const QConvKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
