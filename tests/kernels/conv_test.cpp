// f32 convolution and matrix product.
#include "kernels/conv/conv.h"

#include <gtest/gtest.h>

#include "base/threads.h"
#include "qconv_case.h"

namespace pare::kernels {
namespace {

using test::Random;

struct Case {
  ConvShape shape;
  std::vector<float> in, filter, bias, residual;
  ConvEpilogue epilogue;
};

Case random_case(Random& random, bool depthwise) {
  Case c;
  c.shape = test::random_geometry(random);
  c.shape.groups = depthwise ? random.integer(1, 45) : random.integer(1, 3);
  c.shape.in_c = c.shape.groups * (depthwise ? 1 : random.integer(1, 9));
  c.shape.out_c = c.shape.groups * (depthwise ? 1 : random.integer(1, 9));
  const ConvShape& s = c.shape;
  c.in = random.reals(s.batch * s.in_h * s.in_w * s.in_c);
  c.filter = random.reals(s.out_c * s.group_in() * s.taps());
  if (random.coin()) c.bias = random.reals(s.out_c);
  if (random.coin()) c.residual = random.reals(s.pixels() * s.out_c), c.epilogue.residual = c.residual.data();
  if (random.coin()) c.epilogue.lo = 0, c.epilogue.hi = random.real(0.5f, 6);
  return c;
}

double expected(const Case& c, std::int64_t at, double* magnitude) {
  const ConvShape& s = c.shape;
  const std::int64_t o = at % s.out_c, ox = at / s.out_c % s.out_w, oy = at / s.out_c / s.out_w % s.out_h,
                     n = at / s.out_c / s.out_w / s.out_h;
  const std::int64_t group = o / (s.out_c / s.groups), per_group = s.in_c / s.groups;
  double sum = c.bias.empty() ? 0 : c.bias[o];
  *magnitude = std::abs(sum);
  for (std::int64_t i = 0; i < per_group; ++i) {
    for (std::int64_t ky = 0; ky < s.kh; ++ky) {
      for (std::int64_t kx = 0; kx < s.kw; ++kx) {
        const std::int64_t y = oy * s.stride_h + ky * s.dilation_h - s.pad_top,
                           x = ox * s.stride_w + kx * s.dilation_w - s.pad_left;
        if (y < 0 || x < 0 || y >= s.in_h || x >= s.in_w) continue;
        const double term =
            static_cast<double>(c.in[((n * s.in_h + y) * s.in_w + x) * s.in_c + group * per_group + i]) *
            c.filter[((o * per_group + i) * s.kh + ky) * s.kw + kx];
        sum += term, *magnitude += std::abs(term);
      }
    }
  }
  if (!c.residual.empty()) sum += c.residual[at];
  return std::min<double>(std::max<double>(sum, c.epilogue.lo), c.epilogue.hi);
}

void check(const Case& c, const std::vector<float>& out, std::uint64_t seed) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    double magnitude = 0;
    const double want = expected(c, static_cast<std::int64_t>(i), &magnitude);
    ASSERT_NEAR(out[i], want, 1e-6 * magnitude + 1e-6) << "seed " << seed;
  }
}

const float* bias_of(const Case& c) { return c.bias.empty() ? nullptr : c.bias.data(); }

TEST(Conv, RandomShapes) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const Case c = random_case(random, false);
    std::vector<float> out(c.shape.pixels() * c.shape.out_c);
    ThreadScope threads(static_cast<int>(random.integer(1, 3)));
    conv(c.shape, c.filter.data(), FilterStrides::oihw(c.shape), bias_of(c), c.epilogue, c.in.data(), out.data());
    check(c, out, seed);
  }
}

TEST(Matmul, RandomViews) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const std::int64_t m = random.integer(1, 9), n = random.integer(1, 90), k = random.integer(1, 40);
    const bool transpose_a = random.coin(), transpose_b = random.coin();
    const std::vector<float> a = random.reals(m * k), b = random.reals(k * n), c = random.reals(n);
    const MatrixView va = transpose_a ? MatrixView{a.data(), 1, m} : MatrixView{a.data(), k, 1};
    const MatrixView vb = transpose_b ? MatrixView{b.data(), 1, k} : MatrixView{b.data(), n, 1};
    const MatrixView vc = random.coin() ? MatrixView{c.data(), 0, 1} : MatrixView{};
    std::vector<float> out(m * n);
    matmul(m, n, k, va, vb, 0.5f, vc, 2.0f, out.data());
    for (std::int64_t i = 0; i < m * n; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < k; ++j) {
        sum += static_cast<double>(transpose_a ? a[j * m + i / n] : a[i / n * k + j]) *
               (transpose_b ? b[i % n * k + j] : b[j * n + i % n]);
      }
      ASSERT_NEAR(out[i], 0.5 * sum + (vc.data ? 2.0 * c[i % n] : 0), 1e-5) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace pare::kernels
