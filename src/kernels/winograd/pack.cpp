// The transform of weights, G g Gᵀ, in f64, and their packed form.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <new>

#include "base/threads.h"
#include "kernels/winograd/row.h"
#include "pare/error.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kMostWidth = 32;  ///< of a panel

/// A row of G: (1, p, p²) / Π (p − q) over the other points q; (0, 0, 1) for ∞.
using Transform = std::array<std::array<double, 3>, 6>;

Transform transform_of(int tile) {
  const double a = std::sqrt(0.5), b = std::sqrt(2.0);
  const std::vector<double> points = tile == 4 ? std::vector<double>{0, a, -a, b, -b} : std::vector<double>{0, 1, -1};
  Transform g{};
  for (std::size_t i = 0; i < points.size(); ++i) {
    double scale = 1;
    for (std::size_t j = 0; j < points.size(); ++j)
      if (j != i) scale *= points[i] - points[j];
    // F(2, 3) is usually written with the other sign at the point 0, in G and in Bᵀ.
    if (tile == 2 && i == 0) scale = -scale;
    g[i] = {1 / scale, points[i] / scale, points[i] * points[i] / scale};
  }
  g[points.size()] = {0, 0, 1};
  return g;
}

/// Output channels [begin, begin + count) of input channel `i`; to[position · stride + o].
struct FilterRow {
  const float* filter;
  FilterStrides strides;
  std::int64_t begin, count, i;
  float* to;
  std::int64_t stride;
};

void transform_row(const Transform& g, std::size_t edge, const FilterRow& row) noexcept {
  double taps[3][3][kMostWidth], half[6][3][kMostWidth];
  const FilterStrides& f = row.strides;
  for (std::int64_t y = 0; y < 3; ++y)
    for (std::int64_t x = 0; x < 3; ++x)
      for (std::int64_t o = 0; o < row.count; ++o)
        taps[y][x][o] = static_cast<double>(row.filter[(row.begin + o) * f.o + row.i * f.i + y * f.y + x * f.x]);
  for (std::size_t y = 0; y < edge; ++y)
    for (std::size_t x = 0; x < 3; ++x)
      for (std::int64_t o = 0; o < row.count; ++o)
        half[y][x][o] = g[y][0] * taps[0][x][o] + g[y][1] * taps[1][x][o] + g[y][2] * taps[2][x][o];
  for (std::size_t y = 0; y < edge; ++y)
    for (std::size_t x = 0; x < edge; ++x) {
      float* to = row.to + static_cast<std::int64_t>(y * edge + x) * row.stride;
      for (std::int64_t o = 0; o < row.count; ++o)
        to[o] = static_cast<float>(half[y][0][o] * g[x][0] + half[y][1][o] * g[x][1] + half[y][2][o] * g[x][2]);
    }
}

}  // namespace

WinogradWeights WinogradWeights::pack(const ConvShape& s, WinogradTile tile, const float* filter,
                                      const FilterStrides& f, const float* bias, const WinogradKernel* kernel) {
  try {
    auto packed = std::make_shared<WinogradPacked>();
    packed->kernel = kernel ? kernel : &best_winograd_kernel();
    packed->tile = static_cast<int>(tile);
    packed->in_c = s.in_c, packed->out_c = s.out_c;
    packed->padding.assign(static_cast<std::size_t>(s.in_c), 0.0f);
    packed->bias.assign(static_cast<std::size_t>(packed->panels() * packed->width()), 0.0f);
    if (bias) std::copy_n(bias, s.out_c, packed->bias.begin());
    packed->weights.resize(static_cast<std::size_t>(packed->size()));  // not filled: they may be a hundred megabytes
    const Transform g = transform_of(packed->tile);
    const auto panels = [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t panel = first; panel < last; ++panel) {
        const std::int64_t begin = panel * packed->width(), width = packed->vectors(panel) * packed->kernel->lanes;
        float* to = packed->weights.data() + begin * packed->positions() * s.in_c;
        if (begin + width > s.out_c) std::fill_n(to, packed->positions() * s.in_c * width, 0.0f);
        for (std::int64_t i = 0; i < s.in_c; ++i)
          transform_row(g, static_cast<std::size_t>(packed->edge()),
                        {filter, f, begin, std::min(width, s.out_c - begin), i, to + i * width, s.in_c * width});
      }
    };
    parallel_for(packed->panels(), 1, std::ref(panels));
    return WinogradWeights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "Winograd weights", "do not fit in memory when packed");
  }
}

std::string WinogradWeights::packing_key(const ConvShape& s, WinogradTile tile, const FilterStrides& f,
                                         const float* bias) {
  PackingKey key("winograd", 1, best_winograd_kernel().name4);
  key.add(static_cast<std::int64_t>(tile), s.in_c, s.out_c, f.o, f.i, f.y, f.x).add_array(bias, s.out_c);
  return key.text();
}

const char* WinogradWeights::kernel_name() const noexcept {
  return winograd_kernel_name(*packed().kernel, static_cast<WinogradTile>(packed().tile));
}
std::size_t WinogradWeights::bytes() const noexcept {
  return (packed().weights.size() + packed().bias.size()) * sizeof(float);
}

}  // namespace pare::kernels
