// Unary operators: one loop an operator, vectorized by the compiler where the operator is not a call into libm.
#include <algorithm>
#include <cmath>
#include <functional>

#include "base/threads.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/math.h"
#include "kernels/quantize/quantize.h"
#include "kernels/window.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)
#define PARE_UNARY(file, ns, isa)                                                        \
  namespace ns {                                                                         \
  bool unary_span(UnaryOp op, std::int64_t count, const float* in, float* out) noexcept; \
  }
#include "kernels/elementwise/kernels.inc"
#undef PARE_UNARY

namespace {

constexpr float kSeluAlpha = 1.67326319217681884765625f, kSeluGamma = 1.05070102214813232421875f;  // ONNX defaults

inline float clamp(float x, float lo, float hi) noexcept {  // NaN stays
  x = x < lo ? lo : x;
  return x > hi ? hi : x;
}
inline float softplus(float x) noexcept { return std::fmax(x, 0.0f) + std::log1p(std::exp(-std::fabs(x))); }
inline float gelu_tanh_inner(float x) noexcept { return 0.7978845608028654f * (x + 0.044715f * x * x * x); }

/// Exact math (libm) and the vectorizable one, for operators that are written once over both.
struct Libm {
  static float exp(float x) noexcept { return std::exp(x); }
  static float expm1(float x) noexcept { return std::expm1(x); }
  static float tanh(float x) noexcept { return std::tanh(x); }
  static float erf(float x) noexcept { return std::erf(x); }
};
struct Vector {
  static float exp(float x) noexcept { return vector_exp(x); }
  static float expm1(float x) noexcept { return vector_expm1(x); }
  static float tanh(float x) noexcept { return vector_tanh(x); }
  static float erf(float x) noexcept { return vector_erf(x); }
};

template <class M>
float sigmoid(float x) noexcept {
  return 1.0f / (1.0f + M::exp(-x));
}
template <class M>
float elu(float x, float alpha, float divisor) noexcept {
  const float negative = alpha * M::expm1(x / divisor);
  return x < 0.0f ? negative : x;
}

/// use(f) with the operator as a callable of one float.
template <class M, class Use>
auto with_operator(UnaryOp op, const UnaryParams& params, const Use& use) noexcept {
  const float a = params.alpha, b = params.beta;
  switch (op) {
    case UnaryOp::kIdentity:
      return use([](float x) { return x; });
    case UnaryOp::kRelu:
      return use([](float x) { return x < 0.0f ? 0.0f : x; });
    case UnaryOp::kClip:
      return use([a, b](float x) { return clamp(x, a, b); });
    case UnaryOp::kLeakyRelu:
      return use([a](float x) { return x < 0.0f ? a * x : x; });
    case UnaryOp::kElu:
      return use([a](float x) { return elu<M>(x, a, 1.0f); });
    case UnaryOp::kSelu:
      return use([](float x) { return kSeluGamma * elu<M>(x, kSeluAlpha, 1.0f); });
    case UnaryOp::kCelu:
      return use([a](float x) { return elu<M>(x, a, a); });
    case UnaryOp::kSigmoid:
      return use([](float x) { return sigmoid<M>(x); });
    case UnaryOp::kHardSigmoid:
      return use([a, b](float x) { return clamp(a * x + b, 0.0f, 1.0f); });
    case UnaryOp::kHardSwish:
      return use([](float x) { return x * clamp(x / 6.0f + 0.5f, 0.0f, 1.0f); });
    case UnaryOp::kSilu:
      return use([](float x) { return x * sigmoid<M>(x); });
    case UnaryOp::kTanh:
      return use([](float x) { return M::tanh(x); });
    case UnaryOp::kSoftplus:
      return use([](float x) { return softplus(x); });
    case UnaryOp::kSoftsign:
      return use([](float x) { return x / (1.0f + std::fabs(x)); });
    case UnaryOp::kMish:
      return use([](float x) { return x * M::tanh(softplus(x)); });
    case UnaryOp::kGelu:
      return use([](float x) { return 0.5f * x * (1.0f + M::erf(x * 0.70710678118654752f)); });
    case UnaryOp::kGeluTanh:
      return use([](float x) { return 0.5f * x * (1.0f + M::tanh(gelu_tanh_inner(x))); });
    case UnaryOp::kErf:
      return use([](float x) { return M::erf(x); });
    case UnaryOp::kExp:
      return use([](float x) { return M::exp(x); });
    case UnaryOp::kLog:
      return use([](float x) { return std::log(x); });
    case UnaryOp::kSqrt:
      return use([](float x) { return std::sqrt(x); });
    case UnaryOp::kReciprocal:
      return use([](float x) { return 1.0f / x; });
    case UnaryOp::kNeg:
      return use([](float x) { return -x; });
    case UnaryOp::kAbs:
      return use([](float x) { return std::fabs(x); });
    case UnaryOp::kSign:
      return use([](float x) { return x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : x); });
    case UnaryOp::kFloor:
      return use([](float x) { return std::floor(x); });
    case UnaryOp::kCeil:
      return use([](float x) { return std::ceil(x); });
    case UnaryOp::kRound:
      return use([](float x) { return __builtin_rintf(x); });
  }
  __builtin_unreachable();
}

}  // namespace

float unary_one(UnaryOp op, const UnaryParams& params, float x) noexcept {
  return with_operator<Libm>(op, params, [x](auto f) { return static_cast<float>(f(x)); });
}

namespace {

using UnaryKernel = bool (*)(UnaryOp, std::int64_t, const float*, float*) noexcept;

/// The best row; nullptr: the loops above.
UnaryKernel choose() noexcept {
#define PARE_UNARY(file, ns, isa) \
  if (isa_available(Isa::isa)) return ns::unary_span;
#include "kernels/elementwise/kernels.inc"
#undef PARE_UNARY
#undef PARE_KERNEL
  return nullptr;
}

/// use(span) with the operator as span(count, in, out), on the calling thread.
template <class Use>
void with_span(UnaryOp op, const UnaryParams& params, const Use& use) noexcept {
  static const UnaryKernel kernel = choose();
  if (kernel && kernel(op, 0, nullptr, nullptr))  // whether it takes the operator
    return use([=](std::int64_t count, const float* in, float* out) { kernel(op, count, in, out); });
  with_operator<Vector>(op, params, [&](auto f) {
    use([=](std::int64_t count, const float* in, float* out) {
      for (std::int64_t i = 0; i < count; ++i) out[i] = f(in[i]);
    });
  });
}

}  // namespace

void unary(UnaryOp op, const UnaryParams& params, std::int64_t count, const float* in, float* out) noexcept {
  with_span(op, params, [=](auto span) {
    const auto body = [=](std::int64_t begin, std::int64_t end) { span(end - begin, in + begin, out + begin); };
    parallel_for(count, kGrainOperations / 4, std::ref(body));
  });
}

void unary_to_8bit(UnaryOp op, const UnaryParams& params, std::int64_t count, const float* in, const QuantParams& to,
                   void* out) noexcept {
  constexpr std::int64_t kTogether = 1024;  // results that stay in the L1 cache
  with_span(op, params, [=](auto span) {
    const auto body = [=](std::int64_t begin, std::int64_t end) {
      float some[kTogether];
      for (std::int64_t i = begin; i < end; i += kTogether) {
        const std::int64_t n = std::min(kTogether, end - i);
        span(n, in + i, some);
        quantize_span(some, n, to, static_cast<std::uint8_t*>(out) + i);
      }
    };
    parallel_for(count, kGrainOperations / 4, std::ref(body));
  });
}

}  // namespace pare::kernels
