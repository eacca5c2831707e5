// MaxPool, AveragePool, GlobalAveragePool over [N, C, H, W], held channels-last.
#include "kernels/pool/pool.h"

#include "runtime/lower/spatial_mean.h"
#include "runtime/lower/window.h"

namespace pare::runtime {

namespace {

kernels::PoolShape pool_shape(const ir::Node& node, const Dims& in, const Dims& out) {
  const Window w = window_of(node, in, out, node.ints_or("kernel_shape", {1, 1}));
  kernels::PoolShape s;
  s.batch = in[0], s.channels = in[1], s.in_h = in[2], s.in_w = in[3], s.out_h = out[2], s.out_w = out[3];
  s.kh = w.kh, s.kw = w.kw, s.stride_h = w.stride_h, s.stride_w = w.stride_w;
  s.dilation_h = w.dilation_h, s.dilation_w = w.dilation_w;
  s.pad_top = w.top, s.pad_left = w.left, s.pad_bottom = w.bottom, s.pad_right = w.right;
  s.count_include_pad = node.int_or("count_include_pad", 0) != 0;
  return s;
}

}  // namespace

std::optional<std::string> lower_MaxPool(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0));
  const DType type = lw.dtype(node.input(0));
  if (in.size() != 4) return "only 2-d pools have kernels";
  if (type != DType::kFloat32 && type != DType::kUint8 && type != DType::kInt8) return "no kernel for this type";
  if (node.output(1) != ir::kNoValue) return "the indices are asked for";
  const kernels::PoolShape s = pool_shape(node, in, lw.dims(group.output));
  if (lw.is_narrow(group.output)) {
    const BufferId x = lw.read_narrow(node.input(0), Layout::kChannelsLast),
                   y = lw.write_narrow(group.output, Layout::kChannelsLast);
    lw.emit(group, {"max_pool_bf16", "channels-last; between products in bfloat16"}, {x}, {y},
            [=](const Frame& frame) { kernels::max_pool(s, DType::kBFloat16, frame.at(x), frame.at(y)); });
    return std::nullopt;
  }
  const BufferId x = lw.read(node.input(0), Layout::kChannelsLast), y = lw.write(group.output, Layout::kChannelsLast);
  lw.emit(group, {type == DType::kFloat32 ? "max_pool_f32" : "max_pool_8bit", "channels-last"}, {x}, {y},
          [=](const Frame& frame) { kernels::max_pool(s, type, frame.at(x), frame.at(y)); });
  return std::nullopt;
}

std::optional<std::string> lower_AveragePool(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0));
  if (in.size() != 4) return "only 2-d pools have kernels";
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  const kernels::PoolShape s = pool_shape(node, in, lw.dims(node.output(0)));
  if (group.integer) {
    const auto from = quantized_activation(lw.graph(), node.input(0));
    const kernels::QuantParams a = from->params(), b = group.quantize->params();
    const BufferId x = lw.read(from->q, Layout::kChannelsLast), y = lw.write(group.output, Layout::kChannelsLast);
    lw.emit(group, {"average_pool_8bit", "8-bit input and output"}, {x}, {y},
            [=](const Frame& frame) { kernels::average_pool(s, a, frame.at(x), b, frame.at(y)); });
    return std::nullopt;
  }
  const BufferId x = lw.read(node.input(0), Layout::kChannelsLast), y = lw.write(group.output, Layout::kChannelsLast);
  lw.emit(group, {"average_pool_f32", "channels-last"}, {x}, {y},
          [=](const Frame& frame) { kernels::average_pool(s, frame.at<float>(x), frame.at<float>(y)); });
  return std::nullopt;
}

std::optional<std::string> lower_GlobalAveragePool(Lowerer& lw, const Group& group) {
  if (!is_spatial_mean(lw.model(), lw.main(group))) return "only 2-d pools have kernels";
  return lower_spatial_mean(lw, group);
}

}  // namespace pare::runtime
