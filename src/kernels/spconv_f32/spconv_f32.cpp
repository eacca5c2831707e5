// The table of sparse f32 convolutions, packing and the epilogue.
#include "kernels/spconv_f32/spconv_f32.h"

#include <algorithm>
#include <bit>
#include <new>

#include "kernels/spconv_f32/row.h"
#include "pare/error.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                         \
  namespace ns {                                           \
  void spconv_f32_multiply(const PanelProduct&) noexcept;  \
  void spconv_f32_finish(const SpConvF32Finish&) noexcept; \
  }
#include "kernels/spconv_f32/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr SpConvF32Kernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"spconv_f32__" #ns, Isa::isa, ns::spconv_f32_multiply, ns::spconv_f32_finish},
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
    packed->bias.assign(static_cast<std::size_t>(s.out_c) + 1, 0.0f);
    if (bias) std::copy_n(bias, s.out_c, packed->bias.begin());
    return SpConvF32Weights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "sparse weights", "do not fit in memory when packed");
  }
}

std::string SpConvF32Weights::packing_key(const ConvShape& s, const FilterStrides& f, const float* bias) {
  PackingKey key("spconv_f32", 2, best_row(kRows)->name);
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
  const PackedArray<float> bias = reader.array<float>(static_cast<std::size_t>(shape.out_c) + 1);
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

bool spconv_f32_takes(const ConvShape& shape, const PanelValues& panels) noexcept {
  return (!panels.out || panels.added) && (!panels.added || shape.out_c % 2 == 0);
}

void spconv_f32(const SpConvF32Weights& weights, const ConvShape& shape, const float* in, const ConvEpilogue& epilogue,
                float* out, void* scratch, int threads, const PanelValues& panels) noexcept {
  const SpConvF32Packed& w = weights.packed();
  PanelCall call{w.panels, shape, panel_moves(w.kernel->isa), w.kernel->multiply,
                 reinterpret_cast<const std::uint32_t*>(in)};
  call.in_panels = panels.in;
  if (panels.out) call.out = reinterpret_cast<std::uint32_t*>(out);
  const float* added = panels.added ? epilogue.residual : nullptr;
  const PanelEnds ends{
      w.bias.data(), reinterpret_cast<const std::uint32_t*>(added), shape.out_c * kPanelLanes, panels.out, epilogue.lo,
      epilogue.hi};
  call.ends = &ends;
  const auto finish = [&](const PanelSums& s) {
    const std::int64_t at = s.pixel * shape.out_c + s.begin;
    w.kernel->finish({reinterpret_cast<const float*>(s.sums) + s.begin * kPanelLanes, s.stride, s.pixels,
                      s.end - s.begin, epilogue.residual && !added ? epilogue.residual + at : nullptr, out + at,
                      shape.out_c, epilogue.lo, epilogue.hi});
  };
  run_panels(call, scratch, threads, std::ref(finish));
}

std::span<const SpConvF32Kernel* const> spconv_f32_kernels() noexcept { return kRows; }
const char* spconv_f32_kernel_name(const SpConvF32Kernel& kernel) noexcept { return kernel.name; }
Isa spconv_f32_kernel_isa(const SpConvF32Kernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
