#include "runtime/lower/spatial_mean.h"

#include "kernels/pool/pool.h"

namespace pare::runtime {

std::optional<std::string> lower_spatial_mean(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0));
  const std::int64_t pixels = in[2] * in[3];
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  if (group.integer) {
    if (pixels >= 1 << 23) return "too many pixels for exact sums";
    const auto from = quantized_activation(lw.graph(), node.input(0));
    const kernels::QuantParams a = from->params();
    const kernels::QuantParams b =
        group.quantize ? group.quantize->params() : kernels::QuantParams{DType::kFloat32, 1.0f, 0};
    const BufferId x = lw.read(from->q, Layout::kChannelsLast), y = lw.write(group.output);
    lw.emit(group, {"global_average_pool_8bit", "8-bit input"}, {x}, {y}, [=](const Frame& frame) {
      kernels::global_average_pool(in[0], pixels, in[1], a, frame.at(x), b, frame.at(y));
    });
    return std::nullopt;
  }
  const BufferId x = lw.read(node.input(0), Layout::kChannelsLast), y = lw.write(group.output);
  lw.emit(group, {"global_average_pool_f32", "channels-last"}, {x}, {y}, [=](const Frame& frame) {
    kernels::global_average_pool(in[0], pixels, in[1], frame.at<float>(x), frame.at<float>(y));
  });
  return std::nullopt;
}

}  // namespace pare::runtime
