// What all kernel families share. Conventions: raw pointers, dense tensors, activations NHWC; buffers need no alignment
// and no slack; in and out may not overlap unless a function says so. Functions run on the OpenMP team of the calling
// thread (pare::ThreadScope), are noexcept, allocate nothing and give the same bits for every thread count; packing
// allocates.
//
// A family with several implementations has a table kernels.inc, best first; the first row that PARE_FORCE_ISA and the
// CPU allow (pare::isa_available) is taken, `reference` (scalar) is the last. All rows of an integer family agree bit
// for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/cpu.h"
#include "pare/dtype.h"

namespace pare::kernels {

inline constexpr int kMaxRank = 8;

/// Geometry of a 2-d convolution over NHWC. A matrix product of M rows, K inputs, N outputs is batch = M, in_c = K,
/// out_c = N with every other field at its default (ConvShape::matmul).
struct ConvShape {
  std::int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, out_c = 1;
  std::int64_t kh = 1, kw = 1, stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0, dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;

  std::int64_t pixels() const noexcept { return batch * out_h * out_w; }
  std::int64_t taps() const noexcept { return kh * kw; }
  std::int64_t group_in() const noexcept { return in_c / groups; }
  std::int64_t group_out() const noexcept { return out_c / groups; }
  /// Multiply-adds, padding counted.
  std::int64_t macs() const noexcept { return pixels() * out_c * taps() * group_in(); }
  static ConvShape matmul(std::int64_t m, std::int64_t k, std::int64_t n) noexcept {
    ConvShape s;
    s.batch = m, s.in_c = k, s.out_c = n;
    return s;
  }
};

/// Where element (o, i, y, x) of a convolution's weights lies, in elements: any layout is read in place.
/// ONNX Conv [O, I/groups, kh, kw] is FilterStrides::oihw(shape); MatMul B [K, N] is {1, N, 0, 0}; Gemm transB [N, K]
/// is {K, 1, 0, 0}.
struct FilterStrides {
  std::int64_t o = 0, i = 0, y = 0, x = 0;
  static FilterStrides oihw(const ConvShape& s) noexcept { return {s.group_in() * s.taps(), s.taps(), s.kw, 1}; }
};

/// real = (q − zero_point) · scale; type kUint8 or kInt8 (kInt32 where a function says so).
struct QuantParams {
  DType type = DType::kUint8;
  float scale = 1.0f;
  std::int32_t zero_point = 0;
};

/// Bytes: what threads write again and again begins as far apart. Lines that two of them write, and those that a CPU
/// fetches ahead up to the end of a page, would else travel between the cores.
inline constexpr std::size_t kApart = 4096;
constexpr std::size_t apart(std::size_t bytes) noexcept { return (bytes + kApart - 1) / kApart * kApart; }

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace pare::kernels
