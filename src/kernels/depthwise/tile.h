// The algorithm of the vector rows, over a policy V of the including file (what is made of it must stay in that file):
//   F32, kVectors       registers of f32, and how many of them hold kLanes channels
//   load<kWhole>(pixel, channel, n)   kVectors registers of inputs: kLanes channels, or the first n
//   Finish(epilogue, out)             and its write<kWhole>(at, n, sums): what becomes of the sums of an output
#pragma once

#include "kernels/depthwise/strip.h"
#include "kernels/vec_activation.h"

namespace pare::kernels {

/// The policy of float32 inputs over a vector type.
template <class Vector>
struct DepthwiseFloats {
  using F32 = Vector;
  using Type = typename Vector::Type;
  static constexpr int kVectors = 1, kLanes = Vector::kLanes;
  struct Input {
    Type part[1];
  };
  template <bool kWhole>
  static Input load(const void* pixel, std::int64_t channel, std::int64_t n) {
    const float* at = static_cast<const float*>(pixel) + channel;
    return {{kWhole ? F32::load(at) : F32::load_some(at, n, 0.0f)}};
  }

  struct Finish {
    FloatEpilogue e;
    float* out;
    Type lo, hi;
    Finish(const FloatEpilogue& given, void* to)
        : e(given), out(static_cast<float*>(to)), lo(F32::set(e.lo)), hi(F32::set(e.hi)) {}

    template <bool kWhole>
    void write(std::int64_t at, std::int64_t n, const Type (&sums)[1]) const {
      Type y = e.activation == UnaryOp::kIdentity ? sums[0] : activate<F32>(e.activation, sums[0]);
      if (e.residual) y = F32::add(y, F32::load_some(static_cast<const float*>(e.residual) + at, n, 0.0f));
      y = F32::min(hi, F32::max(lo, y));  // NaN stays: it is the second operand
      kWhole ? F32::store(out + at, y) : F32::store_some(out + at, n, y);
    }
  };
};

/// `kOutputs` outputs of kW taps a line, kStride apart; kW = 0: of any number, one output.
template <class V, int kW, int kStride, int kOutputs, bool kWhole>
inline __attribute__((always_inline)) void depthwise_block(const DepthwiseStrip& s, std::int64_t block,
                                                           const typename V::Finish& finish) {
  using F = typename V::F32;
  constexpr int kVectors = V::kVectors;
  const std::int64_t channel = block * V::kLanes, n = s.channels - channel;
  const float* weights = s.weights + block * s.block_taps * V::kLanes;
  typename F::Type sums[kOutputs][kVectors];
#pragma GCC unroll 8
  for (auto& sum : sums)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sum[v] = F::load(s.bias + channel + v * F::kLanes);
  const void* const* at = s.at;
  for (int line = 0; line < s.lines; ++line, at += s.columns) {
    if constexpr (kW == 0) {
      for (int x = 0; x < s.kw; ++x, weights += V::kLanes) {
        const auto in = V::template load<kWhole>(at[x], channel, n);
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v)
          sums[0][v] = F::fma(in.part[v], F::load(weights + v * F::kLanes), sums[0][v]);
      }
    } else {
      typename F::Type w[kW][kVectors];
#pragma GCC unroll 8
      for (int x = 0; x < kW; ++x)
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) w[x][v] = F::load(weights + x * V::kLanes + v * F::kLanes);
      weights += kW * V::kLanes;
#pragma GCC unroll 32
      for (int column = 0; column < (kOutputs - 1) * kStride + kW; ++column) {
        const auto in = V::template load<kWhole>(at[column], channel, n);
#pragma GCC unroll 8
        for (int r = 0; r < kOutputs; ++r) {
          const int x = column - r * kStride;
          if (x < 0 || x >= kW) continue;
#pragma GCC unroll 2
          for (int v = 0; v < kVectors; ++v) sums[r][v] = F::fma(in.part[v], w[x][v], sums[r][v]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kOutputs; ++r) finish.template write<kWhole>(s.first + r * s.channels + channel, n, sums[r]);
}

template <class V, int kW, int kStride, int kOutputs>
void depthwise_blocks(const DepthwiseStrip& s) {
  const typename V::Finish finish(*s.epilogue, s.out);
  for (std::int64_t i = s.block_begin; i < s.block_end; ++i)
    if ((i + 1) * V::kLanes <= s.channels)
      depthwise_block<V, kW, kStride, kOutputs, true>(s, i, finish);
    else
      depthwise_block<V, kW, kStride, kOutputs, false>(s, i, finish);
}

template <class V>
void depthwise_outputs(const DepthwiseStrip& s) {
  if (s.outputs != kDepthwiseStrip) return depthwise_blocks<V, 0, 1, 1>(s);
  if (s.kw == 3)
    s.stride == 1 ? depthwise_blocks<V, 3, 1, kDepthwiseStrip>(s) : depthwise_blocks<V, 3, 2, kDepthwiseStrip>(s);
  else
    s.stride == 1 ? depthwise_blocks<V, 5, 1, kDepthwiseStrip>(s) : depthwise_blocks<V, 5, 2, kDepthwiseStrip>(s);
}

}  // namespace pare::kernels
