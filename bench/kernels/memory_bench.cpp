// The families that move and map elements, at the sizes of a 56 × 56 × 64 activation, one thread. Bytes count inputs
// and outputs.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "base/threads.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/layout/layout.h"
#include "kernels/lookup/lookup.h"
#include "kernels/pool/pool.h"
#include "kernels/qdepthwise/qdepthwise.h"
#include "kernels/quantize/quantize.h"
#include "kernels/softmax/softmax.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kSize = 56, kChannels = 64, kPixels = kSize * kSize, kCount = kPixels * kChannels;

struct Buffers {
  std::vector<float> a = std::vector<float>(kCount), b = std::vector<float>(kCount), c = std::vector<float>(kCount);
  std::vector<std::uint8_t> qa = std::vector<std::uint8_t>(kCount), qb = std::vector<std::uint8_t>(kCount),
                            qc = std::vector<std::uint8_t>(kCount);
  ThreadScope one{1};
  Buffers() {
    Rng rng(1, kRngTest);
    for (std::int64_t i = 0; i < kCount; ++i) {
      a[i] = static_cast<float>(rng.normal()), b[i] = static_cast<float>(rng.normal());
      qa[i] = static_cast<std::uint8_t>(rng.next()), qb[i] = static_cast<std::uint8_t>(rng.next());
    }
  }
};

template <class Body>
void measure(benchmark::State& state, std::int64_t bytes, const Body& body) {
  Buffers buffers;
  for (auto _ : state) {
    body(buffers);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * bytes);
}

void quantize_u8(benchmark::State& state) {
  const float scale = 0.05f;
  const std::int32_t zero = 120;
  measure(state, 5 * kCount, [&](Buffers& m) {
    quantize({1, 1, kCount, &scale, &zero}, m.a.data(), DType::kUint8, m.qc.data());
  });
}
BENCHMARK(quantize_u8);

void dequantize_u8(benchmark::State& state) {
  const float scale = 0.05f;
  const std::int32_t zero = 120;
  measure(state, 5 * kCount, [&](Buffers& m) {
    dequantize({1, 1, kCount, &scale, &zero}, DType::kUint8, m.qa.data(), m.c.data());
  });
}
BENCHMARK(dequantize_u8);

void quantized_add_relu(benchmark::State& state) {
  const BinaryShape shape = plan_binary(std::vector<std::int64_t>{kCount}, std::vector<std::int64_t>{kCount});
  const QuantParams a{DType::kUint8, 0.04f, 100}, b{DType::kUint8, 0.05f, 120}, out{DType::kUint8, 0.06f, 0};
  measure(state, 3 * kCount,
          [&](Buffers& m) { qbinary(BinaryOp::kAdd, shape, a, m.qa.data(), b, m.qb.data(), out, m.qc.data(), 0); });
}
BENCHMARK(quantized_add_relu);

void add_f32(benchmark::State& state) {
  const BinaryShape shape = plan_binary(std::vector<std::int64_t>{kCount}, std::vector<std::int64_t>{kCount});
  measure(state, 12 * kCount, [&](Buffers& m) { binary(BinaryOp::kAdd, shape, m.a.data(), m.b.data(), m.c.data()); });
}
BENCHMARK(add_f32);

void unary_f32(benchmark::State& state, UnaryOp op) {
  measure(state, 8 * kCount, [&](Buffers& m) { unary(op, {0, 6}, kCount, m.a.data(), m.c.data()); });
}
BENCHMARK_CAPTURE(unary_f32, relu, UnaryOp::kRelu);
BENCHMARK_CAPTURE(unary_f32, sigmoid, UnaryOp::kSigmoid);
BENCHMARK_CAPTURE(unary_f32, tanh, UnaryOp::kTanh);
BENCHMARK_CAPTURE(unary_f32, gelu, UnaryOp::kGelu);

void lookup_u8(benchmark::State& state) {
  std::uint8_t table[256];
  for (int i = 0; i < 256; ++i) table[i] = static_cast<std::uint8_t>(i * 7);
  measure(state, 2 * kCount, [&](Buffers& m) { lookup(table, kCount, m.qa.data(), m.qc.data()); });
}
BENCHMARK(lookup_u8);

PoolShape pool3x3() {
  PoolShape s;
  s.in_h = s.in_w = s.out_h = s.out_w = kSize, s.channels = kChannels;
  s.kh = s.kw = 3, s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = 1;
  return s;
}

void max_pool_3x3_u8(benchmark::State& state) {
  measure(state, 2 * kCount, [](Buffers& m) { max_pool(pool3x3(), DType::kUint8, m.qa.data(), m.qc.data()); });
}
BENCHMARK(max_pool_3x3_u8);

void max_pool_3x3_f32(benchmark::State& state) {
  measure(state, 8 * kCount, [](Buffers& m) { max_pool(pool3x3(), DType::kFloat32, m.a.data(), m.c.data()); });
}
BENCHMARK(max_pool_3x3_f32);

void global_average_u8(benchmark::State& state) {
  measure(state, kCount,
          [](Buffers& m) { global_average_pool(1, kPixels, kChannels, {}, m.qa.data(), {}, m.qc.data()); });
}
BENCHMARK(global_average_u8);

void nchw_to_nhwc(benchmark::State& state, std::int64_t element) {
  measure(state, 2 * element * kCount,
          [element](Buffers& m) { transpose2d(element, 1, kChannels, kPixels, m.a.data(), m.c.data()); });
}
BENCHMARK_CAPTURE(nchw_to_nhwc, u8, 1);
BENCHMARK_CAPTURE(nchw_to_nhwc, f32, 4);

void softmax_rows_1000(benchmark::State& state) {
  measure(state, 8 * kCount, [](Buffers& m) { softmax(kCount / 1000, 1000, 1, m.a.data(), m.c.data()); });
}
BENCHMARK(softmax_rows_1000);

ConvShape depthwise3x3() {
  return {.batch = 1,
          .in_h = kSize,
          .in_w = kSize,
          .in_c = kChannels,
          .out_h = kSize,
          .out_w = kSize,
          .out_c = kChannels,
          .kh = 3,
          .kw = 3,
          .pad_top = 1,
          .pad_left = 1,
          .groups = kChannels};
}

void depthwise_3x3_f32(benchmark::State& state) {
  const ConvShape s = depthwise3x3();
  const std::vector<float> filter(9 * kChannels, 0.1f);
  const auto packed = DepthwiseWeights::pack(s, DType::kFloat32, filter.data(), FilterStrides::oihw(s), nullptr);
  measure(state, 8 * kCount, [&](Buffers& m) { depthwise(packed, s, m.a.data(), {}, m.c.data(), 1); });
}
BENCHMARK(depthwise_3x3_f32);

void depthwise_3x3_int8(benchmark::State& state) {
  const ConvShape s = depthwise3x3();
  const std::vector<std::int8_t> filter(9 * kChannels, 11);
  const std::vector<float> multiplier(kChannels, 1e-3f);
  QConvFilter weights;
  weights.data = filter.data(), weights.strides = FilterStrides::oihw(s);
  const QDepthwiseWeights packed = QDepthwiseWeights::pack(s, weights, DType::kUint8, 120, nullptr);
  QConvEpilogue epilogue;
  epilogue.multiplier = multiplier.data();
  measure(state, 2 * kCount, [&](Buffers& m) { qdepthwise(packed, s, m.qa.data(), epilogue, m.qc.data()); });
}
BENCHMARK(depthwise_3x3_int8);

}  // namespace
}  // namespace pare::kernels
