// AMX: 16 pixels by 16 channels a tile of sums, 32 products each at once.
#include "kernels/amx/walk.h"
#include "kernels/conv_bf16/row.h"
#include "kernels/vec_activation.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::amx {
namespace {

PARE_TILE_PRODUCTS(Multiply, _tile_dpbf16ps);

using avx512::F32;

/// GELU within 5e-5, a tenth of what rounding 1 to bfloat16 costs, with fewer operations: erf by one polynomial
/// (least squares, reweighted to be even), and 1 beyond 3.
inline __m512 gelu_rough(__m512 x) {
  static constexpr float kTerms[] = {4.074209414e-08f,  -1.944822088e-06f, 4.106051347e-05f,
                                     -0.000511036778f,  0.004235426895f,   -0.02510285936f,
                                     0.1110793352f,     -0.3753148615f,    1.12826848f};
  const __m512 z = F32::mul(x, F32::set(0.70710678f)), half = F32::mul(F32::set(0.5f), x);
  const __m512 squared = F32::mul(z, z);
  __m512 p = F32::set(kTerms[0]);
#pragma GCC unroll 8
  for (int i = 1; i < 9; ++i) p = F32::fma(p, squared, F32::set(kTerms[i]));
  const __mmask16 far = _mm512_cmp_ps_mask(_mm512_abs_ps(z), F32::set(3.0f), _CMP_GE_OQ);
  const __m512 one = _mm512_or_ps(_mm512_and_ps(x, F32::set(-0.0f)), F32::set(1.0f));
  return F32::fma(half, _mm512_mask_mov_ps(F32::mul(z, p), far, one), half);
}

/// The epilogue of up to 32 channels.
class Finish {
 public:
  Finish(const Bf16Call& call, const float* bias, std::int64_t channel, int channels)
      : e_(*call.epilogue),
        out_(call.out),
        channel_(channel),
        stride_(call.shape.out_c),
        whole_(channels == kBf16Panel),
        left_(static_cast<__mmask16>(channels >= 16 ? 0xFFFF : (1u << channels) - 1)),
        right_(static_cast<__mmask16>(channels <= 16 ? 0 : channels >= 32 ? 0xFFFF : (1u << (channels - 16)) - 1)),
        bias_{_mm512_loadu_ps(bias), _mm512_loadu_ps(bias + 16)},
        lo_(_mm512_set1_ps(e_.lo)),
        hi_(_mm512_set1_ps(e_.hi)) {}

  /// Of `rows` pixels; sums [rows][16], those of the second 16 channels kSums numbers behind.
  void rows(std::int64_t pixel, int rows, const float* sums) const {
    std::int64_t at = pixel * stride_ + channel_;
    for (int row = 0; row < rows; ++row, at += stride_, sums += 16) {
      const __m512 left = half(sums, 0, at), right = right_ ? half(sums + kSums, 1, at + 16) : _mm512_setzero_ps();
      if (e_.output_type == DType::kFloat32) {
        auto* to = static_cast<float*>(out_) + at;
        _mm512_mask_storeu_ps(to, left_, left);
        _mm512_mask_storeu_ps(to + 16, right_, right);
        continue;
      }
      auto* to = static_cast<std::uint16_t*>(out_) + at;
      const auto both = (__m512i)_mm512_cvtne2ps_pbh(right, left);
      if (whole_)
        _mm512_storeu_si512(to, both);
      else
        _mm512_mask_storeu_epi16(to, static_cast<__mmask32>(left_) | static_cast<__mmask32>(right_) << 16, both);
    }
  }

 private:
  static __m512 widened(__m256i halves) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
  }

  __m512 residual(std::int64_t at, __mmask16 mask) const {
    if (e_.residual_type == DType::kFloat32)
      return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(e_.residual) + at);
    const auto* halves = static_cast<const std::uint16_t*>(e_.residual) + at;
    return widened(whole_ ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves))
                          : _mm256_maskz_loadu_epi16(mask, halves));
  }

  __m512 half(const float* sums, int half, std::int64_t at) const {
    __m512 v = _mm512_add_ps(_mm512_loadu_ps(sums), bias_[half]);
    if (e_.activation == UnaryOp::kGelu && e_.output_type == DType::kBFloat16)
      v = gelu_rough(v);
    else if (e_.activation != UnaryOp::kIdentity)
      v = activate<F32>(e_.activation, v);
    if (e_.residual_type != DType::kUndefined) v = _mm512_add_ps(v, residual(at, half == 0 ? left_ : right_));
    return _mm512_min_ps(hi_, _mm512_max_ps(lo_, v));  // NaN stays: it is the second operand
  }

  const FloatEpilogue& e_;
  void* out_;
  std::int64_t channel_, stride_;
  bool whole_;
  __mmask16 left_, right_;
  __m512 bias_[2], lo_, hi_;
};

}  // namespace

void conv_bf16_run(const Bf16Call& call, const ProductPart& part, std::byte* scratch) noexcept {
  scratch += (kChunk - reinterpret_cast<std::uintptr_t>(scratch) % kChunk) % kChunk;
  const Bf16Packed& w = *call.weights;
  const ConvShape& s = call.shape;
  for (std::int64_t group = 0; group < s.groups; ++group) {
    const Source source{s, static_cast<const std::byte*>(call.in) + 2 * group * s.group_in(), 2, std::byte{0}};
    const auto* weights = reinterpret_cast<const std::byte*>(w.weights.data() + group * w.panels * w.panel_lines);
    const float* bias = w.bias.data() + group * w.panels * kBf16Panel;
    const auto prepared = [](std::int64_t, std::int64_t, const std::byte*, std::int64_t, std::int64_t) {};
    const auto finish = [&](std::int64_t channel, int channels, const Sums* tiles, int count) {
      const Finish f(call, bias + channel, group * s.group_out() + channel, channels);
      for (int i = 0; i < count; ++i) f.rows(tiles[i].pixel, tiles[i].rows, reinterpret_cast<const float*>(tiles[i].at));
    };
    walk<Multiply>(source, weights, part, scratch, prepared, finish);
  }
}

}  // namespace pare::kernels::amx
