// oneDNN's convolution of a shape in float32 or bfloat16, clamped to [0, 6], for the benches that compare with it.
#pragma once

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "float_layer.h"

namespace pare::kernels::bench {

/// Numbers near 0.2 in both types, by halves of 32 bits.
inline std::vector<std::uint16_t> numbers(std::int64_t count) {
  return std::vector<std::uint16_t>(static_cast<std::size_t>(count), 0x3E4C);
}

inline void library(benchmark::State& state, const ConvShape& s, DType type) {
  using namespace dnnl;
  ThreadScope threads(1);
  engine cpu(engine::kind::cpu, 0);
  stream run(cpu);
  const auto number = type == DType::kFloat32 ? memory::data_type::f32 : memory::data_type::bf16;
  const memory::dims filter = s.groups == 1 ? memory::dims{s.out_c, s.in_c, s.kh, s.kw}
                                            : memory::dims{s.groups, s.group_out(), s.group_in(), s.kh, s.kw};
  const memory::desc src({s.batch, s.in_c, s.in_h, s.in_w}, number, memory::format_tag::nhwc),
      dst({s.batch, s.out_c, s.out_h, s.out_w}, number, memory::format_tag::nhwc),
      any(filter, number, memory::format_tag::any);
  post_ops clamp;
  clamp.append_eltwise(1.0f, algorithm::eltwise_clip, 0.0f, 6.0f);
  primitive_attr attributes;
  attributes.set_post_ops(clamp);
  const memory::dims strides{s.stride_h, s.stride_w}, before{s.pad_top, s.pad_left},
      after{(s.out_h - 1) * s.stride_h + s.kh - s.in_h - s.pad_top, (s.out_w - 1) * s.stride_w + s.kw - s.in_w - s.pad_left};
  const convolution_forward::primitive_desc desc(
      {prop_kind::forward_inference, algorithm::convolution_direct, src, any, dst, strides, before, after}, attributes, cpu);
  memory x(desc.src_desc(), cpu), y(desc.dst_desc(), cpu), weights(desc.weights_desc(), cpu);
  for (memory* m : {&x, &y, &weights})
    std::fill_n(static_cast<std::uint16_t*>(m->get_data_handle()), m->get_desc().get_size() / 2, std::uint16_t{0x3E4C});
  const convolution_forward conv(desc);
  for (auto _ : state) {
    conv.execute(run, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, y}});
    run.wait();
  }
  state.SetLabel(desc.impl_info_str());
  count_macs(state, s);
}

/// Of a product, pixels are rows.
inline ConvShape as_image(ConvShape s) {
  if (s.in_h * s.in_w == 1) s.in_w = s.out_w = s.batch, s.batch = 1;
  return s;
}

inline void dense(benchmark::State& state, const Layer& layer) {
  library(state, as_image(shape_of(layer)), DType::kFloat32);
}

}  // namespace pare::kernels::bench
