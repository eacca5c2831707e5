// Transpose, Concat, Split: elements move unchanged, whatever their type.
#include <algorithm>

#include "kernels/layout/layout.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

/// Rows of a concatenation along a memory axis: `outer` rows of axis · inner elements.
struct Rows {
  std::int64_t outer = 1, inner = 1;
};
Rows rows_of(const Dims& memory, std::int64_t axis) {
  Rows rows;
  for (std::size_t i = 0; i < memory.size(); ++i) {
    if (static_cast<std::int64_t>(i) < axis) rows.outer *= memory[i];
    if (static_cast<std::int64_t>(i) > axis) rows.inner *= memory[i];
  }
  return rows;
}

std::int64_t axis_of(const ir::Node& node, std::size_t rank) {
  const std::int64_t axis = node.int_or("axis", 0);
  return axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
}

}  // namespace

std::optional<std::string> lower_Transpose(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0));
  std::vector<std::int64_t> perm = node.ints_or("perm", {});
  if (perm.empty())
    for (std::size_t i = in.size(); i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
  const int element = bits(lw.dtype(node.input(0))) / 8;
  if (in.size() > kernels::kMaxRank || in.empty() || element == 0) return "rank or element type";
  const BufferId x = lw.read(node.input(0)), y = lw.write(group.output);
  lw.emit(group, {"transpose", ""}, {x}, {y}, [=](const Frame& frame) {
    kernels::transpose(element, static_cast<int>(in.size()), in.data(), perm.data(), frame.at(x), frame.at(y));
  });
  return std::nullopt;
}

std::optional<std::string> lower_Concat(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims out = lw.dims(group.output);
  const std::int64_t element = bits(lw.dtype(group.output)) / 8;
  if (element == 0) return "packed elements";
  const bool last = out.size() == 4 && std::any_of(node.inputs.begin(), node.inputs.end(), [&](ir::ValueId id) {
                      return lw.stored(id) == Layout::kChannelsLast;
                    });
  const Layout layout = last ? Layout::kChannelsLast : Layout::kOnnx;
  const std::int64_t axis = physical_axis(axis_of(node, out.size()), layout);
  const Dims memory = physical(out, layout);
  const Rows rows = rows_of(memory, axis);
  const std::int64_t pitch = memory[static_cast<std::size_t>(axis)] * rows.inner * element;
  std::vector<BufferId> reads;
  std::vector<std::int64_t> widths;
  for (ir::ValueId id : node.inputs) {
    reads.push_back(lw.read(id, layout));
    widths.push_back(physical(lw.dims(id), layout)[static_cast<std::size_t>(axis)] * rows.inner * element);
  }
  const BufferId y = lw.write(group.output, layout);
  lw.emit(group, {"concat", ""}, reads, {y}, [=](const Frame& frame) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < reads.size(); ++i) {
      kernels::copy_rows(rows.outer, widths[i], frame.at(reads[i]), widths[i], frame.at(y) + offset, pitch);
      offset += widths[i];
    }
  });
  return std::nullopt;
}

std::optional<std::string> lower_Split(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0));
  const std::int64_t element = bits(lw.dtype(node.input(0))) / 8;
  if (element == 0) return "packed elements";
  const Layout layout = in.size() == 4 ? lw.stored(node.input(0)) : Layout::kOnnx;
  const std::int64_t axis = physical_axis(axis_of(node, in.size()), layout);
  const Dims memory = physical(in, layout);
  const Rows rows = rows_of(memory, axis);
  const std::int64_t pitch = memory[static_cast<std::size_t>(axis)] * rows.inner * element;
  const BufferId x = lw.read(node.input(0), layout);
  std::vector<BufferId> writes;
  std::vector<std::int64_t> widths;
  for (ir::ValueId id : node.outputs) {
    if (id == ir::kNoValue) return "an output is omitted";
    writes.push_back(lw.write(id, layout));
    widths.push_back(physical(lw.dims(id), layout)[static_cast<std::size_t>(axis)] * rows.inner * element);
  }
  lw.emit(group, {"split", ""}, {x}, writes, [=](const Frame& frame) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < writes.size(); ++i) {
      kernels::copy_rows(rows.outer, widths[i], frame.at(x) + offset, pitch, frame.at(writes[i]), widths[i]);
      offset += widths[i];
    }
  });
  return std::nullopt;
}

}  // namespace pare::runtime
