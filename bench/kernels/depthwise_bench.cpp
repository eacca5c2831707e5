// Depthwise convolutions in float32 and bfloat16 beside oneDNN's of the same shape and type, one thread:
//   OMP_NUM_THREADS=1 build/bin/pare_bench_kernels --benchmark_filter=Depthwise
//     --benchmark_repetitions=3 --benchmark_enable_random_interleaving
#include "library_conv.h"
#include "kernels/depthwise/depthwise.h"

namespace pare::kernels {
namespace {

struct Layer {
  const char* name;
  std::int64_t size, channels, taps, stride;  ///< size: of the output's sides; taps: of the kernel's
};

constexpr Layer kLayers[] = {{"112x112x32_3x3", 112, 32, 3, 1},   {"56x56x96_3x3s2", 56, 96, 3, 2},
                             {"56x56x144_3x3", 56, 144, 3, 1},    {"28x28x192_3x3", 28, 192, 3, 1},
                             {"14x14x384_3x3", 14, 384, 3, 1},    {"7x7x960_3x3", 7, 960, 3, 1},
                             {"28x28x120_5x5", 28, 120, 5, 1},    {"14x14x672_5x5", 14, 672, 5, 1}};

ConvShape shape_of(const Layer& l) {
  return {.in_h = l.size * l.stride, .in_w = l.size * l.stride, .in_c = l.channels, .out_h = l.size, .out_w = l.size,
          .out_c = l.channels, .kh = l.taps, .kw = l.taps, .stride_h = l.stride, .stride_w = l.stride,
          .pad_top = l.taps / 2, .pad_left = l.taps / 2, .groups = l.channels};
}

void own(benchmark::State& state, const Layer& layer, DType type) {
  const ConvShape s = shape_of(layer);
  const std::int64_t words = type == DType::kFloat32 ? 2 : 1;
  const std::vector<float> filter(static_cast<std::size_t>(s.out_c * s.taps()), 0.1f);
  const auto in = bench::numbers(s.in_h * s.in_w * s.in_c * words);
  auto out = bench::numbers(s.pixels() * s.out_c * words);
  const auto packed = DepthwiseWeights::pack(s, type, filter.data(), FilterStrides::oihw(s), nullptr);
  const FloatEpilogue epilogue{.lo = 0, .hi = 6, .output_type = type};
  ThreadScope threads(1);
  for (auto _ : state) {
    depthwise(packed, s, in.data(), epilogue, out.data(), 1);
    benchmark::ClobberMemory();
  }
  bench::count_macs(state, s);
}

const bool kRegistered = [] {
  for (const Layer& layer : kLayers)
    for (const DType type : {DType::kFloat32, DType::kBFloat16}) {
      if (!depthwise_takes(type)) continue;
      const auto name = [&](const char* form) {
        return std::string("Depthwise/") + (type == DType::kFloat32 ? "f32/" : "bf16/") + form + "/" + layer.name;
      };
      benchmark::RegisterBenchmark(name("onednn").c_str(), bench::library, shape_of(layer), type);
      benchmark::RegisterBenchmark(name("own").c_str(), own, layer, type);
    }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
