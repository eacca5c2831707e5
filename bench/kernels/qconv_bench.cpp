// Integer convolution on ResNet shapes, one thread, beside oneDNN in int8 and f32. GMAC/s counts padding.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/rng.h"
#include "kernels/qconv/qconv.h"

namespace pare::kernels {
namespace {

struct Layer {
  const char* name;
  ConvShape shape;
};

ConvShape square(std::int64_t size, std::int64_t in_c, std::int64_t out_c, std::int64_t k, std::int64_t stride = 1) {
  const std::int64_t in = size * stride;
  return {.batch = 1,
          .in_h = in,
          .in_w = in,
          .in_c = in_c,
          .out_h = size,
          .out_w = size,
          .out_c = out_c,
          .kh = k,
          .kw = k,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = k / 2,
          .pad_left = k / 2};
}

const Layer kLayers[] = {
    {"stem_112x112x3_64_7x7s2", square(112, 3, 64, 7, 2)}, {"56x56x64_64_3x3", square(56, 64, 64, 3)},
    {"28x28x128_128_3x3", square(28, 128, 128, 3)},        {"14x14x256_256_3x3", square(14, 256, 256, 3)},
    {"7x7x512_512_3x3", square(7, 512, 512, 3)},           {"28x28x64_128_3x3s2", square(28, 64, 128, 3, 2)},
    {"56x56x64_256_1x1", square(56, 64, 256, 1)},          {"28x28x512_128_1x1", square(28, 512, 128, 1)},
    {"14x14x1024_256_1x1", square(14, 1024, 256, 1)},      {"7x7x512_2048_1x1", square(7, 512, 2048, 1)},
    {"matmul_1x512_1000", ConvShape::matmul(1, 512, 1000)}};

void count_macs(benchmark::State& state, const ConvShape& shape) {
  state.counters["GMAC/s"] =
      benchmark::Counter(static_cast<double>(shape.macs()) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

std::vector<std::uint8_t> random_bytes(std::int64_t count) {
  Rng rng(1, kRngTest);
  std::vector<std::uint8_t> bytes(count);
  for (auto& b : bytes) b = static_cast<std::uint8_t>(rng.next());
  return bytes;
}

void pare_int8(benchmark::State& state, const ConvShape& s, const QConvKernel* kernel) {
  const auto input = random_bytes(s.batch * s.in_h * s.in_w * s.in_c),
             filter = random_bytes(s.out_c * s.in_c * s.taps());
  const std::vector<float> multiplier(s.out_c, 1e-4f);
  std::vector<std::uint8_t> output(s.pixels() * s.out_c);
  QConvFilter weights;
  weights.data = filter.data();
  weights.strides = FilterStrides::oihw(s);
  const QConvWeights packed = QConvWeights::pack(s, weights, DType::kUint8, 120, nullptr, kernel);
  std::vector<std::byte> scratch(qconv_scratch_bytes(packed, s, 1));
  QConvEpilogue epilogue;
  epilogue.multiplier = multiplier.data();
  for (auto _ : state) {
    qconv(packed, s, input.data(), epilogue, output.data(), scratch.data(), 1);
    benchmark::DoNotOptimize(output.data());
  }
  count_macs(state, s);
}

void onednn(benchmark::State& state, const ConvShape& s, dnnl::memory::data_type in, dnnl::memory::data_type weight) {
  using dnnl::memory;
  omp_set_num_threads(1);
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::dims pad = {s.pad_top, s.pad_left}, stride = {s.stride_h, s.stride_w};
  const memory::dims pad_end = {(s.out_h - 1) * s.stride_h + s.kh - s.in_h - s.pad_top,
                                (s.out_w - 1) * s.stride_w + s.kw - s.in_w - s.pad_left};
  const auto any = memory::format_tag::any;
  const memory::desc src({s.batch, s.in_c, s.in_h, s.in_w}, in, memory::format_tag::nhwc),
      w({s.out_c, s.in_c, s.kh, s.kw}, weight, any);
  const memory::desc dst({s.batch, s.out_c, s.out_h, s.out_w}, in, memory::format_tag::nhwc);
  dnnl::primitive_attr attributes;
  if (in == memory::data_type::u8) attributes.set_output_scales(0, {1e-4f});
  const dnnl::convolution_forward::primitive_desc pd(
      {dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src, w, dst, stride, pad, pad_end},
      attributes, engine);
  memory src_memory(pd.src_desc(), engine), w_memory(pd.weights_desc(), engine), dst_memory(pd.dst_desc(), engine);
  std::memset(src_memory.get_data_handle(), 0x3d, pd.src_desc().get_size());
  std::memset(w_memory.get_data_handle(), 0x3d, pd.weights_desc().get_size());
  const dnnl::convolution_forward convolution(pd);
  const std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, src_memory}, {DNNL_ARG_WEIGHTS, w_memory}, {DNNL_ARG_DST, dst_memory}};
  for (auto _ : state) {
    convolution.execute(stream, arguments);
    stream.wait();
  }
  state.SetLabel(pd.impl_info_str());
  count_macs(state, s);
}

const bool kRegistered = [] {
  using type = dnnl::memory::data_type;
  for (const Layer& layer : kLayers) {
    const ConvShape& s = layer.shape;
    const std::string name = layer.name;
    for (const QConvKernel* kernel : qconv_kernels()) {
      if (!kernel || !isa_available(qconv_kernel_isa(*kernel)) || qconv_kernel_isa(*kernel) == Isa::kScalar) continue;
      benchmark::RegisterBenchmark((name + "/" + qconv_kernel_name(*kernel)).c_str(),
                                   [&s, kernel](benchmark::State& state) { pare_int8(state, s, kernel); });
    }
    benchmark::RegisterBenchmark((name + "/onednn_int8").c_str(),
                                 [&s](benchmark::State& state) { onednn(state, s, type::u8, type::s8); });
    benchmark::RegisterBenchmark((name + "/onednn_f32").c_str(),
                                 [&s](benchmark::State& state) { onednn(state, s, type::f32, type::f32); });
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
