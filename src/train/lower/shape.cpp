// Operators that move elements: views, concatenation, slices, padding, gathering.
#include <algorithm>
#include <numeric>

#include "train/lowering.h"

namespace pare::train {
namespace {

/// ONNX Slice of one axis. Negative steps, which LibTorch lacks, go through an index.
at::Tensor slice_axis(const at::Tensor& x, std::int64_t axis, std::int64_t start, std::int64_t end, std::int64_t step) {
  const std::int64_t size = x.size(axis);
  const auto wrap = [&](std::int64_t i, std::int64_t low, std::int64_t high) {
    return std::clamp(i < 0 ? i + size : i, low, high);
  };
  if (step > 0) return at::slice(x, axis, wrap(start, 0, size), wrap(end, 0, size), step);
  const std::int64_t first = wrap(start, 0, size - 1), last = wrap(end, -1, size - 1);
  if (first <= last) return at::slice(x, axis, 0, 0, 1);
  return at::index_select(x, axis, at::arange(first, last, step, at::TensorOptions(at::kLong).device(x.device())));
}

struct SliceList {
  std::vector<std::int64_t> starts, ends, axes, steps;
};

at::Tensor slice(at::Tensor x, const SliceList& list) {
  for (std::size_t i = 0; i < list.starts.size(); ++i) {
    const std::int64_t axis = list.axes.empty() ? static_cast<std::int64_t>(i) : wrap_axis(list.axes[i], x.dim());
    x = slice_axis(x, axis, list.starts[i], list.ends[i], list.steps.empty() ? 1 : list.steps[i]);
  }
  return x;
}

at::Tensor reshape(const at::Tensor& x, std::vector<std::int64_t> shape, bool allow_zero) {
  for (std::size_t i = 0; i < shape.size() && !allow_zero; ++i) {
    if (shape[i] == 0) shape[i] = x.size(static_cast<std::int64_t>(i));
  }
  return x.reshape(shape);
}

}  // namespace

Call lower_identity(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return x; });
}

Call lower_flatten(const LowerContext& context) {
  return unary(context, [axis = context.node.int_or("axis", 1)](const at::Tensor& x) {
    const at::IntArrayRef sizes = x.sizes();
    const std::int64_t split = wrap_axis(axis, x.dim());
    const std::int64_t rows =
        std::accumulate(sizes.begin(), sizes.begin() + split, std::int64_t{1}, std::multiplies<>());
    const std::int64_t columns =
        std::accumulate(sizes.begin() + split, sizes.end(), std::int64_t{1}, std::multiplies<>());
    return x.reshape({rows, columns});
  });
}

Call lower_reshape(const LowerContext& context) {
  const bool allow_zero = context.node.int_or("allowzero", 0) != 0;
  if (context.opset < 5) {
    return unary(context,
                 [shape = context.node.ints_or("shape", {})](const at::Tensor& x) { return reshape(x, shape, false); });
  }
  return [=, x = context.in(0), shape = context.in(1), y = context.out()](Frame& frame) {
    frame[y] = reshape(frame[x], to_ints(frame[shape]), allow_zero);
  };
}

Call lower_transpose(const LowerContext& context) {
  return unary(context, [order = context.node.ints_or("perm", {})](const at::Tensor& x) {
    if (!order.empty()) return x.permute(order);
    std::vector<std::int64_t> reversed(static_cast<std::size_t>(x.dim()));
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    return x.permute(reversed);
  });
}

Call lower_squeeze(const LowerContext& context) {
  const auto axes = context.ints("axes", 1, 13);
  return unary(context, [axes](const at::Tensor& x) {
    if (!axes) return at::squeeze(x);
    std::vector<std::int64_t> sizes = x.sizes().vec();
    std::vector<std::int64_t> kept;
    for (std::int64_t i = 0; i < x.dim(); ++i) {
      const bool drop =
          std::any_of(axes->begin(), axes->end(), [&](std::int64_t a) { return wrap_axis(a, x.dim()) == i; });
      TORCH_CHECK(!drop || sizes[static_cast<std::size_t>(i)] == 1, "cannot squeeze axis ", i, " of size ", x.size(i));
      if (!drop) kept.push_back(sizes[static_cast<std::size_t>(i)]);
    }
    return x.reshape(kept);
  });
}

Call lower_unsqueeze(const LowerContext& context) {
  const auto axes = context.ints("axes", 1, 13);
  if (!axes) context.refuse("axes are missing");
  return unary(context, [axes = *axes](at::Tensor x) {
    const std::int64_t rank = x.dim() + static_cast<std::int64_t>(axes.size());
    std::vector<std::int64_t> sorted;
    for (std::int64_t axis : axes) sorted.push_back(wrap_axis(axis, rank));
    std::sort(sorted.begin(), sorted.end());
    for (std::int64_t axis : sorted) x = x.unsqueeze(axis);
    return x;
  });
}

Call lower_concat(const LowerContext& context) {
  std::vector<int> inputs;
  for (std::size_t i = 0; i < context.node.inputs.size(); ++i) inputs.push_back(context.in(i));
  return [=, axis = context.node.int_or("axis", 0), y = context.out()](Frame& frame) {
    std::vector<at::Tensor> parts;
    for (int input : inputs) parts.push_back(frame[input]);
    frame[y] = at::cat(parts, axis);
  };
}

Call lower_split(const LowerContext& context) {
  const auto sizes = context.ints("split", 1, 13);
  std::vector<int> outputs;
  for (std::size_t i = 0; i < context.node.outputs.size(); ++i) outputs.push_back(context.out(i));
  return [=, axis = context.node.int_or("axis", 0), x = context.in()](Frame& frame) {
    const at::Tensor& input = frame[x];
    const auto count = static_cast<std::int64_t>(outputs.size());
    const std::int64_t chunk =
        (input.size(axis) + count - 1) / count;  // the last one is smaller where it does not divide
    const at::Tensor source = input;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::int64_t length = sizes ? sizes->at(i) : std::min(chunk, source.size(axis) - begin);
      if (outputs[i] != kNoSlot) frame[outputs[i]] = at::narrow(source, axis, begin, length);
      begin += length;
    }
  };
}

Call lower_slice(const LowerContext& context) {
  if (context.opset < 10) {
    const SliceList list{
        context.node.ints_or("starts", {}), context.node.ints_or("ends", {}), context.node.ints_or("axes", {}), {}};
    return unary(context, [list](const at::Tensor& x) { return slice(x, list); });
  }
  return [x = context.in(0), starts = context.in(1), ends = context.in(2), axes = context.in(3), steps = context.in(4),
          y = context.out()](Frame& frame) {
    SliceList list{to_ints(frame[starts]), to_ints(frame[ends]), {}, {}};
    if (axes != kNoSlot) list.axes = to_ints(frame[axes]);
    if (steps != kNoSlot) list.steps = to_ints(frame[steps]);
    frame[y] = slice(frame[x], list);
  };
}

Call lower_pad(const LowerContext& context) {
  const std::string mode = context.node.string_or("mode", "constant");
  if (mode != "constant") context.refuse("mode '" + mode + "' cannot be trained; only 'constant'");
  const auto fixed = context.opset < 11 ? std::optional(context.node.ints_or("pads", {})) : std::nullopt;
  const double attribute = context.node.float_or("value", 0);
  return [=, x = context.in(0), pads_in = context.in(1), value_in = context.in(2), axes_in = context.in(3),
          y = context.out()](Frame& frame) {
    const std::vector<std::int64_t> pads = fixed ? *fixed : to_ints(frame[pads_in]);
    const std::int64_t rank = frame[x].dim();
    std::vector<std::int64_t> axes(static_cast<std::size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
    if (!fixed && axes_in != kNoSlot) axes = to_ints(frame[axes_in]);
    TORCH_CHECK(pads.size() == 2 * axes.size(), pads.size(), " pads for ", axes.size(), " axes");
    std::vector<std::int64_t> torch_order(static_cast<std::size_t>(2 * rank),
                                          0);  // last axis first, begin and end together
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const auto at = static_cast<std::size_t>(2 * (rank - 1 - wrap_axis(axes[i], rank)));
      torch_order[at] = pads[i];
      torch_order[at + 1] = pads[axes.size() + i];
    }
    const double value = fixed || value_in == kNoSlot ? attribute : frame[value_in].item<double>();
    frame[y] = at::constant_pad_nd(frame[x], torch_order, value);
  };
}

Call lower_gather(const LowerContext& context) {
  return
      [axis = context.node.int_or("axis", 0), x = context.in(0), i = context.in(1), y = context.out()](Frame& frame) {
        const at::Tensor& data = frame[x];
        at::Tensor indices = frame[i].to(data.device(), at::kLong);
        const std::int64_t along = wrap_axis(axis, data.dim());
        indices = at::where(indices < 0, indices + data.size(along), indices);
        std::vector<std::int64_t> shape = data.sizes().vec();
        shape.erase(shape.begin() + along);
        shape.insert(shape.begin() + along, indices.sizes().begin(), indices.sizes().end());
        frame[y] = at::index_select(data, along, indices.reshape({-1})).reshape(shape);
      };
}

Call lower_expand(const LowerContext& context) {
  return [x = context.in(0), shape_in = context.in(1), y = context.out()](Frame& frame) {
    // Both sides broadcast: a size of 1 in the wanted shape keeps the tensor's.
    std::vector<std::int64_t> shape = to_ints(frame[shape_in]);
    const at::IntArrayRef sizes = frame[x].sizes();
    if (shape.size() < sizes.size()) shape.insert(shape.begin(), sizes.size() - shape.size(), 1);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      std::int64_t& wanted = shape[shape.size() - sizes.size() + i];
      if (wanted == 1) wanted = sizes[i];
    }
    frame[y] = frame[x].expand(shape);
  };
}

}  // namespace pare::train
