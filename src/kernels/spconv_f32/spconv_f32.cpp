// The table of sparse f32 convolutions, packing and the epilogue.
#include "kernels/spconv_f32/spconv_f32.h"

#include <algorithm>
#include <array>
#include <bit>
#include <new>
#include <utility>

#include "kernels/spconv_f32/row.h"
#include "pare/error.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                       \
  namespace ns {                                         \
  void spconv_f32_multiply(const PanelProduct&) noexcept; \
  }
#include "kernels/spconv_f32/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr SpConvF32Kernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"spconv_f32__" #ns, Isa::isa, ns::spconv_f32_multiply},
#include "kernels/spconv_f32/kernels.inc"
#undef PARE_KERNEL
};

template <std::size_t... I>
constexpr std::array<const SpConvF32Kernel*, sizeof...(I)> pointers(std::index_sequence<I...>) {
  return {&kTable[I]...};
}
constexpr auto kRows = pointers(std::make_index_sequence<std::size(kTable)>{});

/// 16 channels of every pixel of a panel.
void finish_rows(const PanelSums& s, const float* rows, std::int64_t channel, int channels, const float* bias,
                 const ConvEpilogue& e, std::int64_t out_c, float* out) noexcept {
  for (int p = 0; p < s.pixels; ++p) {
    const std::int64_t at = (s.pixel + p) * out_c + channel;
    const float* from = rows + p * kPanelLanes;
    for (int c = 0; c < channels; ++c) {
      float v = from[c] + bias[channel + c];
      if (e.residual) v += e.residual[at + c];
      v = v < e.lo ? e.lo : v;  // NaN stays
      out[at + c] = v > e.hi ? e.hi : v;
    }
  }
}

}  // namespace

SpConvF32Weights::SpConvF32Weights() = default;
SpConvF32Weights::~SpConvF32Weights() = default;
SpConvF32Weights::SpConvF32Weights(SpConvF32Weights&&) noexcept = default;
SpConvF32Weights& SpConvF32Weights::operator=(SpConvF32Weights&&) noexcept = default;

SpConvF32Weights SpConvF32Weights::pack(const ConvShape& s, const float* filter, const FilterStrides& f,
                                        const float* bias, const SpConvF32Kernel* kernel) {
  if (!kernel)
    kernel = *std::find_if(kRows.begin(), kRows.end(), [](const auto* row) { return isa_available(row->isa); });
  SpConvF32Weights result;
  try {
    result.packed_ = std::make_unique<Packed>();
    Packed& packed = *result.packed_;
    packed.kernel = kernel;
    packed.panels.taps = s.taps(), packed.panels.elements = s.in_c, packed.panels.out_c = s.out_c;
    pack_panels(packed.panels, [&](std::int64_t o, std::int64_t tap, std::int64_t i) {
      const float w = filter[o * f.o + i * f.i + tap / s.kw * f.y + tap % s.kw * f.x];
      return w == 0 ? 0u : std::bit_cast<std::uint32_t>(w);
    });
    packed.panels.padding.assign(static_cast<std::size_t>(s.in_c), 0);
    packed.bias.assign(static_cast<std::size_t>(s.out_c), 0.0f);
    if (bias) std::copy_n(bias, s.out_c, packed.bias.begin());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "sparse weights", "do not fit in memory when packed");
  }
  return result;
}

const char* SpConvF32Weights::kernel_name() const noexcept { return packed_->kernel->name; }
std::size_t SpConvF32Weights::bytes() const noexcept {
  return packed_->panels.bytes() + packed_->bias.size() * sizeof(float);
}
double SpConvF32Weights::density() const noexcept { return packed_->panels.density(); }

std::size_t spconv_f32_scratch_bytes(const SpConvF32Weights& weights, int threads) noexcept {
  return panel_scratch_bytes(weights.packed().panels, threads);
}

void spconv_f32(const SpConvF32Weights& weights, const ConvShape& shape, const float* in, const ConvEpilogue& epilogue,
                float* out, void* scratch, int threads) noexcept {
  const SpConvF32Weights::Packed& w = weights.packed();
  const PanelMoves& moves = panel_moves(w.kernel->isa);
  const auto finish = [&](const PanelSums& s) {
    alignas(64) std::uint32_t rows[kPanelPixels * kPanelLanes];
    for (std::int64_t channel = s.begin; channel < s.end; channel += kPanelLanes) {
      const int channels = static_cast<int>(std::min<std::int64_t>(kPanelLanes, s.end - channel));
      moves.spread({s.sums, channel, channels, s.pixels, s.vectors, rows});
      finish_rows(s, reinterpret_cast<const float*>(rows), channel, channels, w.bias.data(), epilogue, shape.out_c, out);
    }
  };
  run_panels({w.panels, shape, moves, w.kernel->multiply}, reinterpret_cast<const std::uint32_t*>(in), scratch, threads,
             std::ref(finish));
}

std::span<const SpConvF32Kernel* const> spconv_f32_kernels() noexcept { return kRows; }
const char* spconv_f32_kernel_name(const SpConvF32Kernel& kernel) noexcept { return kernel.name; }
Isa spconv_f32_kernel_isa(const SpConvF32Kernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
