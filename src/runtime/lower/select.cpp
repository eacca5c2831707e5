// Where, comparisons, logic and Gather.
#include "kernels/select/select.h"

#include "ir/op.h"
#include "ir/ops/common/numeric.h"
#include "pare/error.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

/// Strides of up to three operands (condition, a, b) against a result; neighbouring axes that all operands walk alike
/// merge. nullopt: too many axes.
std::optional<kernels::SelectShape> plan_select(const Dims& out, const std::vector<Dims>& operands) {
  std::vector<Dims> strides;
  for (const Dims& operand : operands) strides.push_back(ir::ops::broadcast_strides(operand, out));
  kernels::SelectShape shape;
  std::int64_t* const own[] = {shape.condition, shape.a, shape.b};
  for (std::size_t axis = 0; axis < out.size(); ++axis) {
    if (out[axis] == 1) continue;
    bool merges = shape.rank > 0;
    for (std::size_t i = 0; merges && i < operands.size(); ++i)
      merges = own[i][shape.rank - 1] == strides[i][axis] * out[axis];
    if (!merges && shape.rank == kernels::kMaxRank) return std::nullopt;
    const int at = merges ? shape.rank - 1 : shape.rank++;
    shape.dims[at] = merges ? shape.dims[at] * out[axis] : out[axis];
    for (std::size_t i = 0; i < operands.size(); ++i) own[i][at] = strides[i][axis];
  }
  return shape;
}

template <class T>
void emit_compare(Lowerer& lw, const Group& group, kernels::CompareOp op, const kernels::SelectShape& shape) {
  const ir::Node& node = lw.main(group);
  const BufferId a = lw.read(node.input(0)), b = lw.read(node.input(1)), y = lw.write(group.output);
  lw.emit(group, {"compare", ""}, {a, b}, {y}, [=](const Frame& frame) {
    kernels::compare<T>(op, shape, frame.at<T>(a), frame.at<T>(b), frame.at<std::uint8_t>(y));
  });
}

std::optional<std::string> lower_compare(Lowerer& lw, const Group& group, kernels::CompareOp op) {
  const ir::Node& node = lw.main(group);
  const Dims a = lw.dims(node.input(0)), b = lw.dims(node.input(1)), out = lw.dims(group.output);
  const DType type = lw.dtype(node.input(0));
  if (group.integer || lw.dtype(node.input(1)) != type) return "no integer form";
  if (type != DType::kFloat32 && type != DType::kInt32 && type != DType::kInt64 && type != DType::kBool)
    return "no kernel for this type";
  const auto shape = plan_select(out, {Dims{}, a, b});
  if (!shape) return "too many axes";
  if (type == DType::kFloat32) emit_compare<float>(lw, group, op, *shape);
  if (type == DType::kInt32) emit_compare<std::int32_t>(lw, group, op, *shape);
  if (type == DType::kBool) emit_compare<std::uint8_t>(lw, group, op, *shape);
  if (type == DType::kInt64) emit_compare<std::int64_t>(lw, group, op, *shape);
  return std::nullopt;
}

/// Indices as the kernel wants them. They are data: one out of range is the caller's error, named here.
void read_indices(const std::string& node, DType type, const std::byte* in, std::int64_t count, std::int64_t size,
                  std::int64_t* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t index = type == DType::kInt64 ? reinterpret_cast<const std::int64_t*>(in)[i]
                                                     : reinterpret_cast<const std::int32_t*>(in)[i];
    if (index < -size || index >= size)
      throw Error(ErrorCode::kBadInput, node, "index out of range",
                  std::to_string(-size) + " to " + std::to_string(size - 1), std::to_string(index));
    out[i] = index < 0 ? index + size : index;
  }
}

}  // namespace

std::optional<std::string> lower_Where(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const std::int64_t element = bits(lw.dtype(group.output)) / 8;
  if (group.integer) return "no integer form";
  if (element == 0 || element > 8) return "no kernel for this type";
  const auto shape =
      plan_select(lw.dims(group.output), {lw.dims(node.input(0)), lw.dims(node.input(1)), lw.dims(node.input(2))});
  if (!shape) return "too many axes";
  const BufferId c = lw.read(node.input(0)), a = lw.read(node.input(1)), b = lw.read(node.input(2)),
                 y = lw.write(group.output);
  lw.emit(group, {"where", ""}, {c, a, b}, {y}, [=, shape = *shape](const Frame& frame) {
    kernels::select(element, shape, frame.at<std::uint8_t>(c), frame.at(a), frame.at(b), frame.at(y));
  });
  return std::nullopt;
}

std::optional<std::string> lower_Gather(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0));
  const std::int64_t width = bits(lw.dtype(node.input(0))), count = element_count(lw.dims(node.input(1)));
  if (group.integer) return "no integer form";
  if (width == 0 || width % 8 != 0) return "packed elements";
  const std::int64_t given = node.int_or("axis", 0),
                     axis = given < 0 ? given + static_cast<std::int64_t>(in.size()) : given;
  std::int64_t outer = 1, row = width / 8;
  for (std::size_t i = 0; i < in.size(); ++i)
    if (static_cast<std::int64_t>(i) != axis) (static_cast<std::int64_t>(i) < axis ? outer : row) *= in[i];
  const std::int64_t size = in[static_cast<std::size_t>(axis)];
  const DType type = lw.dtype(node.input(1));
  const BufferId x = lw.read(node.input(0)), indices = lw.read(node.input(1)), y = lw.write(group.output),
                 plain = lw.scratch(static_cast<std::size_t>(count) * sizeof(std::int64_t));
  lw.emit(group, {"gather", ""}, {x, indices}, {y, plain}, [=, who = ir::describe(node)](const Frame& frame) {
    read_indices(who, type, frame.at(indices), count, size, frame.at<std::int64_t>(plain));
    kernels::gather_rows(outer, size, count, row, frame.at<std::int64_t>(plain), frame.at(x), frame.at(y));
  });
  return std::nullopt;
}

#define PARE_COMPARE(type)                                                   \
  std::optional<std::string> lower_##type(Lowerer& lw, const Group& group) { \
    return lower_compare(lw, group, kernels::CompareOp::k##type);            \
  }
PARE_COMPARE(Equal)
PARE_COMPARE(Greater)
PARE_COMPARE(GreaterOrEqual) PARE_COMPARE(Less) PARE_COMPARE(LessOrEqual) PARE_COMPARE(And) PARE_COMPARE(Or)
    PARE_COMPARE(Xor)
#undef PARE_COMPARE

}  // namespace pare::runtime
