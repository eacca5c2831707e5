// Binary operators: stretches of the innermost axis, in which each operand is either dense or one value.
#include <algorithm>
#include <cmath>
#include <functional>

#include "base/threads.h"
#include "kernels/elementwise/qbinary.h"
#include "kernels/quantize/quantize.h"
#include "kernels/window.h"

namespace pare::kernels {

#define PARE_UNARY(file, ns, isa)
#define PARE_KERNEL(file, ns, isa)                  \
  namespace ns {                                    \
  bool qbinary_span(const QBinarySpan& s) noexcept; \
  }
#include "kernels/elementwise/kernels.inc"
#undef PARE_KERNEL

namespace {

using QBinaryKernel = bool (*)(const QBinarySpan&) noexcept;

/// The best row; nullptr: the portable loops.
QBinaryKernel choose() noexcept {
#define PARE_KERNEL(file, ns, isa) \
  if (isa_available(Isa::isa)) return ns::qbinary_span;
#include "kernels/elementwise/kernels.inc"
#undef PARE_KERNEL
#undef PARE_UNARY
  return nullptr;
}

constexpr std::int64_t kPiece = 256;  ///< elements of the f32 buffers of 8-bit operators

/// use(f) with the operator as a callable of two floats.
template <class Use>
void with_operator(BinaryOp op, const Use& use) noexcept {
  switch (op) {
    case BinaryOp::kAdd:
      return use([](float a, float b) { return a + b; });
    case BinaryOp::kSub:
      return use([](float a, float b) { return a - b; });
    case BinaryOp::kMul:
      return use([](float a, float b) { return a * b; });
    case BinaryOp::kDiv:
      return use([](float a, float b) { return a / b; });
    case BinaryOp::kMin:
      return use([](float a, float b) { return (a < b || a != a) ? a : b; });
    case BinaryOp::kMax:
      return use([](float a, float b) { return (a > b || a != a) ? a : b; });
    case BinaryOp::kPow:
      return use([](float a, float b) { return std::pow(a, b); });
    case BinaryOp::kPRelu:
      return use([](float a, float b) { return a < 0.0f ? a * b : a; });
  }
}

struct Clamp {
  float lo, hi;
  float operator()(float v) const noexcept {  // NaN stays
    v = v < lo ? lo : v;
    return v > hi ? hi : v;
  }
};

/// out[i] = f(a[i·step], b[i·step]) with steps of 0 or 1. No restrict: out may be an operand.
template <class F>
void run_f32(const F& f, Clamp clamp, std::int64_t count, const float* a, bool a_steps, const float* b, bool b_steps,
             float* out) noexcept {
  if (a_steps && b_steps) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = clamp(f(a[i], b[i]));
  } else if (a_steps) {
    const float value = *b;
    for (std::int64_t i = 0; i < count; ++i) out[i] = clamp(f(a[i], value));
  } else if (b_steps) {
    const float value = *a;
    for (std::int64_t i = 0; i < count; ++i) out[i] = clamp(f(value, b[i]));
  } else {
    std::fill_n(out, count, clamp(f(*a, *b)));
  }
}

/// run(count, offset of a, offset of b, offset of out) over stretches of the innermost axis, in parallel.
template <class Run>
void for_stretches(const BinaryShape& s, const Run& run) noexcept {
  constexpr std::int64_t kStretch = 4096;
  const std::int64_t inner = s.dims[s.rank - 1], pieces = (inner + kStretch - 1) / kStretch;
  const std::int64_t outer = inner == 0 ? 0 : s.count() / inner;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t row = unit / pieces, from = unit % pieces * kStretch;
      std::int64_t a = from * s.a[s.rank - 1], b = from * s.b[s.rank - 1], rest = row;
      for (int axis = s.rank - 2; axis >= 0; --axis) {
        const std::int64_t index = rest % s.dims[axis];
        rest /= s.dims[axis];
        a += index * s.a[axis], b += index * s.b[axis];
      }
      run(std::min(kStretch, inner - from), a, b, row * inner + from);
    }
  };
  const std::int64_t grain = kGrainOperations / std::max<std::int64_t>(1, std::min(inner, kStretch));
  parallel_for(outer * pieces, std::max<std::int64_t>(1, grain), std::ref(body));
}

void dequantize_run(const QuantParams& p, const void* in, std::int64_t offset, std::int64_t count,
                    float* out) noexcept {
  if (p.type == DType::kInt8) {
    const auto* q = static_cast<const std::int8_t*>(in) + offset;
    for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(q[i] - p.zero_point) * p.scale;
  } else {
    const auto* q = static_cast<const std::uint8_t*>(in) + offset;
    for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(q[i] - p.zero_point) * p.scale;
  }
}

template <class F>
void run_8bit(const F& f, const QBinarySpan& s) noexcept {
  float x[kPiece], y[kPiece];
  if (!s.a_steps) dequantize_run(s.a_params, s.a, 0, 1, x);
  if (!s.b_steps) dequantize_run(s.b_params, s.b, 0, 1, y);
  for (std::int64_t done = 0; done < s.count; done += kPiece) {
    const std::int64_t n = std::min(kPiece, s.count - done);
    float z[kPiece];
    if (s.a_steps) dequantize_run(s.a_params, s.a, done, n, x);
    if (s.b_steps) dequantize_run(s.b_params, s.b, done, n, y);
    run_f32(f, Clamp{s.lo, s.hi}, n, x, s.a_steps, y, s.b_steps, z);
    quantize_span(z, n, s.out_params, static_cast<std::uint8_t*>(s.out) + done);
  }
}

}  // namespace

void binary(BinaryOp op, const BinaryShape& shape, const float* a, const float* b, float* out, float lo,
            float hi) noexcept {
  const bool a_steps = shape.a[shape.rank - 1] != 0, b_steps = shape.b[shape.rank - 1] != 0;
  with_operator(op, [&](auto f) {
    for_stretches(shape, [&](std::int64_t count, std::int64_t a_at, std::int64_t b_at, std::int64_t at) {
      run_f32(f, Clamp{lo, hi}, count, a + a_at, a_steps, b + b_at, b_steps, out + at);
    });
  });
}

void qbinary(BinaryOp op, const BinaryShape& shape, const QuantParams& a_params, const void* a,
             const QuantParams& b_params, const void* b, const QuantParams& out_params, void* out, float lo,
             float hi) noexcept {
  const QBinaryKernel kernel = choose();
  const auto span = [&](std::int64_t count, std::int64_t a_at, std::int64_t b_at, std::int64_t at) {
    return QBinarySpan{op,
                       count,
                       a_params,
                       b_params,
                       out_params,
                       static_cast<const std::byte*>(a) + a_at,
                       static_cast<const std::byte*>(b) + b_at,
                       shape.a[shape.rank - 1] != 0,
                       shape.b[shape.rank - 1] != 0,
                       lo,
                       hi,
                       static_cast<std::byte*>(out) + at};
  };
  with_operator(op, [&](auto f) {
    for_stretches(shape, [&](std::int64_t count, std::int64_t a_at, std::int64_t b_at, std::int64_t at) {
      const QBinarySpan s = span(count, a_at, b_at, at);
      if (!kernel || !kernel(s)) run_8bit(f, s);
    });
  });
}

}  // namespace pare::kernels
