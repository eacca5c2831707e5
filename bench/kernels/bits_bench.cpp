// Binary and ternary weights beside oneDNN's dense int8 product of the same shape, one thread:
//   build/bin/pare_bench_kernels --benchmark_filter=Bits --benchmark_repetitions=3 --benchmark_enable_random_interleaving
// Bits/…: convolutions of ResNet-50 by bits (kernels/bitconv). Rows/…: one row by 4096 × 4096 weights (kernels/qbits), with
// as many copies of the weights as no cache holds; GB/s counts their bytes.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/rng.h"
#include "base/threads.h"
#include "kernels/bitconv/bitconv.h"
#include "kernels/qbits/qbits.h"
#include "layers.h"

namespace pare::kernels {
namespace {

using bench::Layer;

constexpr std::int64_t kSize = 4096;
constexpr int kCopies = 12;

void by_bits(benchmark::State& state, const Layer& layer, bool zeros, int bits) {
  const ConvShape s = bench::shape_of(layer);
  Rng rng(1);
  std::vector<std::int8_t> w(static_cast<std::size_t>(s.out_c * s.taps() * s.in_c));
  for (std::int8_t& x : w) x = static_cast<std::int8_t>(zeros ? static_cast<int>(rng.below(3)) - 1 : rng.below(2) ? 1 : -1);
  bench::Buffer<std::uint8_t> input, output;
  input.resize(s.batch * s.in_h * s.in_w * s.in_c);
  for (std::uint8_t& x : input) x = static_cast<std::uint8_t>(rng.below(1u << bits));
  output.resize(s.pixels() * s.out_c);
  const std::vector<float> multiplier(static_cast<std::size_t>(s.out_c), 1e-2f);
  const auto packed = BitConvWeights::pack(s, {w.data(), false, FilterStrides::oihw(s), nullptr},
                                           {DType::kUint8, 0, 0, bits}, nullptr);
  QConvEpilogue epilogue;
  epilogue.multiplier = multiplier.data();
  std::vector<std::byte> scratch(bitconv_scratch_bytes(packed, s, 1));
  const ThreadScope threads(1);
  for (auto _ : state) {
    bitconv(packed, s, input.data(), epilogue, output.data(), scratch.data(), 1);
    benchmark::ClobberMemory();
  }
  state.counters["dense_GMAC/s"] =
      benchmark::Counter(static_cast<double>(s.macs()) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// The same row by weights of `bits` bits, or of eight by the dense kernel.
void one_row(benchmark::State& state, int bits) {
  const ConvShape s = ConvShape::matmul(1, kSize, kSize);
  Rng rng(1);
  std::vector<std::int8_t> w(static_cast<std::size_t>(kSize * kSize));
  const int low = bits == 1 ? 0 : -(1 << (bits - 1));
  for (std::int8_t& x : w) x = static_cast<std::int8_t>(low + static_cast<int>(rng.below(1u << bits)));
  const QConvFilter filter{w.data(), false, {kSize, 1, 0, 0}, nullptr};
  std::vector<QBitsWeights> few;
  std::vector<QConvWeights> dense;
  for (int i = 0; i < kCopies; ++i)
    if (bits < 8)
      few.push_back(QBitsWeights::pack(s, filter, *QBitsWeights::code_of(s, filter), DType::kUint8, 0, nullptr));
    else
      dense.push_back(QConvWeights::pack(s, filter, DType::kUint8, 0, nullptr));
  const std::vector<std::uint8_t> input(kSize, 7);
  std::vector<std::uint8_t> output(kSize);
  const std::vector<float> multiplier(kSize, 1e-2f);
  QConvEpilogue epilogue;
  epilogue.multiplier = multiplier.data();
  std::vector<std::byte> scratch(bits < 8 ? qbits_scratch_bytes(few[0], s) : qconv_scratch_bytes(dense[0], s, 1));
  const ThreadScope threads(1);
  std::size_t next = 0;
  for (auto _ : state) {
    const std::size_t i = next++ % kCopies;
    if (bits < 8)
      qbits(few[i], s, input.data(), epilogue, output.data(), scratch.data(), 1);
    else
      qconv(dense[i], s, input.data(), epilogue, output.data(), scratch.data(), 1);
    benchmark::ClobberMemory();
  }
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(kSize * kSize) * bits / 8 * 1e-9,
                                              benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  for (const Layer& layer : bench::kLayers)
    for (const bool zeros : {false, true})
      for (const int bits : {1, 2})
        benchmark::RegisterBenchmark((std::string("Bits/") + (zeros ? "ternary" : "binary") + "/inputs" +
                                      std::to_string(bits) + "/" + layer.name).c_str(),
                                     [=](benchmark::State& state) { by_bits(state, layer, zeros, bits); });
  for (const int bits : {1, 2, 4, 8})
    benchmark::RegisterBenchmark(("Rows/weights" + std::to_string(bits)).c_str(),
                                 [=](benchmark::State& state) { one_row(state, bits); });
  return true;
}();

}  // namespace
}  // namespace pare::kernels
