#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/quantize/quantize.h"
#include "pare/error.h"
#include "pare/tensor.h"
#include "random.h"

namespace pare::kernels {
namespace {

using test::Random;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

UnaryParams params_of(UnaryOp op) {
  switch (op) {
    case UnaryOp::kClip:
      return {-0.7f, 2.5f};
    case UnaryOp::kHardSigmoid:
      return {0.2f, 0.5f};
    case UnaryOp::kCelu:
      return {1.3f, 0};
    default:
      return {0.3f, 0};
  }
}

class Unary : public testing::TestWithParam<int> {};

// The result in double, from the formulas of the ONNX operators.
double exact(UnaryOp op, const UnaryParams& p, double x) {
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const auto softplus = [](double v) { return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v))); };
  switch (op) {
    case UnaryOp::kIdentity:
      return x;
    case UnaryOp::kRelu:
      return std::max(x, 0.0);
    case UnaryOp::kClip:
      return std::min(std::max(x, static_cast<double>(p.alpha)), static_cast<double>(p.beta));
    case UnaryOp::kLeakyRelu:
      return x < 0 ? p.alpha * x : x;
    case UnaryOp::kElu:
      return x < 0 ? p.alpha * std::expm1(x) : x;
    case UnaryOp::kSelu:
      return 1.05070102214813232421875 * (x < 0 ? 1.67326319217681884765625 * std::expm1(x) : x);
    case UnaryOp::kCelu:
      return std::max(0.0, x) + std::min(0.0, p.alpha * std::expm1(x / p.alpha));
    case UnaryOp::kSigmoid:
      return sigmoid(x);
    case UnaryOp::kHardSigmoid:
      return std::max(0.0, std::min(1.0, static_cast<double>(p.alpha) * x + p.beta));
    case UnaryOp::kHardSwish:
      return x * std::max(0.0, std::min(1.0, x / 6 + 0.5));
    case UnaryOp::kSilu:
      return x * sigmoid(x);
    case UnaryOp::kTanh:
      return std::tanh(x);
    case UnaryOp::kSoftplus:
      return softplus(x);
    case UnaryOp::kSoftsign:
      return x / (1 + std::abs(x));
    case UnaryOp::kMish:
      return x * std::tanh(softplus(x));
    case UnaryOp::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case UnaryOp::kGeluTanh:
      return x * sigmoid(2 * std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
    case UnaryOp::kErf:
      return std::erf(x);
    case UnaryOp::kExp:
      return std::exp(x);
    case UnaryOp::kLog:
      return std::log(x);
    case UnaryOp::kSqrt:
      return std::sqrt(x);
    case UnaryOp::kReciprocal:
      return 1 / x;
    case UnaryOp::kNeg:
      return -x;
    case UnaryOp::kAbs:
      return std::abs(x);
    case UnaryOp::kSign:
      return (x > 0) - (x < 0);
    case UnaryOp::kFloor:
      return std::floor(x);
    case UnaryOp::kCeil:
      return std::ceil(x);
    case UnaryOp::kRound:
      return std::nearbyint(x);
  }
  return 0;
}

TEST_P(Unary, FollowsTheFormula) {
  const auto op = static_cast<UnaryOp>(GetParam());
  const UnaryParams p = params_of(op);
  const bool positive = op == UnaryOp::kLog || op == UnaryOp::kSqrt;
  Random random(GetParam());
  std::vector<float> in;
  for (float range : {1e-4f, 0.5f, 4.0f, 20.0f, 80.0f}) {
    for (float x : random.reals(1001, positive ? range * 1e-3f : -range, range)) in.push_back(x);
  }
  std::vector<float> out(in.size());
  unary(op, p, static_cast<std::int64_t>(in.size()), in.data(), out.data());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const double want = exact(op, p, in[i]);
    // 1 + erf cancels in the far negative tail of GELU: there the bound is absolute.
    const double tolerance =
        1e-6 * std::abs(want) + (op == UnaryOp::kGelu || op == UnaryOp::kGeluTanh ? 1e-6 * std::abs(in[i]) : 1e-7);
    ASSERT_NEAR(out[i], want, tolerance) << "x = " << in[i];
    ASSERT_NEAR(unary_one(op, p, in[i]), want, tolerance) << "x = " << in[i];
  }
}

TEST_P(Unary, KeepsNanAndWorksInPlaceAtOddSizes) {
  const auto op = static_cast<UnaryOp>(GetParam());
  const UnaryParams p = params_of(op);
  for (std::int64_t n = 1; n < 40; ++n) {
    Random random(n);
    std::vector<float> in = random.reals(n, 0.1f, 3), out(n);
    in[n - 1] = kNan;
    unary(op, p, n, in.data(), out.data());
    EXPECT_TRUE(std::isnan(out[n - 1]));
    unary(op, p, n, in.data(), in.data());
    for (std::int64_t i = 0; i + 1 < n; ++i) EXPECT_NEAR(in[i], out[i], 1e-6f * std::abs(out[i]));
  }
}

TEST_P(Unary, QuantizedIsBothInARow) {
  const auto op = static_cast<UnaryOp>(GetParam());
  const UnaryParams p = params_of(op);
  Random random(GetParam());
  for (const std::int64_t n : {1, 40, 1024, 3000}) {
    const QuantParams to{random.coin() ? DType::kUint8 : DType::kInt8, 0.021f, static_cast<std::int32_t>(random.integer(0, 90))};
    std::vector<float> in = random.reals(n, 0.01f, 4), out(in.size());
    in[0] = kNan;
    std::vector<std::uint8_t> want(in.size()), got(in.size());
    unary(op, p, n, in.data(), out.data());
    quantize({1, 1, n, &to.scale, &to.zero_point}, out.data(), to.type, want.data());
    unary_to_8bit(op, p, n, in.data(), to, got.data());
    EXPECT_EQ(got, want) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(AllOperators, Unary, testing::Range(0, static_cast<int>(UnaryOp::kRound) + 1));

TEST(UnaryEdges, ExponentialsAtTheEndsOfTheirRange) {
  const float in[] = {-kInfinity, -200, -103, -90, 0, 88.5f, 90, kInfinity};
  float out[8];
  unary(UnaryOp::kExp, {}, 8, in, out);
  for (int i = 0; i < 6; ++i) EXPECT_NEAR(out[i], std::exp(in[i]), 1e-6f * std::exp(in[i]) + 3e-45f) << in[i];
  EXPECT_EQ(out[6], kInfinity);
  EXPECT_EQ(out[7], kInfinity);
  unary(UnaryOp::kSigmoid, {}, 8, in, out);
  EXPECT_EQ(out[0], 0.0f);
  EXPECT_EQ(out[7], 1.0f);
  unary(UnaryOp::kTanh, {}, 8, in, out);
  EXPECT_EQ(out[0], -1.0f);
  EXPECT_EQ(out[7], 1.0f);
}

struct BinaryCase {
  std::vector<std::int64_t> a_dims, b_dims, out_dims;
};

BinaryCase random_broadcast(Random& random) {
  BinaryCase c;
  const std::int64_t rank = random.integer(0, 5);
  for (std::int64_t i = 0; i < rank; ++i) {
    const std::int64_t dim = random.integer(1, i + 1 == rank ? 40 : 5), which = random.integer(0, 4);
    c.a_dims.push_back(which == 0 ? 1 : dim);
    c.b_dims.push_back(which == 1 ? 1 : dim);
    c.out_dims.push_back(dim);
  }
  auto& shorter = random.coin() ? c.a_dims : c.b_dims;  // leading axes may be absent; where they matter they broadcast
  auto& longer = &shorter == &c.a_dims ? c.b_dims : c.a_dims;
  for (std::int64_t drop = random.integer(0, rank); drop > 0; --drop) {
    longer[c.out_dims.size() - shorter.size()] = c.out_dims[c.out_dims.size() - shorter.size()];
    shorter.erase(shorter.begin());
  }
  return c;
}

std::int64_t count_of(const std::vector<std::int64_t>& dims) {
  std::int64_t n = 1;
  for (std::int64_t d : dims) n *= d;
  return n;
}

std::int64_t index_in(const std::vector<std::int64_t>& dims, const std::vector<std::int64_t>& out_dims,
                      std::int64_t at) {
  std::int64_t index = 0, stride = 1;
  for (std::size_t i = 1; i <= out_dims.size(); ++i) {
    const std::int64_t coordinate = at % out_dims[out_dims.size() - i];
    at /= out_dims[out_dims.size() - i];
    if (i > dims.size()) continue;
    const std::int64_t dim = dims[dims.size() - i];
    index += (dim == 1 ? 0 : coordinate) * stride, stride *= dim;
  }
  return index;
}

float definition(BinaryOp op, float a, float b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMin:
      return std::min(a, b);
    case BinaryOp::kMax:
      return std::max(a, b);
    case BinaryOp::kPow:
      return std::pow(a, b);
    case BinaryOp::kPRelu:
      return a >= 0 ? a : a * b;
  }
  return 0;
}

TEST(Binary, RandomBroadcasts) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    const BinaryCase c = random_broadcast(random);
    const auto op = static_cast<BinaryOp>(random.integer(0, 7));
    const std::vector<float> a = random.reals(count_of(c.a_dims), op == BinaryOp::kPow ? 0.1f : -3.0f, 3),
                             b = random.reals(count_of(c.b_dims), -3, 3);
    const float lo = random.coin() ? -kInfinity : -1.0f, hi = random.coin() ? kInfinity : 2.0f;
    const BinaryShape shape = plan_binary(c.a_dims, c.b_dims);
    ASSERT_EQ(shape.count(), count_of(c.out_dims));
    std::vector<float> out(shape.count());
    binary(op, shape, a.data(), b.data(), out.data(), lo, hi);
    for (std::int64_t i = 0; i < shape.count(); ++i) {
      const float v = definition(op, a[index_in(c.a_dims, c.out_dims, i)], b[index_in(c.b_dims, c.out_dims, i)]);
      ASSERT_EQ(out[i], std::min(std::max(v, lo), hi)) << "seed " << seed;
    }
  }
}

TEST(Binary, QuantizedIsTheThreeOperatorsInARow) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    const BinaryCase c = random_broadcast(random);
    const auto op = static_cast<BinaryOp>(random.integer(0, 5));
    const auto params = [&] {
      const DType type = random.coin() ? DType::kInt8 : DType::kUint8;
      return QuantParams{type, random.real(0.01f, 0.2f),
                         static_cast<std::int32_t>(random.integer(0, 255)) - (type == DType::kInt8 ? 128 : 0)};
    };
    const QuantParams pa = params(), pb = params(), po = params();
    const std::vector<std::uint8_t> a = random.bytes(count_of(c.a_dims)), b = random.bytes(count_of(c.b_dims));
    const float lo = random.coin() ? 0.0f : -kInfinity, hi = random.coin() ? 6.0f : kInfinity;
    const BinaryShape shape = plan_binary(c.a_dims, c.b_dims);
    std::vector<std::uint8_t> out(shape.count());
    qbinary(op, shape, pa, a.data(), pb, b.data(), po, out.data(), lo, hi);
    const auto real = [](const QuantParams& p, std::uint8_t byte) {
      return static_cast<float>((p.type == DType::kInt8 ? static_cast<std::int8_t>(byte) : byte) - p.zero_point) *
             p.scale;
    };
    for (std::int64_t i = 0; i < shape.count(); ++i) {
      const float v = definition(op, real(pa, a[index_in(c.a_dims, c.out_dims, i)]),
                                 real(pb, b[index_in(c.b_dims, c.out_dims, i)]));
      const float clamped = v != v ? v : std::min(std::max(v, lo), hi);
      const std::int32_t got = po.type == DType::kInt8 ? static_cast<std::int8_t>(out[i]) : out[i];
      ASSERT_EQ(got, quantize_one(clamped, po.scale, po.zero_point, po.type)) << "seed " << seed;
    }
  }
}

TEST(Binary, PlanCollapsesToFewAxesAndRefusesWhatDoesNotBroadcast) {
  EXPECT_EQ(plan_binary(Dims{2, 3, 4, 5}, Dims{2, 3, 4, 5}).rank, 1);
  EXPECT_EQ(plan_binary(Dims{2, 3, 4, 5}, Dims{5}).rank, 2);
  EXPECT_EQ(plan_binary(Dims{2, 3, 4, 5}, Dims{3, 1, 1}).rank, 3);
  EXPECT_EQ(plan_binary(Dims{}, Dims{}).count(), 1);
  EXPECT_EQ(plan_binary(Dims{0, 3}, Dims{1, 3}).count(), 0);
  try {
    plan_binary(Dims{2, 3}, Dims{4});
    FAIL() << "shapes that do not broadcast were accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
  }
}

}  // namespace
}  // namespace pare::kernels
