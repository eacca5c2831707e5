// The table of low-bit integer products, and how a call is cut into panels.
#include "kernels/qbits/qbits.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/threads.h"
#include "kernels/qbits/row.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                  \
  namespace ns {                                    \
  void qbits_multiply(const QBitsPanel&) noexcept;  \
  }
#include "kernels/qbits/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr QBitsKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"qbits__" #ns, Isa::isa, ns::qbits_multiply},
#include "kernels/qbits/kernels.inc"
#undef PARE_KERNEL
};
constexpr auto kRows = rows_of(kTable);

/// Rows as u8, zeros after the last input, and their sums.
struct Scratch {
  std::int32_t* sums;
  std::uint8_t* x;
  std::size_t bytes;

  Scratch(const QBitsPacked& w, std::int64_t rows, void* base) {
    const auto start = (reinterpret_cast<std::uintptr_t>(base) + 63) / 64 * 64;
    const auto of_sums = static_cast<std::size_t>(rows) * sizeof(std::int32_t);
    sums = reinterpret_cast<std::int32_t*>(start);
    x = reinterpret_cast<std::uint8_t*>(start + of_sums);
    bytes = 64 + of_sums + static_cast<std::size_t>(rows * w.depth());
  }
};

void prepare(const QBitsPacked& w, std::int64_t rows, const void* input, const Scratch& s) noexcept {
  const std::int64_t k = w.common.shape.in_c;
  const std::uint8_t flip = w.common.input_signed ? 0x80 : 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::uint8_t* from = static_cast<const std::uint8_t*>(input) + r * k;
    std::uint8_t* to = s.x + r * w.depth();
    std::transform(from, from + k, to, [=](std::uint8_t x) { return static_cast<std::uint8_t>(x ^ flip); });
    std::fill(to + k, to + w.depth(), std::uint8_t{0});
    s.sums[r] = std::accumulate(to, to + k, std::int32_t{0});
  }
}

void run_panel(const QBitsPacked& w, std::int64_t rows, std::int64_t panel, const QConvEpilogue& epilogue, void* output,
               const Scratch& s) noexcept {
  alignas(64) std::int32_t sums[kQBitsRows * kQBitsOutputs];
  const std::int64_t channel = panel * kQBitsOutputs;
  for (std::int64_t row = 0; row < rows; row += kQBitsRows) {
    const int count = static_cast<int>(std::min<std::int64_t>(kQBitsRows, rows - row));
    w.kernel->multiply({w.codes.data() + channel * w.words, w.words, w.code.bits, s.x + row * w.depth(), w.depth(), count,
                        sums});
    for (int i = 0; i < count * kQBitsOutputs; ++i)
      sums[i] = w.code.step * sums[i] + w.code.lowest * s.sums[row + i / kQBitsOutputs];
    qconv_finish_block(w.kernel->isa, qconv_finish_at(w.common, epilogue, row, channel, output), count,
                       static_cast<int>(std::min<std::int64_t>(kQBitsOutputs, w.common.shape.out_c - channel)), sums);
  }
}

}  // namespace

std::size_t qbits_scratch_bytes(const QBitsWeights& weights, const ConvShape& shape) noexcept {
  return Scratch(weights.packed(), shape.pixels(), nullptr).bytes;
}

void qbits(const QBitsWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
           void* output, void* scratch, int threads) noexcept {
  const QBitsPacked& w = weights.packed();
  const std::int64_t rows = shape.pixels(), parts = std::max(threads, 1);
  const Scratch s(w, rows, scratch);
  prepare(w, rows, input, s);
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part)
      for (std::int64_t panel = w.panels * part / parts; panel < w.panels * (part + 1) / parts; ++panel)
        run_panel(w, rows, panel, epilogue, output, s);
  };
  if (parts == 1)
    body(0, 1);
  else
    parallel_for(parts, 1, std::ref(body));
}

std::span<const QBitsKernel* const> qbits_kernels() noexcept { return kRows; }
const char* qbits_kernel_name(const QBitsKernel& kernel) noexcept { return kernel.name; }
Isa qbits_kernel_isa(const QBitsKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
