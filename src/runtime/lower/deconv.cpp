// ConvTranspose over [N, C, H, W], held channels-last, with constant weights.
#include "kernels/deconv/deconv.h"

#include "ir/ops/common/spread.h"
#include "runtime/lower/constants.h"

namespace pare::runtime {

std::optional<std::string> lower_ConvTranspose(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const ConstantInputs inputs(lw, node);
  const Dims in = lw.dims(node.input(0)), out = lw.dims(group.output);
  if (group.integer) return "no integer form";
  if (in.size() != 4) return "only 2-d convolutions have kernels";
  if (!inputs.known()) return "the weights are not constant";
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  if (element_count(in) == 0 || element_count(out) == 0) return "nothing to compute";
  const Tensor weight = lw.constant(node.input(1)), bias = lw.constant(node.input(2));
  const ir::EvaluateContext context = inputs.context();
  const auto axes =
      ir::ops::resolve(context, ir::ops::read_spread(context, {weight.dim(2), weight.dim(3)}), {in[2], in[3]});
  kernels::DeconvShape s;
  s.batch = in[0], s.in_c = in[1], s.in_h = in[2], s.in_w = in[3], s.out_c = out[1], s.out_h = out[2], s.out_w = out[3];
  s.kh = axes[0].kernel, s.stride_h = axes[0].stride, s.dilation_h = axes[0].dilation, s.pad_top = axes[0].pad;
  s.kw = axes[1].kernel, s.stride_w = axes[1].stride, s.dilation_w = axes[1].dilation, s.pad_left = axes[1].pad;
  s.groups = node.int_or("group", 1);
  const auto packed = lw.cache().get<Tensor>("deconvolution " + std::to_string(group.main()), weight, [&] {
    auto made = std::make_shared<Tensor>(DType::kFloat32, Dims{kernels::deconv_packed_size(s)});
    kernels::deconv_pack(s, weight.aligned().data<float>().data(), made->mutable_data<float>().data());
    return std::shared_ptr<const Tensor>(std::move(made));
  });
  const Layout last = Layout::kChannelsLast;
  const BufferId x = lw.read(node.input(0), last), y = lw.write(group.output, last);
  lw.emit(group, {"deconv_f32", "channels-last", static_cast<std::int64_t>(packed->bytes())}, {x}, {y},
          [=](const Frame& frame) {
            kernels::deconv(s, packed->data<float>().data(), bias.defined() ? bias.data<float>().data() : nullptr,
                            frame.at<float>(x), frame.at<float>(y));
          });
  return std::nullopt;
}

}  // namespace pare::runtime
