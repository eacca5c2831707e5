// Winograd convolutions beside oneDNN's direct ones of the same shape, one thread:
//   OMP_NUM_THREADS=1 build/bin/pare_bench_kernels --benchmark_filter=Winograd
//     --benchmark_repetitions=3 --benchmark_enable_random_interleaving
#include "float_layer.h"
#include "kernels/winograd/winograd.h"
#include "library_conv.h"

namespace pare::kernels {
namespace {

void transformed(benchmark::State& state, const bench::Layer& layer, WinogradTile tile) {
  bench::FloatLayer d(layer, 0);
  const auto packed =
      WinogradWeights::pack(d.shape, tile, d.weights.data(), FilterStrides::oihw(d.shape), d.bias.data());
  std::vector<std::byte> scratch(winograd_scratch_bytes(packed, d.shape, 1));
  ThreadScope threads(1);
  for (auto _ : state) {
    winograd(packed, d.shape, d.input.data(), {nullptr, 0, kInfinity}, d.output.data(), scratch.data(), 1);
    benchmark::ClobberMemory();
  }
  bench::count_macs(state, d.shape);
}

const bool kRegistered = [] {
  for (const bench::Layer& layer : bench::kLayers) {
    if (layer.taps != 3) continue;
    const auto name = [&](const char* form) { return std::string("Winograd/") + form + "/" + layer.name; };
    benchmark::RegisterBenchmark(name("direct").c_str(), bench::dense, layer);
    benchmark::RegisterBenchmark(name("4x4").c_str(), transformed, layer, WinogradTile::k4x4);
    benchmark::RegisterBenchmark(name("2x2").c_str(), transformed, layer, WinogradTile::k2x2);
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
