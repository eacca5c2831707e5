#include "runtime/lowerer.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "ir/op.h"
#include "kernels/convert/convert.h"
#include "kernels/layout/layout.h"
#include "kernels/quantize/quantize.h"
#include "pare/error.h"
#include "runtime/lower/quant_layout.h"
#include "runtime/reference.h"

namespace pare::runtime {

namespace {

ir::ValueFacts facts_of(const ir::Graph& graph, ir::ValueId id) {
  if (id == ir::kNoValue) return {};
  const ir::Value& value = graph.value(id);
  return {value.dtype, value.shape, graph.constant(id), std::nullopt};
}

std::int64_t macs_of(const ir::Model& model, const ir::Node& node) {
  const ir::Operator* op = ir::find_operator(node, model.opset(node.domain));
  if (!op || !op->macs) return 0;
  std::vector<ir::ValueFacts> in, out;
  for (ir::ValueId id : node.inputs) in.push_back(facts_of(model.graph, id));
  for (ir::ValueId id : node.outputs) out.push_back(facts_of(model.graph, id));
  return op->macs(node, in, out);
}

Layout other_layout(Layout layout) noexcept { return layout == Layout::kOnnx ? Layout::kChannelsLast : Layout::kOnnx; }

Tensor to_channels_last(const Tensor& tensor) {
  const Dims& d = tensor.dims();
  Tensor moved(tensor.dtype(), d);
  kernels::transpose2d(bits(tensor.dtype()) / 8, d[0], d[1], d[2] * d[3], tensor.aligned().raw(), moved.mutable_raw());
  return moved;
}

/// Puts a result where the plan wants it. A shape that turns out another than inferred is the model's fault.
void store(const ir::Node& node, std::size_t slot, const std::vector<Tensor>& results,
           const std::pair<DType, Dims>& planned, std::byte* to) {
  if (slot >= results.size())
    throw Error(ErrorCode::kUnsupported, ir::describe(node), "output " + std::to_string(slot) + " is not computed");
  const Tensor& result = results[slot];
  if (result.dtype() != planned.first || result.dims() != planned.second)
    throw Error(ErrorCode::kBadInput, ir::describe(node),
                "output " + std::to_string(slot) + " is not what follows from its inputs",
                std::string(name(planned.first)) + " [" + to_string(planned.second) + "]",
                std::string(name(result.dtype())) + " [" + to_string(result.dims()) + "]");
  if (result.bytes()) std::memcpy(to, result.raw(), result.bytes());
}

}  // namespace

bool same_bytes(const Dims& dims) noexcept { return dims.size() != 4 || dims[1] == 1 || dims[2] * dims[3] == 1; }

Dims physical(const Dims& dims, Layout layout) {
  return layout == Layout::kOnnx ? dims : Dims{dims[0], dims[2], dims[3], dims[1]};
}

std::int64_t physical_axis(std::int64_t axis, Layout layout) noexcept {
  if (layout == Layout::kOnnx || axis == 0) return axis;
  return axis == 1 ? 3 : axis - 1;
}

Dims Lowerer::dims(ir::ValueId id) const {
  const ir::Value& value = graph().value(id);
  if (const auto known = value.shape.static_dims()) return *known;
  throw Error(ErrorCode::kUnsupported, value.name, "its shape depends on data",
              "a shape that follows from the input shapes", ir::to_string(value.shape));
}

Tensor Lowerer::constant(ir::ValueId id) {
  if (id == ir::kNoValue) return {};
  if (const Tensor* tensor = graph().constant(id)) return *tensor;
  const auto view = dequantized(graph(), id);
  const Tensor* q = view ? graph().constant(view->q) : nullptr;
  if (!q) return {};
  return *cache_.get<Tensor>("dequantized " + std::to_string(id), *q, [&] {
    auto real = std::make_shared<Tensor>(DType::kFloat32, q->dims());
    kernels::dequantize(quant_layout(*view, q->dims(), Layout::kOnnx), view->dtype, q->raw(),
                        real->mutable_data<float>().data());
    return std::shared_ptr<const Tensor>(std::move(real));
  });
}

Layout Lowerer::stored(ir::ValueId id) const {
  if (buffers_.contains({id, Layout::kOnnx})) return Layout::kOnnx;
  if (buffers_.contains({id, Layout::kChannelsLast})) return Layout::kChannelsLast;
  if (narrow_buffers_.contains({id, Layout::kChannelsLast})) return Layout::kChannelsLast;
  const auto view = dequantized(graph(), id);
  return view ? stored(view->q) : Layout::kOnnx;
}

BufferId Lowerer::add_buffer(Buffer buffer) {
  if (bits(buffer.dtype) == 0)
    throw Error(ErrorCode::kUnsupported, buffer.name, "tensors of this type cannot be held at run time", {},
                std::string(name(buffer.dtype)));
  buffer.bytes = bytes_for(buffer.dtype, buffer.dims);
  plan_.buffers.push_back(std::move(buffer));
  return static_cast<BufferId>(plan_.buffers.size() - 1);
}

void Lowerer::add_inputs() {
  for (std::size_t i = 0; i < graph().inputs.size(); ++i) {
    const ir::ValueId id = graph().inputs[i];
    Buffer buffer{
        .name = graph().value(id).name, .dtype = dtype(id), .dims = dims(id), .home = Buffer::Home::kInput, .input = i};
    buffers_[{id, Layout::kOnnx}] = add_buffer(std::move(buffer));
    plan_.inputs.push_back(buffers_[{id, Layout::kOnnx}]);
  }
}

BufferId Lowerer::add_constant(const std::string& name, const Tensor& tensor, const Dims& dims, Layout layout) {
  plan_.weight_bytes += tensor.bytes();
  return add_buffer({.name = name,
                     .dtype = tensor.dtype(),
                     .dims = dims,
                     .layout = layout,
                     .home = Buffer::Home::kConstant,
                     .constant = tensor});
}

BufferId Lowerer::convert(BufferId from, Layout layout) {
  const Buffer source = buffer(from);
  if (source.layout == layout) return from;
  Buffer target{.name = source.name, .dtype = source.dtype, .dims = source.dims, .layout = layout};
  if (same_bytes(source.dims)) {
    target.home = Buffer::Home::kAlias;
    target.alias_of = from;
    return add_buffer(std::move(target));
  }
  if (source.home == Buffer::Home::kConstant && layout == Layout::kChannelsLast)
    return add_constant(source.name, to_channels_last(source.constant), source.dims, layout);
  const BufferId to = add_buffer(std::move(target));
  const bool last = layout == Layout::kChannelsLast;
  const std::int64_t pixels = source.dims[2] * source.dims[3], channels = source.dims[1], batch = source.dims[0];
  const std::int64_t element = bits(source.dtype) / 8;
  exec::PlanStep info{.kernel = last ? "to_channels_last" : "to_channels_first",
                      .output = source.name,
                      .output_dims = source.dims,
                      .reason = last ? "image operators read NHWC" : "its reader wants ONNX order"};
  plan_.steps.push_back({info, {from}, {to}, [=](const Frame& frame) {
                           kernels::transpose2d(element, batch, last ? channels : pixels, last ? pixels : channels,
                                                frame.at(from), frame.at(to));
                         }});
  return to;
}

void Lowerer::dequantize(ir::ValueId id) {
  const ir::NodeId producer = graph().producer(id);
  const auto view = dequantized(graph(), id);
  const Layout layout = stored(view->q);
  const BufferId from = read(view->q, layout), to = write(id, layout);
  const Dims shape = dims(id);
  emit({.nodes = {producer}, .output = id}, {"dequantize", "its reader computes in float"}, {from}, {to},
       [view = *view, from, to, shape, layout](const Frame& frame) {
         kernels::dequantize(quant_layout(view, shape, layout), view.dtype, frame.at(from), frame.at<float>(to));
       });
}

BufferId Lowerer::read(ir::ValueId id, Layout layout) {
  const auto found = buffers_.find({id, layout});
  if (found != buffers_.end()) return found->second;
  const Layout other = other_layout(layout);
  if (!buffers_.contains({id, other})) {
    const ir::Value& value = graph().value(id);
    if (lies_narrow(id)) {
      const Layout held = narrow_buffers_.contains({id, layout}) ? layout : other;
      buffers_[{id, held}] =
          convert_type(narrow_buffers_[{id, held}], DType::kFloat32, "its reader computes in float32");
    } else if (const Tensor fixed = constant(id); fixed.defined()) {
      buffers_[{id, Layout::kOnnx}] = add_constant(value.name, fixed, fixed.dims(), Layout::kOnnx);
    } else if (dequantized(graph(), id)) {
      dequantize(id);
    } else {
      throw Error(ErrorCode::kInternal, value.name, "read before it was produced");
    }
    return read(id, layout);
  }
  return buffers_[{id, layout}] = convert(buffers_[{id, other}], layout);
}

BufferId Lowerer::read_padded(ir::ValueId id, std::size_t rank, Layout layout) {
  Dims padded = dims(id);
  if (padded.size() >= rank) return read(id, layout);
  padded.insert(padded.begin(), rank - padded.size(), 1);
  const Tensor fixed = constant(id);
  if (fixed.defined())
    return convert(add_constant(graph().value(id).name, fixed.reshaped(padded), padded, Layout::kOnnx), layout);
  const BufferId base = read(id, Layout::kOnnx);
  return convert(add_buffer({.name = buffer(base).name,
                             .dtype = buffer(base).dtype,
                             .dims = padded,
                             .home = Buffer::Home::kAlias,
                             .alias_of = base}),
                 layout);
}

BufferId Lowerer::write(ir::ValueId id, Layout layout) {
  const BufferId made =
      add_buffer({.name = graph().value(id).name, .dtype = dtype(id), .dims = dims(id), .layout = layout});
  buffers_[{id, layout}] = made;
  return made;
}

bool Lowerer::lies_narrow(ir::ValueId id) const {
  return narrow_buffers_.contains({id, Layout::kOnnx}) || narrow_buffers_.contains({id, Layout::kChannelsLast});
}

BufferId Lowerer::read_narrow(ir::ValueId id, Layout layout) {
  if (const auto found = narrow_buffers_.find({id, layout}); found != narrow_buffers_.end()) return found->second;
  const auto other = narrow_buffers_.find({id, other_layout(layout)});
  const BufferId made = other != narrow_buffers_.end()
                            ? convert(other->second, layout)
                            : convert_type(read(id, layout), DType::kBFloat16, "its reader multiplies in bfloat16");
  return narrow_buffers_[{id, layout}] = made;
}

BufferId Lowerer::write_narrow(ir::ValueId id, Layout layout) {
  const BufferId made =
      add_buffer({.name = graph().value(id).name, .dtype = DType::kBFloat16, .dims = dims(id), .layout = layout});
  narrow_buffers_[{id, layout}] = made;
  return made;
}

BufferId Lowerer::convert_type(BufferId from, DType type, const std::string& reason) {
  const Buffer source = buffer(from);
  const BufferId to = add_buffer({.name = source.name, .dtype = type, .dims = source.dims, .layout = source.layout});
  exec::PlanStep info{.kernel = type == DType::kBFloat16 ? "to_bf16" : "to_f32",
                      .output = source.name,
                      .output_dims = source.dims,
                      .reason = reason};
  const std::int64_t count = element_count(source.dims);
  plan_.steps.push_back({info, {from}, {to}, [=, held = source.dtype](const Frame& frame) {
                           kernels::convert(held, type, count, frame.at(from), frame.at(to));
                         }});
  return to;
}

BufferId Lowerer::scratch(std::size_t bytes) {
  return add_buffer({.dtype = DType::kUint8, .dims = {static_cast<std::int64_t>(std::max<std::size_t>(bytes, 1))}});
}

void Lowerer::take_over(BufferId out, BufferId of) { plan_.buffers[static_cast<std::size_t>(out)].takes_over = of; }

void Lowerer::alias(ir::ValueId id, BufferId of, Layout layout) {
  buffers_[{id, layout}] = add_buffer({.name = graph().value(id).name,
                                       .dtype = dtype(id),
                                       .dims = dims(id),
                                       .layout = layout,
                                       .home = Buffer::Home::kAlias,
                                       .alias_of = of});
}

Step& Lowerer::emit(const Group& group, StepNote note, std::vector<BufferId> reads, std::vector<BufferId> writes,
                    std::function<void(const Frame&)> run) {
  exec::PlanStep info{
      .kernel = std::move(note.kernel), .reason = std::move(note.reason), .weight_bytes = note.weight_bytes};
  for (ir::NodeId id : group.nodes) info.nodes.push_back(graph().node(id).name);
  info.op_type = main(group).op_type;
  // The first output may be omitted (only the indices of TopK, the last state of an LSTM).
  ir::ValueId output = group.output;
  for (ir::ValueId other : main(group).outputs) output = output == ir::kNoValue ? other : output;
  if (output != ir::kNoValue) {
    info.output = graph().value(output).name;
    info.output_dims = dims(output);
  }
  info.macs = macs_of(model_, main(group));
  info.multiplies = group.integer ? DType::kInt8 : DType::kFloat32;
  if (note.multiplies != DType::kUndefined) info.multiplies = note.multiplies;
  plan_.weight_bytes += static_cast<std::size_t>(note.weight_bytes);
  return plan_.steps.emplace_back(std::move(info), std::move(reads), std::move(writes), std::move(run));
}

std::optional<std::string> Lowerer::lower_fused(const Group& group) {
  const Lowering* row = find_lowering(main(group));
  if (!row) return "no kernel of its own";
  return row->lower(*this, group);
}

void Lowerer::lower(const Group& group) {
  const std::optional<std::string> reason = lower_fused(group);
  if (!reason) return;
  if (!group.parts.empty()) {
    for (const Group& part : group.parts) lower(part);
    return;
  }
  if (group.nodes.size() == 1 && !group.integer) return lower_by_reference(group, *reason);
  for (ir::NodeId id : group.nodes) lower({.nodes = {id}, .output = graph().node(id).output(0)});
}

void Lowerer::lower_by_reference(const Group& group, const std::string& reason) {
  const ir::Node& node = main(group);
  const ReferenceCall call(model_, node, options_, cache_);
  std::vector<BufferId> reads, writes;
  std::vector<std::pair<DType, Dims>> in, out;
  const auto type_of = [&](ir::ValueId id) {
    return id == ir::kNoValue ? std::pair(DType::kUndefined, Dims{}) : std::pair(dtype(id), dims(id));
  };
  for (ir::ValueId id : node.inputs) {
    reads.push_back(id == ir::kNoValue ? kNoBuffer : read(id));
    in.push_back(type_of(id));
  }
  for (ir::ValueId id : node.outputs) {
    writes.push_back(id == ir::kNoValue ? kNoBuffer : write(id));
    out.push_back(type_of(id));
  }
  std::vector<BufferId> real_reads = reads, real_writes = writes;
  std::erase(real_reads, kNoBuffer);
  std::erase(real_writes, kNoBuffer);
  const StepNote note = ir::has_subgraph(node)
                            ? StepNote{"control_flow", "its subgraphs are compiled when they first run"}
                            : StepNote{"reference", reason};
  emit(group, note, real_reads, real_writes, [call, reads, writes, in, out](const Frame& frame) {
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < reads.size(); ++i)
      inputs.push_back(reads[i] == kNoBuffer ? Tensor()
                                             : Tensor::view(in[i].first, in[i].second, frame.at(reads[i]), nullptr));
    const std::vector<Tensor> outputs = call.run(inputs);
    for (std::size_t i = 0; i < writes.size(); ++i)
      if (writes[i] != kNoBuffer) store(call.node(), i, outputs, out[i], frame.at(writes[i]));
  });
}

void Lowerer::observe(ir::ValueId id) {
  const BufferId dense = read(id);
  plan_.observed.push_back({graph().value(id).name, dense, static_cast<int>(plan_.steps.size()) - 1});
}

void Lowerer::finish() {
  for (ir::ValueId id : graph().outputs) {
    plan_.outputs.push_back(read(id));
    plan_.output_names.push_back(graph().value(id).name);
  }
}

}  // namespace pare::runtime
