// Blocks of neighbouring columns in f64; an innermost axis is one column whose terms are spread over several partial
// results.
#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/threads.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kLanes = 32;

double larger(double a, double b) noexcept { return (a > b || a != a) ? a : b; }  // NaN wins
double smaller(double a, double b) noexcept { return (a < b || a != a) ? a : b; }

/// use(identity, step, join): step adds a term, join merges two partial results.
template <class Use>
void with_operator(ReduceOp op, const Use& use) noexcept {
  const auto plus = [](double a, double b) { return a + b; };
  switch (op) {
    case ReduceOp::kSum:
    case ReduceOp::kMean:
      return use(
          0.0, [](double s, double x) { return s + x; }, plus);
    case ReduceOp::kSumSquare:
    case ReduceOp::kL2:
      return use(
          0.0, [](double s, double x) { return s + x * x; }, plus);
    case ReduceOp::kL1:
      return use(
          0.0, [](double s, double x) { return s + std::fabs(x); }, plus);
    case ReduceOp::kProd:
      return use(
          1.0, [](double s, double x) { return s * x; }, [](double a, double b) { return a * b; });
    case ReduceOp::kMax:
      return use(-HUGE_VAL, larger, larger);
    case ReduceOp::kMin:
      return use(HUGE_VAL, smaller, smaller);
    case ReduceOp::kLogSumExp:
      return;  // two passes, below
  }
}

float finish(ReduceOp op, double v, std::int64_t axis) noexcept {
  if (op == ReduceOp::kMean) v /= static_cast<double>(axis);
  if (op == ReduceOp::kL2) v = std::sqrt(v);
  return static_cast<float>(v);
}

template <class Step>
void columns(double identity, const Step& step, const float* in, std::int64_t axis, std::int64_t inner,
             std::int64_t count, double* result) noexcept {
  std::fill_n(result, count, identity);
  for (std::int64_t a = 0; a < axis; ++a) {
    for (std::int64_t l = 0; l < count; ++l) result[l] = step(result[l], in[a * inner + l]);
  }
}

template <class Step, class Join>
double row(double identity, const Step& step, const Join& join, const float* in, std::int64_t axis) noexcept {
  double partial[kLanes];
  std::fill_n(partial, kLanes, identity);
  std::int64_t a = 0;
  for (; a + kLanes <= axis; a += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) partial[l] = step(partial[l], in[a + l]);
  }
  for (; a < axis; ++a) partial[0] = step(partial[0], in[a]);
  for (std::int64_t l = 1; l < kLanes; ++l) partial[0] = join(partial[0], partial[l]);
  return partial[0];
}

double log_sum_exp(const float* in, std::int64_t axis, std::int64_t inner) noexcept {
  double max = -HUGE_VAL, sum = 0;
  for (std::int64_t a = 0; a < axis; ++a) max = larger(max, in[a * inner]);
  if (!std::isfinite(max)) return max;
  for (std::int64_t a = 0; a < axis; ++a) sum += std::exp(in[a * inner] - max);
  return max + std::log(sum);
}

/// Up to kLanes neighbouring outputs.
void block(ReduceOp op, const float* in, std::int64_t axis, std::int64_t inner, std::int64_t count,
           float* out) noexcept {
  double result[kLanes];
  if (op == ReduceOp::kLogSumExp) {
    for (std::int64_t l = 0; l < count; ++l) result[l] = log_sum_exp(in + l, axis, inner);
  } else {
    with_operator(op, [&](double identity, auto step, auto join) {
      if (inner == 1)
        result[0] = row(identity, step, join, in, axis);
      else
        columns(identity, step, in, axis, inner, count, result);
    });
  }
  for (std::int64_t l = 0; l < count; ++l) out[l] = finish(op, result[l], axis);
}

/// use(outer, first column, number of columns) in parallel.
template <class Use>
void for_blocks(std::int64_t outer, std::int64_t axis, std::int64_t inner, const Use& use) noexcept {
  const std::int64_t blocks = (inner + kLanes - 1) / kLanes;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t from = unit % blocks * kLanes;
      use(unit / blocks, from, std::min(kLanes, inner - from));
    }
  };
  const std::int64_t work = std::max<std::int64_t>(1, axis * std::min(inner, kLanes));
  parallel_for(outer * blocks, std::max<std::int64_t>(1, kGrainOperations / work), std::ref(body));
}

std::int64_t best_index(bool largest, bool last, const float* in, std::int64_t axis, std::int64_t inner) noexcept {
  std::int64_t best = 0;
  for (std::int64_t a = 1; a < axis; ++a) {
    const float x = in[a * inner], y = in[best * inner];
    const bool better = largest ? x > y : x < y;
    if (better || (last && x == y)) best = a;
  }
  return best;
}

}  // namespace

void reduce(ReduceOp op, std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* in,
            float* out) noexcept {
  for_blocks(outer, axis, inner, [&](std::int64_t o, std::int64_t from, std::int64_t count) {
    block(op, in + o * axis * inner + from, axis, inner, count, out + o * inner + from);
  });
}

void arg_reduce(bool largest, bool select_last, std::int64_t outer, std::int64_t axis, std::int64_t inner,
                const float* in, std::int64_t* out) noexcept {
  for_blocks(outer, axis, inner, [&](std::int64_t o, std::int64_t from, std::int64_t count) {
    for (std::int64_t l = from; l < from + count; ++l) {
      out[o * inner + l] = best_index(largest, select_last, in + o * axis * inner + l, axis, inner);
    }
  });
}

}  // namespace pare::kernels
