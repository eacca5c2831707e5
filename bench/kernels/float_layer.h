// A float layer with everything that it reads, and oneDNN's dense product of it, for the benches that compare with
// that.
#pragma once

#include <benchmark/benchmark.h>

#include <oneapi/dnnl/dnnl.hpp>

#include "base/rng.h"
#include "base/threads.h"
#include "layers.h"

namespace pare::kernels::bench {

struct FloatLayer {
  ConvShape shape;
  Buffer<float> weights, input, output, bias;

  FloatLayer(const Layer& layer, double zeros) : shape(shape_of(layer)) {
    Rng rng(1);
    const auto fill = [&](Buffer<float>& v, std::int64_t count) {
      v.resize(static_cast<std::size_t>(count));
      for (float& x : v) x = static_cast<float>(rng.uniform()) - 0.5f;
    };
    fill(weights, shape.out_c * shape.taps() * shape.in_c);
    fill(input, shape.batch * shape.in_h * shape.in_w * shape.in_c);
    fill(bias, shape.out_c);
    for (float& w : weights)
      if (rng.uniform() < zeros) w = 0;
    output.resize(static_cast<std::size_t>(shape.pixels() * shape.out_c));
  }
};

inline void count_macs(benchmark::State& state, const ConvShape& s) {
  state.counters["dense_GMAC/s"] =
      benchmark::Counter(static_cast<double>(s.macs()) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

inline void dense(benchmark::State& state, const Layer& layer) {
  using namespace dnnl;
  FloatLayer d(layer, 0);
  const ConvShape& s = d.shape;
  ThreadScope threads(1);
  engine cpu(engine::kind::cpu, 0);
  stream run(cpu);
  const bool product = layer.size == 0;
  const memory::dims in = product ? memory::dims{1, s.in_c, 1, s.batch} : memory::dims{1, s.in_c, s.in_h, s.in_w},
                     out = product ? memory::dims{1, s.out_c, 1, s.batch} : memory::dims{1, s.out_c, s.out_h, s.out_w};
  const auto f32 = memory::data_type::f32;
  const memory::desc src(in, f32, memory::format_tag::nhwc), dst(out, f32, memory::format_tag::nhwc),
      any({s.out_c, s.in_c, s.kh, s.kw}, f32, memory::format_tag::any),
      plain({s.out_c, s.in_c, s.kh, s.kw}, f32, memory::format_tag::oihw);
  const convolution_forward::primitive_desc desc({prop_kind::forward_inference,
                                                  algorithm::convolution_direct,
                                                  src,
                                                  any,
                                                  dst,
                                                  {1, 1},
                                                  {0, 0},
                                                  {s.pad_top, s.pad_left},
                                                  {s.pad_top, s.pad_left}},
                                                 cpu);
  memory from(plain, cpu, d.weights.data()), weights(desc.weights_desc(), cpu);
  reorder(from, weights).execute(run, from, weights);
  memory x(src, cpu, d.input.data()), y(dst, cpu, d.output.data());
  const convolution_forward conv(desc);
  for (auto _ : state) {
    conv.execute(run, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, y}});
    run.wait();
  }
  state.SetLabel(desc.impl_info_str());
  count_macs(state, s);
}

}  // namespace pare::kernels::bench
