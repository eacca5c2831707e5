#include "runtime/lower/sparse_cost.h"

#include <cmath>
#include <cstdio>

#include "kernels/sppanel/sppanel.h"
#include "kernels/taps.h"

namespace pare::runtime {

namespace {

// Of kHalfRate what is in panels is as on the other, and was not measured; a slot is what it was together with its window.
// clang-format off
constexpr SparseCosts kAvx512 = {29, 115, 4, 1.1, 5, {1.05, 6, 12, 2, 1.5, 2}, {0.9, 6, 10, 1.5}, 2, 8, 2.5,
                                 {250, 170}, {110, 60}, 28};
constexpr SparseCosts kHalfRate = {15.3, 62, 3, 1.52, 7, {1.4, 11, 17, 2.3, 1.5, 2}, {1.4, 11, 17, 1.5}, 1.7, 8, 2.5,
                                   {330, 230}, {150, 80}, 14.8};
constexpr SparseCosts kAvx2 = {14.5, 26, 8, 0, 0, {2.2, 11, 20, 4}, {5.5, 11, 22, 4}, 8, 12, 6,
                               {500, 340}, {220, 120}, 13};
// clang-format on

/// The CPU does half as many 512-bit multiplications a cycle as others (AMD Zen 4).
bool half_rate_avx512() {
#if defined(__x86_64__)
  return __builtin_cpu_is("amdfam19h") != 0;
#else
  return false;
#endif
}

}  // namespace

const SparseCosts& sparse_costs() {
  if (!isa_available(Isa::kAvx512)) return kAvx2;
  return half_rate_avx512() ? kHalfRate : kAvx512;
}

std::string format_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

double pointwise_cycles(const kernels::ConvShape& s) {
  constexpr double kStreamed = 0.91, kElse = 1.03;          // of the dense product's: the latter was 0.98 to 1.12
  constexpr std::int64_t kFewPixels = 64, kMuch = 1 << 20;  // bytes of weights
  const bool streamed = s.pixels() > 1 && s.pixels() <= kFewPixels && s.in_c * s.out_c * 4 > kMuch;
  return static_cast<double>(s.macs()) / sparse_costs().dense_f32 * (streamed ? kStreamed : kElse);
}

double winograd_cycles(const kernels::ConvShape& s, kernels::WinogradTile size) {
  constexpr double kStream = 7;           // bytes of weights a cycle from beyond L2
  constexpr std::int64_t kTogether = 28;  // tiles for which they are read once, at the least
  constexpr double kBeside = 1.12;        // inputs and blocks that are in no cache yet
  const auto up = [](std::int64_t a, std::int64_t b) { return static_cast<double>((a + b - 1) / b); };
  const auto m = static_cast<std::int64_t>(size);
  const SparseCosts& c = sparse_costs();
  const WinogradCosts& cost = size == kernels::WinogradTile::k4x4 ? c.tiles4 : c.tiles2;
  const double tiles = static_cast<double>(s.batch) * up(s.out_h, m) * up(s.out_w, m),
               weights = static_cast<double>((m + 2) * (m + 2) * s.in_c) * up(s.out_c, 16) * 16;
  const double products = tiles * weights / c.transformed;
  const double passes = weights * 4 > static_cast<double>(cpu_info().l2) ? std::ceil(tiles / kTogether) : 1;
  const double stream = weights * 4 * passes / kStream;
  // Both go on at once, but not perfectly.
  return kBeside *
         (tiles * (up(s.in_c, 16) * cost.input + up(s.out_c, 16) * cost.output) + std::hypot(products, stream));
}

double panel_cycles(const PanelCosts& c, const kernels::ConvShape& s, std::int64_t inputs, double density,
                    const kernels::PanelValues& values) {
  constexpr std::int64_t kBlock = 96;
  const double vectors = static_cast<double>((s.pixels() + kernels::kPanelLanes - 1) / kernels::kPanelLanes);
  const double in = static_cast<double>(inputs), out = static_cast<double>(s.out_c);
  const double blocks = static_cast<double>((inputs + kBlock - 1) / kBlock);
  const double gather = !values.in ? c.gather : kernels::reads_as_it_lies(s) ? 0 : c.shift;
  const double finish = values.out ? c.stay : c.finish;
  return vectors * (in * out * density * c.entry + in * gather + out * (finish + blocks * c.block));
}

}  // namespace pare::runtime
