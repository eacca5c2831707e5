// q:64 sparse convolutions beside oneDNN's dense one of the same shape, one thread, interleaved by google-benchmark's
// own order:
//   ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 build/bin/pare_bench_kernels --benchmark_filter=Sparse
//   --benchmark_repetitions=3 \
//     --benchmark_enable_random_interleaving
#include <benchmark/benchmark.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "base/rng.h"
#include "base/threads.h"
#include "kernels/qconv/qconv.h"
#include "kernels/spconv/spconv.h"

namespace pare::kernels {
namespace {

struct Layer {
  const char* name;
  std::int64_t in_c, out_c, size, taps, stride;
};

// ResNet-50's convolutions, MobileNetV2's expansions, BERT-base's products at M = 128.
constexpr Layer kLayers[] = {{"r50_64_64_56_1", 64, 64, 56, 1, 1},       {"r50_64_64_56_3", 64, 64, 56, 3, 1},
                             {"r50_64_256_56_1", 64, 256, 56, 1, 1},     {"r50_256_64_56_1", 256, 64, 56, 1, 1},
                             {"r50_128_128_28_3", 128, 128, 28, 3, 1},   {"r50_128_512_28_1", 128, 512, 28, 1, 1},
                             {"r50_512_128_28_1", 512, 128, 28, 1, 1},   {"r50_256_256_14_3", 256, 256, 14, 3, 1},
                             {"r50_256_1024_14_1", 256, 1024, 14, 1, 1}, {"r50_1024_256_14_1", 1024, 256, 14, 1, 1},
                             {"r50_512_512_7_3", 512, 512, 7, 3, 1},     {"r50_512_2048_7_1", 512, 2048, 7, 1, 1},
                             {"r50_2048_512_7_1", 2048, 512, 7, 1, 1},   {"mbv2_96_576_14_1", 96, 576, 14, 1, 1},
                             {"bert_768_768", 768, 768, 0, 1, 1},        {"bert_768_3072", 768, 3072, 0, 1, 1},
                             {"bert_3072_768", 3072, 768, 0, 1, 1}};

ConvShape shape_of(const Layer& l) {
  if (l.size == 0) return ConvShape::matmul(128, l.in_c, l.out_c);
  ConvShape s;
  s.in_c = l.in_c, s.out_c = l.out_c, s.in_h = s.in_w = s.out_h = s.out_w = l.size;
  s.kh = s.kw = l.taps, s.pad_top = s.pad_left = l.taps / 2;
  return s;
}

struct Data {
  ConvShape shape;
  std::vector<std::int8_t> weights;
  std::vector<std::uint8_t> input, output;
  std::vector<float> multiplier;

  Data(const Layer& layer, int q) : shape(shape_of(layer)) {
    Rng rng(1);
    weights.resize(shape.out_c * shape.taps() * shape.in_c);
    for (std::int64_t o = 0; o < shape.out_c; ++o)
      for (std::int64_t i = 0; i < shape.in_c; ++i)
        for (std::int64_t tap = 0; tap < shape.taps(); ++tap) {
          const bool keep = (i * 37 + o * 11 + tap * 5) % 64 < q;  // 37 is odd: q of each 64
          weights[(o * shape.in_c + i) * shape.taps() + tap] =
              static_cast<std::int8_t>(keep ? static_cast<int>(rng.below(253)) - 126 : 0);
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

void sparse(benchmark::State& state, const Layer& layer, int q) {
  Data d(layer, q);
  const QConvFilter filter{d.weights.data(), false, FilterStrides::oihw(d.shape), nullptr};
  const auto packed = SpConvWeights::pack(d.shape, filter, DType::kUint8, 0, nullptr);
  QConvEpilogue epilogue;
  epilogue.multiplier = d.multiplier.data();
  std::vector<std::byte> scratch(spconv_scratch_bytes(packed, 1));
  ThreadScope threads(1);
  for (auto _ : state) {
    spconv(packed, d.shape, d.input.data(), epilogue, d.output.data(), scratch.data(), 1);
    benchmark::ClobberMemory();
  }
  finish(state, d.shape);
}

void dense(benchmark::State& state, const Layer& layer) {
  using namespace dnnl;
  Data d(layer, 64);
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
  for (const Layer& layer : kLayers) {
    benchmark::RegisterBenchmark((std::string("Sparse/dense/") + layer.name).c_str(), dense, layer);
    for (int q : {4, 8, 16, 32})
      benchmark::RegisterBenchmark(("Sparse/" + std::to_string(q) + ":64/" + layer.name).c_str(), sparse, layer, q);
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
