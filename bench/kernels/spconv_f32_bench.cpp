// Unstructured sparse f32 convolutions beside oneDNN's dense one of the same shape, one thread:
//   OMP_NUM_THREADS=1 build/bin/pare_bench_kernels --benchmark_filter=SpF32 --benchmark_repetitions=3 \
//     --benchmark_enable_random_interleaving
// SpF32/90 in panels: between products of this kind, where input and output lie in panels.
#include "float_layer.h"
#include "kernels/spconv_f32/spconv_f32.h"
#include "kernels/sppanel/sppanel.h"
#include "library_conv.h"

namespace pare::kernels {
namespace {

void sparse(benchmark::State& state, const bench::Layer& layer, int percent, bool in_panels) {
  bench::FloatLayer d(layer, percent / 100.0);
  const auto packed = SpConvF32Weights::pack(d.shape, d.weights.data(), FilterStrides::oihw(d.shape), d.bias.data());
  std::vector<std::byte> scratch(spconv_f32_scratch_bytes(packed, 1));
  if (in_panels) {  // numbers do not matter
    d.input.resize(static_cast<std::size_t>(panel_elements(d.shape.batch * d.shape.in_h * d.shape.in_w, d.shape.in_c)),
                   0.1f);
    d.output.resize(static_cast<std::size_t>(panel_elements(d.shape.pixels(), d.shape.out_c)));
  }
  ThreadScope threads(1);
  for (auto _ : state) {
    spconv_f32(packed, d.shape, d.input.data(), {nullptr, 0, kInfinity}, d.output.data(), scratch.data(), 1,
               {in_panels, in_panels, in_panels});
    benchmark::ClobberMemory();
  }
  bench::count_macs(state, d.shape);
}

const bool kRegistered = [] {
  for (const bench::Layer& layer : bench::kLayers) {
    benchmark::RegisterBenchmark((std::string("SpF32/dense/") + layer.name).c_str(), bench::dense, layer);
    for (int percent : {70, 80, 90, 95})
      benchmark::RegisterBenchmark(("SpF32/" + std::to_string(percent) + "/" + layer.name).c_str(), sparse, layer,
                                   percent, false);
    benchmark::RegisterBenchmark((std::string("SpF32/90 in panels/") + layer.name).c_str(), sparse, layer, 90, true);
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
