// BatchNormalization (batch statistics while training, running ones otherwise), LayerNormalization, RMSNormalization,
// InstanceNormalization, GroupNormalization, LRN.
#include "train/lowering.h"

namespace pare::train {

Call lower_batch_norm(const LowerContext& context) {
  if (context.opset < 9 && context.node.int_or("spatial", 1) == 0) context.refuse("spatial = 0 is not supported");
  context.only_first_output();
  for (std::size_t i = 3; i < 5; ++i) {
    if (context.constant(i) == nullptr) context.refuse("running statistics must be initializers");
  }
  const double epsilon = context.node.float_or("epsilon", 1e-5F);
  // ONNX: running = running · momentum + batch · (1 − momentum); LibTorch weighs the other way round.
  const double momentum = 1 - static_cast<double>(context.node.float_or("momentum", 0.9F));
  const bool frozen = context.is_frozen(3) || context.is_frozen(4);
  return [=, x = context.in(0), scale = context.in(1), bias = context.in(2), mean = context.in(3),
          variance = context.in(4), y = context.out()](Frame& frame) {
    frame[y] = at::batch_norm(frame[x], frame[scale], frame[bias], frame[mean], frame[variance],
                              frame.training && !frozen, momentum, epsilon, at::globalContext().userEnabledCuDNN());
  };
}

Call lower_layer_norm(const LowerContext& context) {
  context.only_first_output();
  const std::int64_t axis = context.node.int_or("axis", -1);
  const double epsilon = context.node.float_or("epsilon", 1e-5F);
  return [=, x = context.in(0), scale = context.in(1), bias = context.in(2), y = context.out()](Frame& frame) {
    const at::Tensor& input = frame[x];
    const at::IntArrayRef shape = input.sizes().slice(static_cast<std::size_t>(wrap_axis(axis, input.dim())));
    const at::Tensor weight = frame[scale].expand(shape);
    frame[y] =
        at::layer_norm(input, shape, weight, bias == kNoSlot ? at::Tensor() : frame[bias].expand(shape), epsilon);
  };
}

Call lower_rms_norm(const LowerContext& context) {
  const std::int64_t axis = context.node.int_or("axis", -1);
  const double epsilon = context.node.float_or("epsilon", 1e-5F);
  return [=, x = context.in(0), scale = context.in(1), y = context.out()](Frame& frame) {
    const at::Tensor& input = frame[x];
    std::vector<std::int64_t> axes;
    for (std::int64_t a = wrap_axis(axis, input.dim()); a < input.dim(); ++a) axes.push_back(a);
    frame[y] = input * at::rsqrt(at::mean(input * input, axes, true) + epsilon) * frame[scale];
  };
}

Call lower_instance_norm(const LowerContext& context) {
  const double epsilon = context.node.float_or("epsilon", 1e-5F);
  return [=, x = context.in(0), scale = context.in(1), bias = context.in(2), y = context.out()](Frame& frame) {
    // One group a channel.
    frame[y] = at::group_norm(frame[x], frame[x].size(1), frame[scale], frame[bias], epsilon);
  };
}

Call lower_group_norm(const LowerContext& context) {
  const double epsilon = context.node.float_or("epsilon", 1e-5F);
  const std::int64_t groups = context.node.int_or("num_groups", 0);
  if (groups < 1) context.refuse("num_groups must be positive");
  const bool per_group = context.opset < 21;  // before 21 scale and bias had one element a group
  return [=, x = context.in(0), scale = context.in(1), bias = context.in(2), y = context.out()](Frame& frame) {
    const std::int64_t channels = frame[x].size(1);
    const auto per_channel = [&](const at::Tensor& t) {
      return per_group ? at::repeat_interleave(t, channels / groups, 0) : t;
    };
    frame[y] = at::group_norm(frame[x], groups, per_channel(frame[scale]), per_channel(frame[bias]), epsilon);
  };
}

Call lower_lrn(const LowerContext& context) {
  const std::int64_t size = context.node.int_or("size", 0);
  if (size < 1) context.refuse("size must be positive");
  const double alpha = context.node.float_or("alpha", 1e-4F), beta = context.node.float_or("beta", 0.75F);
  const double bias = context.node.float_or("bias", 1);
  return [=, x = context.in(0), y = context.out()](Frame& frame) {
    // Mean of squares over `size` channels around each one: average pooling along the channel axis.
    const at::Tensor& input = frame[x];
    const at::Tensor rows = (input * input).reshape({input.size(0), 1, input.size(1), -1});
    const at::Tensor padded = at::constant_pad_nd(rows, {0, 0, (size - 1) / 2, size / 2}, 0);
    const at::Tensor mean = at::avg_pool2d(padded, {size, 1}, {1, 1}).reshape(input.sizes());
    frame[y] = input / (mean * alpha + bias).pow(beta);
  };
}

}  // namespace pare::train
