// The table of integer convolutions, and how a call is cut into parts for threads.
#include "kernels/qconv/qconv.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/threads.h"
#include "kernels/qconv/row.h"
#include "kernels/table.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa, rows, lanes, depth, input) \
  namespace ns {                                              \
  void qconv_tile(const QConvTile&) noexcept;                 \
  }
#define PARE_TILES(file, ns, isa)                                                  \
  namespace ns {                                                                   \
  std::size_t qconv_scratch_bytes(const QConvWeights::Packed&, const ConvShape&) noexcept; \
  void qconv_run(const QConvCall&, const QConvPart&, std::byte* scratch) noexcept; \
  }
#define PARE_REFERENCE(file, ns)                                             \
  namespace ns {                                                             \
  void run(const QConvCall&, const QConvPart&, std::byte* scratch) noexcept; \
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

std::size_t part_scratch_bytes(const QConvWeights::Packed& w, const ConvShape& shape) noexcept {
  return w.kernel->scratch_bytes ? w.kernel->scratch_bytes(w, shape) : 0;
}

/// Channels are cut where there are too few pixel tiles to share out evenly; each part then reads only its own weights.
bool cut_channels(const QConvWeights::Packed& w, const ConvShape& shape, std::int64_t parts) noexcept {
  return shape.pixels() < 4 * parts * w.kernel->rows && w.panels >= parts;
}

}  // namespace

std::size_t qconv_scratch_bytes(const QConvWeights& weights, const ConvShape& shape, int threads) noexcept {
  return part_scratch_bytes(weights.packed(), shape) * static_cast<std::size_t>(std::max(threads, 1));
}

void qconv(const QConvWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
           void* output, void* scratch, int threads) noexcept {
  const QConvWeights::Packed& w = weights.packed();
  const QConvCall call{&w, shape, input, &epilogue, output};
  const std::int64_t parts = std::max(threads, 1), rows = w.kernel->rows, pixels = shape.pixels();
  const bool channels = cut_channels(w, shape, parts);
  const std::int64_t units = channels ? w.panels : (pixels + rows - 1) / rows;
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      const std::int64_t from = units * part / parts, to = units * (part + 1) / parts;
      const QConvPart range =
          channels ? QConvPart{0, pixels, from, to} : QConvPart{from * rows, std::min(to * rows, pixels), 0, w.panels};
      w.kernel->run(call, range,
                    static_cast<std::byte*>(scratch) + part * static_cast<std::int64_t>(part_scratch_bytes(w, shape)));
    }
  };
  if (parts == 1)
    body(0, 1);
  else
    parallel_for(parts, 1, std::ref(body));  // a reference fits into std::function without allocating
}

std::span<const QConvKernel* const> qconv_kernels() noexcept { return kRows; }
const char* qconv_kernel_name(const QConvKernel& kernel) noexcept { return kernel.name; }
Isa qconv_kernel_isa(const QConvKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
