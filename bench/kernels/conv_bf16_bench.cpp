// Convolutions and products of bfloat16 on AMX tiles beside oneDNN's of the same shape, one thread:
//   OMP_NUM_THREADS=1 build/bin/pare_bench_kernels --benchmark_filter=Bf16
//     --benchmark_repetitions=3 --benchmark_enable_random_interleaving
#include "kernels/conv_bf16/conv_bf16.h"
#include "library_conv.h"

namespace pare::kernels {
namespace {

void own(benchmark::State& state, const ConvShape& s) {
  const std::vector<float> filter(static_cast<std::size_t>(s.out_c * s.in_c * s.taps()), 0.1f);
  const auto in = bench::numbers(s.batch * s.in_h * s.in_w * s.in_c);
  auto out = bench::numbers(s.pixels() * s.out_c);
  const auto packed = Bf16Weights::pack(s, filter.data(), FilterStrides::oihw(s), nullptr);
  std::vector<std::byte> scratch(conv_bf16_scratch_bytes(packed, s, 1));
  const FloatEpilogue epilogue{.lo = 0, .hi = 6, .output_type = DType::kBFloat16};
  ThreadScope threads(1);
  for (auto _ : state) {
    conv_bf16(packed, s, in.data(), epilogue, out.data(), scratch.data(), 1);
    benchmark::ClobberMemory();
  }
  bench::count_macs(state, s);
}

const bool kRegistered = [] {
  if (!isa_available(Isa::kAmx)) return false;
  for (const bench::Layer& layer : bench::kLayers) {
    const ConvShape s = bench::shape_of(layer);
    if (!bf16_fits(s)) continue;
    const auto name = [&](const char* form) { return std::string("Bf16/") + form + "/" + layer.name; };
    benchmark::RegisterBenchmark(name("onednn").c_str(), bench::library, bench::as_image(s), DType::kBFloat16);
    benchmark::RegisterBenchmark(name("own").c_str(), own, s);
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
