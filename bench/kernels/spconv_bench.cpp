// Sparse convolutions beside oneDNN's dense one of the same shape, one thread, interleaved by google-benchmark's
// own order:
//   ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 build/bin/pare_bench_kernels --benchmark_filter=Sparse
//   --benchmark_repetitions=3 \
//     --benchmark_enable_random_interleaving
#include <benchmark/benchmark.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <type_traits>
#include <vector>

#include "base/rng.h"
#include "base/threads.h"
#include "kernels/qconv/qconv.h"
#include "kernels/spconv/spconv.h"
#include "kernels/spconv_1x4/spconv_1x4.h"
#include "layers.h"

namespace pare::kernels {
namespace {

using bench::Layer;

struct Data {
  ConvShape shape;
  std::vector<std::int8_t> weights;
  bench::Buffer<std::uint8_t> input, output;
  std::vector<float> multiplier;

  /// keep(output, tap, input, random): which weights survive.
  template <class Keep>
  Data(const Layer& layer, Keep keep) : shape(bench::shape_of(layer)) {
    Rng rng(1);
    weights.resize(shape.out_c * shape.taps() * shape.in_c);
    for (std::int64_t o = 0; o < shape.out_c; ++o)
      for (std::int64_t tap = 0; tap < shape.taps(); ++tap)
        for (std::int64_t i = 0; i < shape.in_c; ++i) {
          weights[(o * shape.in_c + i) * shape.taps() + tap] =
              static_cast<std::int8_t>(keep(o, tap, i) ? static_cast<int>(rng.below(126)) + 1 : 0);
        }
    input.resize(shape.batch * shape.in_h * shape.in_w * shape.in_c);
    for (std::uint8_t& x : input) x = static_cast<std::uint8_t>(rng.below(256));
    output.resize(shape.pixels() * shape.out_c);
    multiplier.assign(shape.out_c, 1e-4f);
  }
};

void finish(benchmark::State& state, const ConvShape& s) {
  state.counters["dense_GMAC/s"] =
      benchmark::Counter(static_cast<double>(s.macs()) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// q of each 64 input channels; 37 is odd.
auto balanced(int q) {
  return [q](std::int64_t o, std::int64_t tap, std::int64_t i) { return (i * 37 + o * 11 + tap * 5) % 64 < q; };
}

/// A tenth of the weights, in blocks of `block` input channels.
auto tenth(std::int64_t block) {
  return [block, random = Rng(2), keep = false](std::int64_t, std::int64_t, std::int64_t i) mutable {
    if (i % block == 0) keep = random.uniform() < 0.1;
    return keep;
  };
}

/// As many, most of them in every fourth output channel.
auto uneven() {
  return [random = Rng(3)](std::int64_t o, std::int64_t, std::int64_t) mutable {
    return random.uniform() < (o % 4 == 0 ? 0.34 : 0.02);
  };
}

template <auto kScratch, class Weights>
std::size_t scratch_bytes(const Weights& packed, const ConvShape& s) {
  if constexpr (std::is_invocable_v<decltype(kScratch), const Weights&, const ConvShape&, int>)
    return kScratch(packed, s, 1);
  else
    return kScratch(packed, 1);
}

template <class Weights, auto kScratch, auto kRun, class Keep>
void sparse(benchmark::State& state, const Layer& layer, Keep keep) {
  Data d(layer, keep);
  const QConvFilter filter{d.weights.data(), false, FilterStrides::oihw(d.shape), nullptr};
  const auto packed = Weights::pack(d.shape, filter, DType::kUint8, 0, nullptr);
  QConvEpilogue epilogue;
  epilogue.multiplier = d.multiplier.data();
  std::vector<std::byte> scratch(scratch_bytes<kScratch>(packed, d.shape));
  ThreadScope threads(1);
  for (auto _ : state) {
    kRun(packed, d.shape, d.input.data(), epilogue, d.output.data(), scratch.data(), 1);
    benchmark::ClobberMemory();
  }
  finish(state, d.shape);
}

template <class Keep>
void gathered(const std::string& pattern, const Layer& layer, Keep keep) {
  benchmark::RegisterBenchmark(("Sparse/" + pattern + "/" + layer.name).c_str(), [=](benchmark::State& state) {
    sparse<SpConvWeights, spconv_scratch_bytes, spconv>(state, layer, keep);
  });
}

template <class Keep>
void by_blocks(const std::string& pattern, const Layer& layer, Keep keep) {
  benchmark::RegisterBenchmark(("Sparse/" + pattern + "/" + layer.name).c_str(), [=](benchmark::State& state) {
    sparse<SpConv1x4Weights, spconv_1x4_scratch_bytes, spconv_1x4>(state, layer, keep);
  });
}

void dense(benchmark::State& state, const Layer& layer) {
  using namespace dnnl;
  Data d(layer, [](std::int64_t, std::int64_t, std::int64_t) { return true; });
  const ConvShape& s = d.shape;
  ThreadScope threads(1);
  engine cpu(engine::kind::cpu, 0);
  stream run(cpu);
  const bool product = layer.size == 0;
  const memory::dims in = product ? memory::dims{1, s.in_c, 1, s.batch} : memory::dims{1, s.in_c, s.in_h, s.in_w},
                     out = product ? memory::dims{1, s.out_c, 1, s.batch} : memory::dims{1, s.out_c, s.out_h, s.out_w};
  const memory::desc src(in, memory::data_type::u8, memory::format_tag::nhwc),
      dst(out, memory::data_type::u8, memory::format_tag::nhwc),
      any({s.out_c, s.in_c, s.kh, s.kw}, memory::data_type::s8, memory::format_tag::any),
      plain({s.out_c, s.in_c, s.kh, s.kw}, memory::data_type::s8, memory::format_tag::oihw);
  primitive_attr attr;
  attr.set_output_scales(2, d.multiplier);
  const convolution_forward::primitive_desc desc({prop_kind::forward_inference,
                                                  algorithm::convolution_direct,
                                                  src,
                                                  any,
                                                  dst,
                                                  {1, 1},
                                                  {0, 0},
                                                  {s.pad_top, s.pad_left},
                                                  {s.pad_top, s.pad_left}},
                                                 attr, cpu);
  memory from(plain, cpu, d.weights.data()), weights(desc.weights_desc(), cpu);
  reorder(from, weights).execute(run, from, weights);
  memory x(src, cpu, d.input.data()), y(dst, cpu, d.output.data());
  const convolution_forward conv(desc);
  for (auto _ : state) {
    conv.execute(run, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, y}});
    run.wait();
  }
  state.SetLabel(desc.impl_info_str());
  finish(state, s);
}

const bool kRegistered = [] {
  for (const Layer& layer : bench::kLayers) {
    benchmark::RegisterBenchmark((std::string("Sparse/dense/") + layer.name).c_str(), dense, layer);
    for (int q : {4, 8, 16, 32}) gathered(std::to_string(q) + ":64", layer, balanced(q));
    gathered("any 90 %", layer, tenth(1));
    gathered("uneven 90 %", layer, uneven());
    by_blocks("1x4 90 %", layer, tenth(4));
    by_blocks("any 90 % by blocks", layer, tenth(1));
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
