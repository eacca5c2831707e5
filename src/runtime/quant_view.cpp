#include "runtime/quant_view.h"

#include <algorithm>

#include "base/float16.h"

namespace pare::runtime {

namespace {

template <class T>
void widen(const Tensor& tensor, std::vector<std::int32_t>& to) {
  const auto values = tensor.data<T>();
  std::copy(values.begin(), values.end(), to.begin());
}

/// The elements of a tensor of as many.
void take_zero_points(const Tensor& tensor, std::vector<std::int32_t>& to) {
  if (tensor.dtype() == DType::kInt8) return widen<std::int8_t>(tensor, to);
  if (tensor.dtype() == DType::kUint8) return widen<std::uint8_t>(tensor, to);
  if (tensor.dtype() == DType::kInt32) return widen<std::int32_t>(tensor, to);
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = static_cast<std::int32_t>(element_as_double(tensor, static_cast<std::int64_t>(i)));
}

/// Parameters of a Q or DQ node whose quantized side is `q` and whose float side is `real`.
std::optional<QuantView> view(const ir::Graph& graph, const ir::Node& node, ir::ValueId q, ir::ValueId real) {
  const Tensor* scale = graph.constant(node.input(1));
  const ir::ValueId zero = node.input(2);
  const Tensor* zero_point = graph.constant(zero);
  if (!scale || scale->dtype() != DType::kFloat32 || scale->rank() > 1 || scale->numel() == 0) return std::nullopt;
  if (zero != ir::kNoValue && (!zero_point || zero_point->numel() != scale->numel())) return std::nullopt;
  if (node.int_or("block_size", 0) != 0) return std::nullopt;
  if (graph.value(real).dtype != DType::kFloat32) return std::nullopt;
  QuantView found;
  found.q = q;
  found.dtype = graph.value(q).dtype;
  const bool wide = found.dtype == DType::kUint16 || found.dtype == DType::kInt16;
  if (!found.is_8_bit() && !wide && found.dtype != DType::kInt32) return std::nullopt;
  found.scale.assign(scale->data<float>().begin(), scale->data<float>().end());
  found.zero_point.resize(found.scale.size());
  for (const float scale_of_one : found.scale)
    if (!(scale_of_one > 0)) return std::nullopt;
  if (zero_point) take_zero_points(*zero_point, found.zero_point);
  if (found.scale.size() > 1) {
    const ir::Shape& shape = graph.value(q).shape;
    const std::int64_t axis = node.int_or("axis", 1);
    if (!shape.ranked()) return std::nullopt;
    found.axis = axis < 0 ? axis + shape.rank() : axis;
  }
  return found;
}

}  // namespace

std::optional<QuantView> dequantized(const ir::Graph& graph, ir::ValueId value) {
  const ir::NodeId producer = graph.producer(value);
  if (producer == ir::kNoNode || !graph.node(producer).is("DequantizeLinear")) return std::nullopt;
  const ir::Node& node = graph.node(producer);
  return view(graph, node, node.input(0), value);
}

std::optional<QuantView> quantized_by(const ir::Graph& graph, ir::NodeId id) {
  if (id == ir::kNoNode || !graph.node(id).is("QuantizeLinear")) return std::nullopt;
  const ir::Node& node = graph.node(id);
  return view(graph, node, node.output(0), node.input(0));
}

std::optional<QuantView> quantized_activation(const ir::Graph& graph, ir::ValueId value) {
  std::optional<QuantView> found = dequantized(graph, value);
  return found && found->is_8_bit() && found->per_tensor() ? found : std::nullopt;
}

}  // namespace pare::runtime
