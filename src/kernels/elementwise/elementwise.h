// Elementwise f32 and 8-bit operators.
#pragma once

#include <span>

#include "kernels/kernel.h"

namespace pare::kernels {

/// alpha, beta as ONNX names them: kClip clamps to [alpha, beta]; kLeakyRelu, kElu slope alpha; kHardSigmoid
/// max(0, min(1, alpha·x + beta)); kGelu is the erf form, kGeluTanh the tanh form. Other operators ignore them.
enum class UnaryOp {
  kIdentity,
  kRelu,
  kClip,
  kLeakyRelu,
  kElu,
  kSelu,
  kCelu,
  kSigmoid,
  kHardSigmoid,
  kHardSwish,
  kSilu,
  kTanh,
  kSoftplus,
  kSoftsign,
  kMish,
  kGelu,
  kGeluTanh,
  kErf,
  kExp,
  kLog,
  kSqrt,
  kReciprocal,
  kNeg,
  kAbs,
  kSign,
  kFloor,
  kCeil,
  kRound,
};
struct UnaryParams {
  float alpha = 0, beta = 0;
};

/// One element, the definition (libm).
float unary_one(UnaryOp op, const UnaryParams& params, float x) noexcept;
/// out[i] = op(in[i]); in == out allowed. Within 1e-6 relative of unary_one; exact for the operators without
/// exp/log/erf.
void unary(UnaryOp op, const UnaryParams& params, std::int64_t count, const float* in, float* out) noexcept;

/// The same quantized to 8 bits (kernels/quantize), bit for bit as one after the other.
void unary_to_8bit(UnaryOp op, const UnaryParams& params, std::int64_t count, const float* in, const QuantParams& to,
                   void* out) noexcept;

enum class BinaryOp { kAdd, kSub, kMul, kDiv, kMin, kMax, kPow, kPRelu };  ///< kPRelu: a >= 0 ? a : a·b

/// A broadcast of two operands reduced to the fewest axes; strides in elements, 0 where an operand is broadcast.
struct BinaryShape {
  int rank = 0;
  std::int64_t dims[kMaxRank] = {}, a[kMaxRank] = {}, b[kMaxRank] = {};
  std::int64_t count() const noexcept;
};
/// Numpy broadcasting of dense operands. Throws Error(kUnsupported) for more than kMaxRank axes after collapsing and
/// Error(kBadInput) for shapes that do not broadcast.
BinaryShape plan_binary(std::span<const std::int64_t> a_dims, std::span<const std::int64_t> b_dims);

/// out = clamp(op(a, b), lo, hi), out dense; out may be a or b where that operand is not broadcast.
void binary(BinaryOp op, const BinaryShape& shape, const float* a, const float* b, float* out, float lo = -kInfinity,
            float hi = kInfinity) noexcept;

/// 8-bit operands and result: quantize(clamp(op(dequantize(a), dequantize(b)), lo, hi)); lo and hi are real values.
/// Meaning and rounding are those of the three ONNX operators one after the other, bit for bit.
void qbinary(BinaryOp op, const BinaryShape& shape, const QuantParams& a_params, const void* a,
             const QuantParams& b_params, const void* b, const QuantParams& out_params, void* out,
             float lo = -kInfinity, float hi = kInfinity) noexcept;

}  // namespace pare::kernels
