// The table of 1x4 sparse integer convolutions, packing and the epilogue.
#include "kernels/spconv_1x4/spconv_1x4.h"

#include <algorithm>
#include <new>

#include "kernels/spconv_1x4/row.h"
#include "pare/error.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                         \
  namespace ns {                                           \
  void spconv_1x4_multiply(const PanelProduct&) noexcept;  \
  void spconv_1x4_finish(const SpConv1x4Finish&) noexcept; \
  }
#include "kernels/spconv_1x4/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr SpConv1x4Kernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"spconv_1x4__" #ns, Isa::isa, ns::spconv_1x4_multiply, ns::spconv_1x4_finish},
#include "kernels/spconv_1x4/kernels.inc"
#undef PARE_KERNEL
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kBlock = 4;
constexpr std::uint32_t kFlipSigns = 0x80808080;  ///< s8 x as u8 x + 128

std::uint32_t four(const QConvFilter& filter, const ConvShape& s, std::int64_t o, std::int64_t tap,
                   std::int64_t block) {
  const auto* w = static_cast<const std::int8_t*>(filter.data) + o * filter.strides.o + tap / s.kw * filter.strides.y +
                  tap % s.kw * filter.strides.x;
  std::uint32_t bits = 0;
  for (std::int64_t i = 0; i < kBlock; ++i)
    bits |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(w[(block * kBlock + i) * filter.strides.i]))
            << (8 * i);
  return bits;
}

std::int32_t sum_of(std::uint32_t bits) noexcept {
  std::int32_t sum = 0;
  for (int i = 0; i < 32; i += 8) sum += static_cast<std::int8_t>(bits >> i);
  return sum;
}

/// All but weights and bias.
void describe(SpConv1x4Packed& packed, const SpConv1x4Kernel& kernel, const ConvShape& shape, DType input_type,
              std::int32_t input_zero_point) {
  packed.kernel = &kernel;
  packed.common.shape = shape;
  packed.common.input_signed = input_type == DType::kInt8;
  packed.common.input_zero_point = input_zero_point;
  describe_panels(packed.panels, shape.taps(), shape.in_c / kBlock, shape.out_c);
  packed.panels.flip = packed.common.input_signed ? kFlipSigns : 0;
  const std::uint32_t byte = static_cast<std::uint8_t>(input_zero_point);
  packed.panels.padding.assign(static_cast<std::size_t>(packed.panels.elements), byte * 0x01010101u);
}

void pack_into(SpConv1x4Packed& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const ConvShape& s = packed.common.shape;
  const std::int32_t zero = packed.common.input_zero_point + (packed.common.input_signed ? 128 : 0);
  packed.common.bias.assign(static_cast<std::size_t>(s.out_c), 0);
  if (bias) std::copy_n(bias, s.out_c, packed.common.bias.begin());
  pack_panels(packed.panels, [&](std::int64_t o, std::int64_t tap, std::int64_t block) {
    const std::uint32_t bits = four(filter, s, o, tap, block);
    packed.common.bias[static_cast<std::size_t>(o)] -= zero * sum_of(bits);
    return bits;
  });
}

}  // namespace

bool SpConv1x4Weights::takes(const ConvShape& shape, const QConvFilter& filter) noexcept {
  if (shape.groups != 1 || shape.in_c % kBlock != 0 || filter.is_unsigned) return false;
  return !filter.zero_point ||
         std::all_of(filter.zero_point, filter.zero_point + shape.out_c, [](std::int32_t z) { return z == 0; });
}

SpConv1x4Weights SpConv1x4Weights::pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                        std::int32_t input_zero_point, const std::int32_t* bias,
                                        const SpConv1x4Kernel* kernel) {
  try {
    auto packed = std::make_shared<SpConv1x4Packed>();
    describe(*packed, kernel ? *kernel : *best_row(kRows), shape, input_type, input_zero_point);
    pack_into(*packed, filter, bias);
    return SpConv1x4Weights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "sparse weights", "do not fit in memory when packed");
  }
}

std::string SpConv1x4Weights::packing_key(const ConvShape& s, const QConvFilter& filter, DType input_type,
                                          std::int32_t input_zero_point, const std::int32_t* bias) {
  PackingKey key("spconv_1x4", 2, best_row(kRows)->name);
  key.add(panel_block(), s.in_c, s.out_c, s.kh, s.kw);
  key.add(filter.strides.o, filter.strides.i, filter.strides.y, filter.strides.x);
  key.add(input_type, input_zero_point).add_array(bias, s.out_c);
  return key.text();
}

void SpConv1x4Weights::write(PackedWriter& writer) const {
  write_panels(packed().panels, writer);
  writer.array(PackedArray<std::int32_t>(packed().common.bias));
}

std::optional<SpConv1x4Weights> SpConv1x4Weights::view(const ConvShape& shape, DType input_type,
                                                       std::int32_t input_zero_point, PackedReader& reader) {
  auto packed = std::make_shared<SpConv1x4Packed>();
  describe(*packed, *best_row(kRows), shape, input_type, input_zero_point);
  if (!view_panels(packed->panels, reader)) return std::nullopt;
  const PackedArray<std::int32_t> bias = reader.array<std::int32_t>(static_cast<std::size_t>(shape.out_c));
  packed->common.bias.assign(bias.data(), bias.data() + bias.size());
  if (!reader.finished()) return std::nullopt;
  return SpConv1x4Weights(std::move(packed));
}

const char* SpConv1x4Weights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t SpConv1x4Weights::bytes() const noexcept {
  return packed().panels.bytes() + packed().common.bias.size() * sizeof(std::int32_t);
}
double SpConv1x4Weights::density() const noexcept { return packed().panels.density(); }

std::size_t spconv_1x4_scratch_bytes(const SpConv1x4Weights& weights, int threads) noexcept {
  return panel_scratch_bytes(weights.packed().panels, threads);
}

void spconv_1x4_finish_rows(Isa isa, const SpConv1x4Finish& f, std::int64_t first) noexcept {
  alignas(64) std::uint32_t rows[kPanelPixels * kPanelLanes];
  const int channels = static_cast<int>(std::min<std::int64_t>(kPanelLanes, f.channels - first));
  panel_moves(isa).spread({f.sums + first * kPanelLanes, f.sum_stride, channels, f.pixels, rows});
  qconv_finish_block(isa, qconv_finish_moved(f.finish, 0, first), f.pixels, channels,
                     reinterpret_cast<const std::int32_t*>(rows));
}

void spconv_1x4(const SpConv1x4Weights& weights, const ConvShape& shape, const void* input,
                const QConvEpilogue& epilogue, void* output, void* scratch, int threads) noexcept {
  const SpConv1x4Packed& w = weights.packed();
  const bool bounded = qconv_bounded(epilogue, shape.out_c);
  const auto finish = [&](const PanelSums& s) {
    w.kernel->finish({s.sums + s.begin * kPanelLanes, s.stride, s.pixels, s.end - s.begin,
                      qconv_finish_at(w.common, epilogue, s.pixel, s.begin, output), bounded});
  };
  run_panels(
      {w.panels, shape, panel_moves(w.kernel->isa), w.kernel->multiply, static_cast<const std::uint32_t*>(input)},
      scratch, threads, std::ref(finish));
}

std::span<const SpConv1x4Kernel* const> spconv_1x4_kernels() noexcept { return kRows; }
const char* spconv_1x4_kernel_name(const SpConv1x4Kernel& kernel) noexcept { return kernel.name; }
Isa spconv_1x4_kernel_isa(const SpConv1x4Kernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
