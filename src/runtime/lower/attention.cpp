// Attention as fusions/attention.cpp makes it; a model's own nodes are expanded into their parts before.
#include "kernels/attention/attention.h"

#include <cmath>

#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

/// A tensor [batch, heads, positions, width], or [batch, positions, heads · width].
kernels::HeadStrides head_strides(const Dims& dims, std::int64_t heads) {
  if (dims.size() == 4) return {dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3]};
  return {dims[1] * dims[2], dims[2] / heads, dims[2]};
}

std::int64_t positions(const Dims& dims) { return dims[dims.size() - 2]; }
std::int64_t width(const Dims& dims, std::int64_t heads) { return dims.size() == 4 ? dims[3] : dims[2] / heads; }

kernels::MaskStrides mask_strides(const Dims& dims) {
  Dims strides(4, 0);
  std::int64_t stride = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::int64_t size = dims[dims.size() - 1 - i];
    strides[3 - i] = size == 1 ? 0 : stride;
    stride *= size;
  }
  return {strides[0], strides[1], strides[2], strides[3]};
}

kernels::AttentionShape attention_shape(Lowerer& lw, const ir::Node& node) {
  const Dims q = lw.dims(node.input(0)), k = lw.dims(node.input(1)), v = lw.dims(node.input(2)),
             out = lw.dims(node.output(0));
  kernels::AttentionShape s;
  s.heads = q.size() == 4 ? q[1] : node.int_or("q_num_heads", 1);
  s.batch = q[0], s.queries = positions(q), s.keys = positions(k);
  s.width = width(q, s.heads), s.value_width = width(v, s.heads);
  s.scale = node.float_or("scale", 1.0f / std::sqrt(static_cast<float>(s.width)));
  s.q = head_strides(q, s.heads), s.k = head_strides(k, s.heads), s.v = head_strides(v, s.heads);
  s.out = head_strides(out, s.heads);
  if (node.input(3) != ir::kNoValue) s.mask = mask_strides(lw.dims(node.input(3)));
  return s;
}

}  // namespace

std::optional<std::string> lower_Attention(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const kernels::AttentionShape s = attention_shape(lw, node);
  std::vector<BufferId> reads;
  for (ir::ValueId input : node.inputs) reads.push_back(lw.read(input));
  const BufferId out = lw.write(group.output);
  const int threads = lw.threads();
  const kernels::AttentionKernel& kernel = kernels::best_attention_kernel(lw.narrow_products());
  const BufferId scratch = lw.scratch(kernels::attention_scratch_bytes(s, threads, &kernel));
  lw.emit(group, {kernels::attention_kernel_name(kernel), "scores, softmax and mixture without tensors in between"}, reads,
          {out, scratch}, [=, &kernel](const Frame& frame) {
            const float* mask = reads.size() > 3 ? frame.at<float>(reads[3]) : nullptr;
            kernels::attention(s, frame.at<float>(reads[0]), frame.at<float>(reads[1]), frame.at<float>(reads[2]), mask,
                               frame.at<float>(out), frame.at(scratch), threads, &kernel);
          });
  return std::nullopt;
}

}  // namespace pare::runtime
