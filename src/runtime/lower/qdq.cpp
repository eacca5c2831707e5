// QuantizeLinear and DequantizeLinear as steps of their own.
#include "runtime/lower/nbits.h"
#include "runtime/lower/quant_layout.h"

namespace pare::runtime {

namespace {

/// DequantizeLinear → QuantizeLinear: the same bytes, or other parameters.
void lower_requantize(Lowerer& lw, const Group& group) {
  const auto from = quantized_activation(lw.graph(), lw.main(group).input(0));
  const Layout layout = lw.stored(from->q);
  const BufferId x = lw.read(from->q, layout);
  if (from->same_params(*group.quantize)) return lw.alias(group.output, x, layout);
  const kernels::QuantParams a = from->params(), b = group.quantize->params();
  const std::int64_t count = element_count(lw.dims(group.output));
  const BufferId y = lw.write(group.output, layout);
  lw.emit(group, {"requantize", "other scale or zero point"}, {x}, {y},
          [=](const Frame& frame) { kernels::requantize(count, a, frame.at(x), b, frame.at(y)); });
}

}  // namespace

std::optional<std::string> lower_QuantizeLinear(Lowerer& lw, const Group& group) {
  if (group.integer) {
    lower_requantize(lw, group);
    return std::nullopt;
  }
  const ir::Node& node = lw.main(group);
  const auto view = quantized_by(lw.graph(), group.main());
  if (!view || view->dtype == DType::kInt32) return "no kernel for these parameters";
  const Layout layout = lw.stored(node.input(0));
  const Dims shape = lw.dims(group.output);
  const BufferId x = lw.read(node.input(0), layout), y = lw.write(group.output, layout);
  lw.emit(group, {"quantize", ""}, {x}, {y}, [view = *view, x, y, shape, layout](const Frame& frame) {
    kernels::quantize(quant_layout(view, shape, layout), frame.at<float>(x), view.dtype, frame.at(y));
  });
  return std::nullopt;
}

std::optional<std::string> lower_DequantizeLinear(Lowerer& lw, const Group& group) {
  if (only_nbits_read(lw.graph(), group.output)) return std::nullopt;
  if (!dequantized(lw.graph(), group.output)) return "no kernel for these parameters";
  return std::nullopt;  // Lowerer::read makes the float form when a reader wants it
}

}  // namespace pare::runtime
