// DynamicQuantizeLinear, and MatMulInteger and ConvInteger with a constant weight: quantization whose parameters exist
// only at run time.
#include <algorithm>
#include <cmath>

#include "kernels/quantize/quantize.h"
#include "runtime/lower/exact_product.h"
#include "runtime/lower/window.h"

namespace pare::runtime {

namespace {

std::int32_t zero_point(DType type, const std::byte* at) {
  return type == DType::kInt8 ? static_cast<std::int32_t>(static_cast<std::int8_t>(*at)) : std::to_integer<int>(*at);
}

/// Smallest and largest element, 0 among them; in lanes, which the compiler keeps in one register each.
std::pair<float, float> range_with_zero(const float* in, std::int64_t count) {
  constexpr int kLanes = 16;
  float low[kLanes] = {}, high[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) {
      low[lane] = in[i + lane] < low[lane] ? in[i + lane] : low[lane];
      high[lane] = in[i + lane] > high[lane] ? in[i + lane] : high[lane];
    }
  for (; i < count; ++i) {
    low[0] = std::min(low[0], in[i]);
    high[0] = std::max(high[0], in[i]);
  }
  return {*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
}

/// The image with its border of zero points as bytes of their own, so that the product needs no padding.
struct Padded {
  std::int64_t batch, h, w, channels, top, left, full_h, full_w;

  Padded(const Window& window, const Dims& in)
      : batch(in[0]),
        h(in[2]),
        w(in[3]),
        channels(in[1]),
        top(window.top),
        left(window.left),
        full_h(h + window.top + window.bottom),
        full_w(w + window.left + window.right) {}

  bool needed() const { return full_h != h || full_w != w; }
  std::size_t bytes() const { return needed() ? static_cast<std::size_t>(batch * full_h * full_w * channels) : 0; }
  kernels::ConvShape conv_shape(const ir::Node& node, const Window& window, const Dims& out) const {
    kernels::ConvShape s;
    s.batch = batch, s.in_c = channels, s.in_h = full_h, s.in_w = full_w;
    s.out_c = out[1], s.out_h = out[2], s.out_w = out[3];
    s.kh = window.kh, s.kw = window.kw, s.stride_h = window.stride_h, s.stride_w = window.stride_w;
    s.dilation_h = window.dilation_h, s.dilation_w = window.dilation_w;
    s.groups = node.int_or("group", 1);
    return s;
  }
  const std::byte* fill(const std::byte* in, std::byte zero, std::byte* out) const {
    if (!needed()) return in;
    std::fill_n(out, bytes(), zero);
    for (std::int64_t n = 0; n < batch; ++n)
      for (std::int64_t y = 0; y < h; ++y)
        std::copy_n(in + (n * h + y) * w * channels, w * channels,
                    out + ((n * full_h + top + y) * full_w + left) * channels);
    return out;
  }
};

}  // namespace

std::optional<std::string> lower_MatMulInteger(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Tensor* b = lw.graph().constant(node.input(1));
  const Tensor* b_zero = lw.graph().constant(node.input(3));
  if (!b || b->rank() != 2) return "the weight is not a constant matrix";
  const auto points = zero_points(b_zero, b->dim(1));
  if (!points || (node.input(3) != ir::kNoValue && !b_zero))
    return "the weight's zero points are not constants, one a column";
  const ir::ValueId a_zero = node.input(2);
  if (a_zero != ir::kNoValue && element_count(lw.dims(a_zero)) != 1) return "the input has zero points by row";
  const Dims in = lw.dims(node.input(0));
  if (in.size() < 2) return "a vector operand";
  const std::int64_t k = in.back(), n = b->dim(1), m = k == 0 ? 0 : element_count(in) / k;
  if (m == 0 || n == 0) return "an empty product";
  const DType input = lw.dtype(node.input(0));
  std::string reason;
  const auto product = ExactProduct::make(lw, "exact " + node.name, kernels::ConvShape::matmul(m, k, n), *b,
                                          kernels::FilterStrides{1, n, 0, 0}, *points, input, reason);
  if (!product) return reason;
  const BufferId x = lw.read(node.input(0)), zero = a_zero == ir::kNoValue ? kNoBuffer : lw.read(a_zero);
  const BufferId y = lw.write(group.output), work = lw.scratch(product->scratch_bytes());
  std::vector<BufferId> reads = {x};
  if (zero != kNoBuffer) reads.push_back(zero);
  lw.emit(group, {product->kernel(), "exact int32 sums", static_cast<std::int64_t>(product->weight_bytes())},
          std::move(reads), {y, work}, [=](const Frame& frame) {
            const std::int32_t shift = zero == kNoBuffer ? 0 : zero_point(input, frame.at(zero));
            product->run(frame.at(x), shift, frame.at<std::int32_t>(y), frame.at(work));
          });
  return std::nullopt;
}

std::optional<std::string> lower_ConvInteger(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Tensor* w = lw.graph().constant(node.input(1));
  const Tensor* w_zero = lw.graph().constant(node.input(3));
  const Dims in = lw.dims(node.input(0)), out = lw.dims(group.output);
  if (in.size() != 4) return "only 2-d convolutions have kernels";
  if (!w) return "the weight is not constant";
  const auto points = zero_points(w_zero, out[1]);
  if (!points || (node.input(3) != ir::kNoValue && !w_zero))
    return "the weight's zero points are not constants, one an output";
  const ir::ValueId x_zero = node.input(2);
  if (x_zero != ir::kNoValue && element_count(lw.dims(x_zero)) != 1) return "the input has several zero points";
  if (element_count(in) == 0 || element_count(out) == 0) return "an empty product";
  const Window window = window_of(node, in, out, {w->dim(2), w->dim(3)});
  if (std::min({window.top, window.left, window.bottom, window.right}) < 0) return "negative pads";
  const Padded padded(window, in);
  const DType input = lw.dtype(node.input(0));
  std::string reason;
  const auto product =
      ExactProduct::make(lw, "exact " + node.name, padded.conv_shape(node, window, out), *w,
                         kernels::FilterStrides::oihw(padded.conv_shape(node, window, out)), *points, input, reason);
  if (!product) return reason;
  const BufferId x = lw.read(node.input(0), Layout::kChannelsLast),
                 zero = x_zero == ir::kNoValue ? kNoBuffer : lw.read(x_zero);
  const BufferId y = lw.write(group.output, Layout::kChannelsLast), work = lw.scratch(product->scratch_bytes()),
                 border = lw.scratch(padded.bytes());
  std::vector<BufferId> reads = {x};
  if (zero != kNoBuffer) reads.push_back(zero);
  lw.emit(group, {product->kernel(), "exact int32 sums", static_cast<std::int64_t>(product->weight_bytes())},
          std::move(reads), {y, work, border}, [=](const Frame& frame) {
            const std::int32_t shift = zero == kNoBuffer ? 0 : zero_point(input, frame.at(zero));
            const std::byte* source = padded.fill(frame.at(x), static_cast<std::byte>(shift), frame.at(border));
            product->run(source, shift, frame.at<std::int32_t>(y), frame.at(work));
          });
  return std::nullopt;
}

std::optional<std::string> lower_DynamicQuantizeLinear(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const std::int64_t count = element_count(lw.dims(node.input(0)));
  const Layout layout = lw.stored(node.input(0));
  const BufferId x = lw.read(node.input(0), layout), y = lw.write(node.output(0), layout);
  const auto written = [&](std::size_t slot, DType type) {
    return node.output(slot) == ir::kNoValue ? lw.scratch(static_cast<std::size_t>(bits(type)) / 8)
                                             : lw.write(node.output(slot));
  };
  const BufferId scale = written(1, DType::kFloat32), zero = written(2, DType::kUint8);
  lw.emit(group, {"dynamic_quantize", ""}, {x}, {y, scale, zero}, [=](const Frame& frame) {
    const float* in = frame.at<float>(x);
    const auto [low, high] = range_with_zero(in, count);
    const float step = high > low ? (high - low) / 255.0F : 1.0F;
    const float point = std::nearbyint(std::clamp(-low / step, 0.0F, 255.0F));
    *frame.at<float>(scale) = step;
    *frame.at<std::uint8_t>(zero) = static_cast<std::uint8_t>(point);
    kernels::quantize_span(in, count, {DType::kUint8, step, static_cast<std::int32_t>(point)}, frame.at(y));
  });
  return std::nullopt;
}

}  // namespace pare::runtime
