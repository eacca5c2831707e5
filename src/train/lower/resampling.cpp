// Operators that change the resolution of images: Resize, Upsample, ConvTranspose, DepthToSpace, SpaceToDepth.
#include <algorithm>

#include "ir/ops/common/resize.h"
#include "train/tensors.h"
#include "train/window.h"

namespace pare::train {
namespace {

/// One axis as a product with the matrix of its taps, which is the operator's definition; where every output takes one
/// input whole, as a selection.
at::Tensor resize_axis(const at::Tensor& x, std::int64_t axis, std::int64_t out, const ir::ops::AxisTaps& taps) {
  const bool selects = static_cast<std::int64_t>(taps.index.size()) == out &&
                       std::all_of(taps.weight.begin(), taps.weight.end(), [](double w) { return w == 1; });
  if (selects) return at::index_select(x, axis, at::tensor(taps.index, at::kLong).to(x.device()));
  at::Tensor matrix = at::zeros({out, x.size(axis)}, at::kFloat);
  auto weights = matrix.accessor<float, 2>();
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t t = taps.first[static_cast<std::size_t>(o)]; t < taps.first[static_cast<std::size_t>(o) + 1]; ++t)
      weights[o][taps.index[static_cast<std::size_t>(t)]] +=
          static_cast<float>(taps.weight[static_cast<std::size_t>(t)]);
  }
  matrix = matrix.to(x.options());
  return at::matmul(x.transpose(axis, -1), matrix.t()).transpose(axis, -1);
}

at::Tensor pixels(const at::Tensor& x, std::vector<std::int64_t> split, std::vector<std::int64_t> order,
                  std::vector<std::int64_t> merged) {
  return x.reshape(split).permute(order).reshape(merged);
}

std::int64_t block_of(const LowerContext& context) {
  const std::int64_t block = context.node.int_or("blocksize", 0);
  if (block < 1) context.refuse("blocksize must be positive");
  return block;
}

}  // namespace

Call lower_resize(const LowerContext& context) {
  if (context.node.string_or("coordinate_transformation_mode", "") == "tf_crop_and_resize")
    context.refuse("tf_crop_and_resize cannot be trained");
  std::vector<int> more;  // roi, scales, sizes
  for (std::size_t i = 1; i < context.node.inputs.size(); ++i) more.push_back(context.has(i) ? context.in(i) : kNoSlot);
  return [=, node = context.node, opset = context.opset, x = context.in(0), y = context.out()](Frame& frame) {
    std::vector<Tensor> inputs(1);
    for (const int slot : more) {
      const bool integers = slot != kNoSlot && !frame[slot].is_floating_point();
      inputs.push_back(slot == kNoSlot ? Tensor()
                                       : from_torch(frame[slot], integers ? DType::kInt64 : DType::kFloat32));
    }
    at::Tensor value = frame[x];
    const ir::ops::ResizePlan plan =
        ir::ops::plan_resize(ir::EvaluateContext{node, opset, inputs}, Dims(value.sizes().vec()));
    for (std::size_t axis = 0; axis < plan.axes.size(); ++axis) {
      if (!plan.axes[axis].identity)
        value = resize_axis(value, static_cast<std::int64_t>(axis), plan.dims[axis], plan.axes[axis]);
    }
    frame[y] = value;
  };
}

/// The full transposed convolution, of which pads (or what output_shape leaves) are cut off.
Call lower_conv_transpose(const LowerContext& context) {
  const ir::Node& node = context.node;
  const ir::Shape& shape = context.graph.value(node.input(1)).shape;
  if (!shape.ranked() || shape.rank() < 3 || shape.rank() > 5) context.refuse("the kernel size is not known");
  if (node.find("output_shape") != nullptr) context.refuse("output_shape cannot be trained; pads can");
  if (node.string_or("auto_pad", "NOTSET") != "NOTSET") context.refuse("auto_pad cannot be trained; pads can");
  const auto axes = static_cast<std::size_t>(shape.rank() - 2);
  const std::vector<std::int64_t> ones(axes, 1), zeros(axes, 0),
      strides = node.ints_or("strides", ones), dilations = node.ints_or("dilations", ones),
      extra = node.ints_or("output_padding", zeros),
      pads = node.ints_or("pads", std::vector<std::int64_t>(2 * axes, 0));
  if (strides.size() != axes || dilations.size() != axes || extra.size() != axes || pads.size() != 2 * axes)
    context.refuse("strides, dilations or pads do not fit the kernel");
  const std::int64_t groups = node.int_or("group", 1);
  return [=, x = context.in(0), w = context.in(1), b = context.in(2), y = context.out()](Frame& frame) {
    const at::Tensor bias = b == kNoSlot ? at::Tensor() : frame[b];
    at::Tensor full = at::convolution(frame[x], frame[w], bias, strides, zeros, dilations, true, zeros, groups);
    for (std::size_t i = 0; i < axes; ++i) {
      const auto axis = static_cast<std::int64_t>(i) + 2;
      const std::int64_t length = full.size(axis) + extra[i] - pads[i] - pads[axes + i],
                         missing = pads[i] + length - full.size(axis);
      if (missing > 0) {  // output_padding past the end: bias alone
        std::vector<std::int64_t> sizes = full.sizes().vec();
        sizes[static_cast<std::size_t>(axis)] = missing;
        at::Tensor rim = at::zeros(sizes, full.options());
        if (bias.defined()) {
          std::vector<std::int64_t> per_channel(sizes.size(), 1);
          per_channel[1] = -1;
          rim = rim + bias.reshape(per_channel);
        }
        full = at::cat({full, rim}, axis);
      }
      full = at::narrow(full, axis, pads[i], length);
    }
    frame[y] = full;
  };
}

Call lower_depth_to_space(const LowerContext& context) {
  const std::int64_t b = block_of(context);
  const bool crd = context.node.string_or("mode", "DCR") == "CRD";
  return unary(context, [=](const at::Tensor& x) {
    const std::int64_t n = x.size(0), c = x.size(1) / (b * b), h = x.size(2), w = x.size(3);
    return crd ? pixels(x, {n, c, b, b, h, w}, {0, 1, 4, 2, 5, 3}, {n, c, h * b, w * b})
               : pixels(x, {n, b, b, c, h, w}, {0, 3, 4, 1, 5, 2}, {n, c, h * b, w * b});
  });
}

Call lower_space_to_depth(const LowerContext& context) {
  const std::int64_t b = block_of(context);
  const bool crd = context.node.string_or("mode", "DCR") == "CRD";
  return unary(context, [=](const at::Tensor& x) {
    const std::int64_t n = x.size(0), c = x.size(1), h = x.size(2) / b, w = x.size(3) / b;
    return crd ? pixels(x, {n, c, h, b, w, b}, {0, 1, 3, 5, 2, 4}, {n, c * b * b, h, w})
               : pixels(x, {n, c, h, b, w, b}, {0, 3, 5, 1, 2, 4}, {n, c * b * b, h, w});
  });
}

}  // namespace pare::train
