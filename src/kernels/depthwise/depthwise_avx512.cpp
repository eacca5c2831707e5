// 16 channels at once.
#include "kernels/depthwise/tile.h"
#include "kernels/vec_activation_avx512.h"

namespace pare::kernels::avx512 {
namespace {

struct Floats {
  using F32 = avx512::F32;
  static constexpr int kVectors = 1, kLanes = 16;
  struct Input {
    __m512 part[1];
  };
  template <bool kWhole>
  static Input load(const void* pixel, std::int64_t channel, std::int64_t n) {
    const float* at = static_cast<const float*>(pixel) + channel;
    return {{kWhole ? F32::load(at) : _mm512_maskz_loadu_ps(F32::first(n), at)}};
  }

  struct Finish {
    FloatEpilogue e;
    float* out;
    __m512 lo, hi;
    Finish(const FloatEpilogue& given, void* to)
        : e(given), out(static_cast<float*>(to)), lo(F32::set(e.lo)), hi(F32::set(e.hi)) {}

    template <bool kWhole>
    void write(std::int64_t at, std::int64_t n, const __m512 (&sums)[1]) const {
      __m512 y = e.activation == UnaryOp::kIdentity ? sums[0] : activate(e.activation, sums[0]);
      if (e.residual) y = F32::add(y, F32::load_some(static_cast<const float*>(e.residual) + at, n, 0.0f));
      y = F32::min(hi, F32::max(lo, y));  // NaN stays: it is the second operand
      kWhole ? F32::store(out + at, y) : F32::store_some(out + at, n, y);
    }
  };
};

}  // namespace

void depthwise_strip(const DepthwiseStrip& s) noexcept { depthwise_outputs<Floats>(s); }

}  // namespace pare::kernels::avx512
