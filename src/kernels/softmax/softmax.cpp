// Rows of the axis when it is innermost; else blocks of neighbouring columns, so that memory is read in order.
#include "kernels/softmax/softmax.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/threads.h"
#include "kernels/math.h"
#include "kernels/table.h"
#include "kernels/window.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                                            \
  namespace ns {                                                              \
  void softmax_row(const float* in, std::int64_t count, float* out) noexcept; \
  }
#include "kernels/softmax/kernels.inc"
#undef PARE_KERNEL

namespace {

struct Row {
  Isa isa;
  void (*softmax_row)(const float* in, std::int64_t count, float* out) noexcept;
};
constexpr Row kTable[] = {
#define PARE_KERNEL(file, ns, isa) {Isa::isa, ns::softmax_row},
#include "kernels/softmax/kernels.inc"
#undef PARE_KERNEL
};
constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kLanes = 16;

float row_max(const float* in, std::int64_t count) noexcept {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -kInfinity);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] = in[i + l] > lanes[l] ? in[i + l] : lanes[l];
  }
  for (; i < count; ++i) lanes[0] = in[i] > lanes[0] ? in[i] : lanes[0];
  return *std::max_element(lanes, lanes + kLanes);
}

float row_sum(const float* in, std::int64_t count) noexcept {
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] += in[i + l];
  }
  for (; i < count; ++i) lanes[0] += in[i];
  float sum = 0;
  for (float lane : lanes) sum += lane;
  return sum;
}

/// out = e^(in − shift); a loop of its own, which the compiler turns into full vectors.
void row_exp(const float* in, std::int64_t count, float shift, float* out) noexcept {
  for (std::int64_t i = 0; i < count; ++i) out[i] = vector_exp_negative(in[i] - shift);
}

void log_softmax_row(const float* in, std::int64_t count, float* out) noexcept {
  constexpr std::int64_t kBlock = 256;
  float terms[kBlock];
  const float max = row_max(in, count);
  float sum = 0;
  for (std::int64_t i = 0; i < count; i += kBlock) {
    const std::int64_t part = std::min(kBlock, count - i);
    row_exp(in + i, part, max, terms);
    sum += row_sum(terms, part);
  }
  const float log_sum = std::log(sum);
  for (std::int64_t i = 0; i < count; ++i) out[i] = (in[i] - max) - log_sum;
}

/// Up to kLanes neighbouring columns of [axis, inner].
void columns(bool log, const float* in, std::int64_t axis, std::int64_t inner, std::int64_t count,
             float* out) noexcept {
  float max[kLanes], sum[kLanes] = {};
  std::fill_n(max, kLanes, -kInfinity);
  for (std::int64_t a = 0; a < axis; ++a) {
    for (std::int64_t l = 0; l < count; ++l) max[l] = in[a * inner + l] > max[l] ? in[a * inner + l] : max[l];
  }
  for (std::int64_t a = 0; a < axis; ++a) {
    for (std::int64_t l = 0; l < count; ++l) sum[l] += vector_exp_negative(in[a * inner + l] - max[l]);
  }
  if (log) std::transform(sum, sum + count, sum, [](float s) { return std::log(s); });
  for (std::int64_t a = 0; a < axis; ++a) {
    for (std::int64_t l = 0; l < count; ++l) {
      const float x = in[a * inner + l] - max[l];
      out[a * inner + l] = log ? x - sum[l] : vector_exp_negative(x) / sum[l];
    }
  }
}

void run(bool log, std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* in, float* out) noexcept {
  const std::int64_t blocks = (inner + kLanes - 1) / kLanes;
  const Row& row = *best_row(kRows);
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t from = unit % blocks * kLanes, at = unit / blocks * axis * inner + from;
      if (inner > 1)
        columns(log, in + at, axis, inner, std::min(kLanes, inner - from), out + at);
      else if (log)
        log_softmax_row(in + at, axis, out + at);
      else
        row.softmax_row(in + at, axis, out + at);
    }
  };
  parallel_for(outer * blocks, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, 8 * axis)),
               std::ref(body));
}

}  // namespace

void softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* in, float* out) noexcept {
  run(false, outer, axis, inner, in, out);
}

void log_softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* in, float* out) noexcept {
  run(true, outer, axis, inner, in, out);
}

}  // namespace pare::kernels
