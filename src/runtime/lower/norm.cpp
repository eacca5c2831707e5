// LayerNormalization, RMSNormalization, InstanceNormalization, GroupNormalization: each group of consecutive elements
// in one pass.
#include "kernels/norm/norm.h"

#include <algorithm>

#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

std::optional<std::string> lower_norm(Lowerer& lw, const Group& group, const char* name,
                                      const kernels::NormShape& shape) {
  const ir::Node& node = lw.main(group);
  const bool has_bias = node.input(2) != ir::kNoValue;
  if (group.integer) return "no integer form";
  for (std::size_t slot = 1; slot < node.outputs.size(); ++slot)
    if (node.outputs[slot] != ir::kNoValue) return "the mean or the deviation is asked for";
  std::vector<BufferId> reads;
  for (std::size_t slot = 0; slot < (has_bias ? 3U : 2U); ++slot) {
    if (lw.dtype(node.input(slot)) != DType::kFloat32) return "only float32 has a kernel";
    // One entry of scale and bias for each run of `plane` elements of a period.
    if (slot > 0 && element_count(lw.dims(node.input(slot))) != shape.period * shape.size / shape.plane)
      return "scale or bias is broadcast";
  }
  for (std::size_t slot = 0; slot < (has_bias ? 3U : 2U); ++slot) reads.push_back(lw.read(node.input(slot)));
  const BufferId x = reads[0], scale = reads[1], bias = has_bias ? reads[2] : kNoBuffer, y = lw.write(group.output);
  if (shape.groups * shape.size == 0) return std::nullopt;
  lw.emit(group, {name, ""}, reads, {y}, [=](const Frame& frame) {
    kernels::normalize(shape, frame.at<float>(x), frame.at<float>(scale),
                       bias == kNoBuffer ? nullptr : frame.at<float>(bias), frame.at<float>(y));
  });
  return std::nullopt;
}

/// Groups of everything from the axis on.
kernels::NormShape trailing(const Lowerer& lw, const ir::Node& node, bool subtract_mean) {
  const Dims in = lw.dims(node.input(0));
  std::int64_t axis = node.int_or("axis", -1);
  if (axis < 0) axis += static_cast<std::int64_t>(in.size());
  kernels::NormShape shape{.groups = 1, .size = 1, .subtract_mean = subtract_mean};
  for (std::size_t i = 0; i < in.size(); ++i)
    (static_cast<std::int64_t>(i) < axis ? shape.groups : shape.size) *= in[i];
  shape.epsilon = node.float_or("epsilon", 1e-5F);
  return shape;
}

/// Groups of channels of [N, C, spatial…]; scale and bias have `entries` elements.
kernels::NormShape of_channels(const Lowerer& lw, const ir::Node& node, std::int64_t groups) {
  const Dims in = lw.dims(node.input(0));
  const std::int64_t entries = element_count(lw.dims(node.input(1))), total = element_count(in);
  kernels::NormShape shape{.groups = in[0] * groups, .period = groups};
  shape.size = shape.groups == 0 ? 0 : total / shape.groups;
  shape.plane = entries == 0 ? 1 : std::max<std::int64_t>(1, shape.size * groups / entries);
  shape.epsilon = node.float_or("epsilon", 1e-5F);
  return shape;
}

}  // namespace

std::optional<std::string> lower_LayerNormalization(Lowerer& lw, const Group& group) {
  return lower_norm(lw, group, "layer_norm_f32", trailing(lw, lw.main(group), true));
}
std::optional<std::string> lower_RMSNormalization(Lowerer& lw, const Group& group) {
  return lower_norm(lw, group, "rms_norm_f32", trailing(lw, lw.main(group), false));
}
std::optional<std::string> lower_InstanceNormalization(Lowerer& lw, const Group& group) {
  return lower_norm(lw, group, "instance_norm_f32",
                    of_channels(lw, lw.main(group), lw.dims(lw.main(group).input(0))[1]));
}
std::optional<std::string> lower_GroupNormalization(Lowerer& lw, const Group& group) {
  return lower_norm(lw, group, "group_norm_f32",
                    of_channels(lw, lw.main(group), lw.main(group).int_or("num_groups", 1)));
}

}  // namespace pare::runtime
