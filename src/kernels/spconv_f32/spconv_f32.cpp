// The table of sparse f32 convolutions, packing and the epilogue.
#include "kernels/spconv_f32/spconv_f32.h"

#include <algorithm>
#include <bit>
#include <new>

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

constexpr auto kRows = rows_of(kTable);

/// All but weights and bias.
void describe(SpConvF32Packed& packed, const SpConvF32Kernel& kernel, const ConvShape& s) {
  packed.kernel = &kernel;
  describe_panels(packed.panels, s.taps(), s.in_c, s.out_c);
  packed.panels.padding.assign(static_cast<std::size_t>(s.in_c), 0);
}

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

SpConvF32Weights SpConvF32Weights::pack(const ConvShape& s, const float* filter, const FilterStrides& f,
                                        const float* bias, const SpConvF32Kernel* kernel) {
  try {
    auto packed = std::make_shared<SpConvF32Packed>();
    describe(*packed, kernel ? *kernel : *best_row(kRows), s);
    pack_panels(packed->panels, [&](std::int64_t o, std::int64_t tap, std::int64_t i) {
      const float w = filter[o * f.o + i * f.i + tap / s.kw * f.y + tap % s.kw * f.x];
      return w == 0 ? 0u : std::bit_cast<std::uint32_t>(w);
    });
    packed->bias.assign(static_cast<std::size_t>(s.out_c), 0.0f);
    if (bias) std::copy_n(bias, s.out_c, packed->bias.begin());
    return SpConvF32Weights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "sparse weights", "do not fit in memory when packed");
  }
}

std::string SpConvF32Weights::packing_key(const ConvShape& s, const FilterStrides& f, const float* bias) {
  PackingKey key("spconv_f32", 1, best_row(kRows)->name);
  key.add(panel_block(), s.in_c, s.out_c, s.kh, s.kw, f.o, f.i, f.y, f.x).add_array(bias, s.out_c);
  return key.text();
}

void SpConvF32Weights::write(PackedWriter& writer) const {
  write_panels(packed().panels, writer);
  writer.array(PackedArray<float>(packed().bias));
}

std::optional<SpConvF32Weights> SpConvF32Weights::view(const ConvShape& shape, PackedReader& reader) {
  auto packed = std::make_shared<SpConvF32Packed>();
  describe(*packed, *best_row(kRows), shape);
  if (!view_panels(packed->panels, reader)) return std::nullopt;
  const PackedArray<float> bias = reader.array<float>(static_cast<std::size_t>(shape.out_c));
  packed->bias.assign(bias.data(), bias.data() + bias.size());
  if (!reader.finished()) return std::nullopt;
  return SpConvF32Weights(std::move(packed));
}

const char* SpConvF32Weights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t SpConvF32Weights::bytes() const noexcept {
  return packed().panels.bytes() + packed().bias.size() * sizeof(float);
}
double SpConvF32Weights::density() const noexcept { return packed().panels.density(); }

std::size_t spconv_f32_scratch_bytes(const SpConvF32Weights& weights, int threads) noexcept {
  return panel_scratch_bytes(weights.packed().panels, threads);
}

void spconv_f32(const SpConvF32Weights& weights, const ConvShape& shape, const float* in, const ConvEpilogue& epilogue,
                float* out, void* scratch, int threads) noexcept {
  const SpConvF32Packed& w = weights.packed();
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
