// Elementwise functions of two operands with numpy broadcasting. Image operands stay channels-last.
#include "pare/error.h"
#include "runtime/lower/product.h"

namespace pare::runtime {

namespace {

Dims padded(Dims dims, std::size_t rank) {
  if (dims.size() < rank) dims.insert(dims.begin(), rank - dims.size(), 1);
  return dims;
}

/// Channels-last when the result is an image and an operand of its size lies so already.
Layout layout_for(const Lowerer& lw, const Dims& out, ir::ValueId a, ir::ValueId b) {
  if (out.size() != 4) return Layout::kOnnx;
  for (ir::ValueId id : {a, b})
    if (lw.dims(id) == out && lw.stored(id) == Layout::kChannelsLast) return Layout::kChannelsLast;
  return Layout::kOnnx;
}

std::optional<std::string> lower_binary(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const auto op = binary_of(node);
  if (!op) return "not two operands";
  for (ir::ValueId id : node.inputs)
    if (lw.dtype(id) != DType::kFloat32) return "only float32 has a kernel";
  std::optional<QuantView> qa, qb;
  if (group.integer)
    qa = quantized_activation(lw.graph(), node.input(0)), qb = quantized_activation(lw.graph(), node.input(1));
  const ir::ValueId a = qa ? qa->q : node.input(0), b = qb ? qb->q : node.input(1);
  const Dims out = lw.dims(node.output(0));
  const Layout layout = layout_for(lw, out, a, b);
  kernels::BinaryShape shape;
  try {
    shape = kernels::plan_binary(physical(padded(lw.dims(a), out.size()), layout),
                                 physical(padded(lw.dims(b), out.size()), layout));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    return "too many axes";
  }
  const Clamp clamp = final_clamp(group).value_or(Clamp{});
  const BufferId x = lw.read_padded(a, out.size(), layout), y = lw.read_padded(b, out.size(), layout);
  const BufferId z = lw.write(group.output, layout);
  if (group.integer) {
    const kernels::QuantParams pa = qa->params(), pb = qb->params(), po = group.quantize->params();
    lw.emit(group, {"binary_8bit", "8-bit inputs and output"}, {x, y}, {z}, [=](const Frame& frame) {
      kernels::qbinary(*op, shape, pa, frame.at(x), pb, frame.at(y), po, frame.at(z), clamp.lo, clamp.hi);
    });
    return std::nullopt;
  }
  for (const auto& [id, buffer] : {std::pair(a, x), std::pair(b, y)})
    if (lw.dims(id) == out) lw.take_over(z, buffer);
  lw.emit(group, {"binary_f32", ""}, {x, y}, {z}, [=](const Frame& frame) {
    kernels::binary(*op, shape, frame.at<float>(x), frame.at<float>(y), frame.at<float>(z), clamp.lo, clamp.hi);
  });
  return std::nullopt;
}

}  // namespace

#define PARE_BINARY(type) \
  std::optional<std::string> lower_##type(Lowerer& lw, const Group& group) { return lower_binary(lw, group); }
PARE_BINARY(Add)
PARE_BINARY(Sub) PARE_BINARY(Mul) PARE_BINARY(Div) PARE_BINARY(Min) PARE_BINARY(Max) PARE_BINARY(Pow) PARE_BINARY(PRelu)
PARE_BINARY(Sum)
#undef PARE_BINARY

}  // namespace pare::runtime
