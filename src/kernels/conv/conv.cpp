// Plain loops in f64.
#include "kernels/conv/conv.h"

#include <algorithm>
#include <functional>

#include "base/threads.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

double dot_taps(const ConvShape& s, const float* filter, const FilterStrides& f, const float* in, std::int64_t pixel,
                std::int64_t o) noexcept {
  const std::int64_t n = pixel / (s.out_h * s.out_w), oy = pixel / s.out_w % s.out_h, ox = pixel % s.out_w;
  const std::int64_t first = o / s.group_out() * s.group_in();
  double sum = 0;
  for (std::int64_t ky = 0; ky < s.kh; ++ky) {
    const std::int64_t y = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
    if (y < 0 || y >= s.in_h) continue;
    for (std::int64_t kx = 0; kx < s.kw; ++kx) {
      const std::int64_t x = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
      if (x < 0 || x >= s.in_w) continue;
      const float* value = in + ((n * s.in_h + y) * s.in_w + x) * s.in_c + first;
      const float* weight = filter + o * f.o + ky * f.y + kx * f.x;
      for (std::int64_t i = 0; i < s.group_in(); ++i) sum += static_cast<double>(value[i]) * weight[i * f.i];
    }
  }
  return sum;
}

}  // namespace

void conv(const ConvShape& shape, const float* filter, const FilterStrides& strides, const float* bias,
          const ConvEpilogue& epilogue, const float* in, float* out) noexcept {
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      for (std::int64_t o = 0; o < shape.out_c; ++o) {
        const std::int64_t at = pixel * shape.out_c + o;
        double v = dot_taps(shape, filter, strides, in, pixel, o) + (bias ? bias[o] : 0.0f);
        if (epilogue.residual) v += epilogue.residual[at];
        const auto rounded = static_cast<float>(v);
        const float low = rounded < epilogue.lo ? epilogue.lo : rounded;
        out[at] = low > epilogue.hi ? epilogue.hi : low;
      }
    }
  };
  const std::int64_t work = std::max<std::int64_t>(1, shape.out_c * shape.taps() * shape.group_in());
  parallel_for(shape.pixels(), std::max<std::int64_t>(1, kGrainOperations / work), std::ref(body));
}

void matmul(std::int64_t m, std::int64_t n, std::int64_t k, const MatrixView& a, const MatrixView& b, float alpha,
            const MatrixView& c, float beta, float* out) noexcept {
  constexpr std::int64_t kColumns = 64;
  const std::int64_t blocks = (n + kColumns - 1) / kColumns;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t row = unit / blocks, first = unit % blocks * kColumns, count = std::min(kColumns, n - first);
      double sum[kColumns] = {};
      for (std::int64_t i = 0; i < k; ++i) {
        const double x = a.data[row * a.row + i * a.column];
        const float* y = b.data + i * b.row + first * b.column;
        for (std::int64_t j = 0; j < count; ++j) sum[j] += x * y[j * b.column];
      }
      for (std::int64_t j = 0; j < count; ++j) {
        const double added = c.data ? static_cast<double>(beta) * c.data[row * c.row + (first + j) * c.column] : 0.0;
        out[row * n + first + j] = static_cast<float>(alpha * sum[j] + added);
      }
    }
  };
  parallel_for(m * blocks, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, k * kColumns)),
               std::ref(body));
}

}  // namespace pare::kernels
