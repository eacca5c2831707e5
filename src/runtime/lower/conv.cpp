// Conv over [N, C, H, W], held channels-last.
#include "runtime/lower/float_product.h"
#include "runtime/lower/product.h"
#include "runtime/lower/window.h"

namespace pare::runtime {

namespace {

kernels::ConvShape conv_shape(const ir::Node& node, const Dims& in, const Dims& weight, const Dims& out) {
  const Window w = window_of(node, in, out, {weight[2], weight[3]});
  kernels::ConvShape s;
  s.batch = in[0], s.in_c = in[1], s.in_h = in[2], s.in_w = in[3];
  s.out_c = out[1], s.out_h = out[2], s.out_w = out[3];
  s.kh = w.kh, s.kw = w.kw, s.stride_h = w.stride_h, s.stride_w = w.stride_w;
  s.dilation_h = w.dilation_h, s.dilation_w = w.dilation_w;
  s.pad_top = w.top, s.pad_left = w.left, s.groups = node.int_or("group", 1);
  return s;
}

/// Our own loops, where oneDNN refuses.
std::optional<std::string> lower_plain(Lowerer& lw, const Group& group, const kernels::ConvShape& s,
                                       const Tensor& weight, const Tensor& bias, const std::string& why) {
  const auto clamp = final_clamp(group);
  if (!clamp) return why;
  const ir::ValueId added = added_value(group);
  const BufferId in = lw.read(lw.main(group).input(0), Layout::kChannelsLast);
  const BufferId add = added == ir::kNoValue ? kNoBuffer : lw.read(added, Layout::kChannelsLast);
  const BufferId out = lw.write(group.output, Layout::kChannelsLast);
  const auto strides = kernels::FilterStrides::oihw(s);
  std::vector<BufferId> reads = {in};
  if (add != kNoBuffer) reads.push_back(add);
  lw.emit(group, {"conv_f32__plain", why, static_cast<std::int64_t>(weight.bytes())}, reads, {out},
          [=](const Frame& frame) {
            const kernels::ConvEpilogue epilogue{add == kNoBuffer ? nullptr : frame.at<float>(add), clamp->lo, clamp->hi};
            const float* b = bias.defined() ? bias.data<float>().data() : nullptr;
            kernels::conv(s, weight.data<float>().data(), strides, b, epilogue, frame.at<float>(in), frame.at<float>(out));
          });
  return std::nullopt;
}

}  // namespace

std::optional<std::string> lower_Conv(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0)), weight_dims = lw.dims(node.input(1)), out = lw.dims(node.output(0));
  if (in.size() != 4) return "only 2-d convolutions have kernels";
  const kernels::ConvShape s = conv_shape(node, in, weight_dims, out);
  if (group.integer) return lower_integer(lw, group, s, kernels::FilterStrides::oihw(s), Layout::kChannelsLast);
  const Tensor weight = lw.constant(node.input(1)), bias = lw.constant(node.input(2));
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  if (!weight.defined() || (node.input(2) != ir::kNoValue && !bias.defined()))
    return "weight and bias are not constant";
  const auto reason = lower_float(lw, group,
                                  {s, kernels::FilterStrides::oihw(s), weight, bias, Layout::kChannelsLast, "conv",
                                   [&](const onednn::ProductTypes& types, std::string& why) {
                                     return onednn::convolution(node.name, s, weight, bias, post_ops(group), types,
                                                                lw.cache(), why);
                                   }});
  return reason ? lower_plain(lw, group, s, weight, bias, *reason) : std::nullopt;
}

}  // namespace pare::runtime
