// Products of single pixels by our own tiles beside oneDNN's of the same shape, one thread:
//   OMP_NUM_THREADS=1 build/bin/pare_bench_kernels --benchmark_filter=Pointwise
//     --benchmark_repetitions=3 --benchmark_enable_random_interleaving
#include "float_layer.h"
#include "kernels/pointwise/pointwise.h"
#include "library_conv.h"

namespace pare::kernels {
namespace {

void own(benchmark::State& state, const bench::Layer& layer) {
  bench::FloatLayer d(layer, 0);
  const auto packed = PointwiseWeights::pack(d.shape, d.weights.data(), FilterStrides::oihw(d.shape), d.bias.data());
  ThreadScope threads(1);
  for (auto _ : state) {
    pointwise(packed, d.shape, d.input.data(), {nullptr, 0, kInfinity}, d.output.data(), 1);
    benchmark::ClobberMemory();
  }
  bench::count_macs(state, d.shape);
}

const bool kRegistered = [] {
  for (const bench::Layer& layer : bench::kLayers) {
    if (layer.taps != 1) continue;
    const auto name = [&](const char* form) { return std::string("Pointwise/") + form + "/" + layer.name; };
    benchmark::RegisterBenchmark(name("onednn").c_str(), bench::dense, layer);
    benchmark::RegisterBenchmark(name("own").c_str(), own, layer);
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
