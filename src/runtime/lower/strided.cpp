// Operators whose result is a strided view of their input, copied in one pass: Slice, Expand, Tile, DepthToSpace,
// SpaceToDepth.
#include "kernels/layout/strided.h"

#include "ir/ops/common/numeric.h"
#include "ir/ops/common/slicing.h"
#include "runtime/lower/constants.h"

namespace pare::runtime {

namespace {

struct View {
  Dims dims, strides;
  std::int64_t offset = 0;
};

/// Axes of size 1 go, and neighbours that are one run of memory merge.
View collapsed(const View& view) {
  View out{{}, {}, view.offset};
  for (std::size_t i = 0; i < view.dims.size(); ++i) {
    if (view.dims[i] == 1) continue;
    if (!out.dims.empty() && out.strides.back() == view.strides[i] * view.dims[i]) {
      out.dims.back() *= view.dims[i];
      out.strides.back() = view.strides[i];
    } else {
      out.dims.push_back(view.dims[i]);
      out.strides.push_back(view.strides[i]);
    }
  }
  return out;
}

std::optional<std::string> lower_view(Lowerer& lw, const Group& group, const char* name, const View& given) {
  if (group.integer) return "no integer form";
  const View view = collapsed(given);
  const std::int64_t element = bits(lw.dtype(group.output)) / 8;
  if (element == 0 || element > 8) return "no kernel for this type";
  if (view.dims.size() > kernels::kMaxRank) return "too many axes";
  const BufferId x = lw.read(lw.main(group).input(0)), y = lw.write(group.output);
  if (element_count(view.dims) == 0) return std::nullopt;
  lw.emit(group, {name, ""}, {x}, {y}, [=](const Frame& frame) {
    kernels::copy_strided(element, static_cast<int>(view.dims.size()), view.dims.data(), view.strides.data(),
                          frame.at(x) + view.offset * element, frame.at(y));
  });
  return std::nullopt;
}

}  // namespace

std::optional<std::string> lower_Slice(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const ConstantInputs inputs(lw, node);
  if (!inputs.known()) return "its bounds are not constant";
  const ir::ops::SliceView view = ir::ops::slice_view(inputs.context(), lw.dims(node.input(0)));
  return lower_view(lw, group, "slice", {view.dims, view.strides, view.offset});
}

std::optional<std::string> lower_Expand(Lowerer& lw, const Group& group) {
  if (!ConstantInputs(lw, lw.main(group)).known()) return "its target is not constant and has to be checked";
  const Dims in = lw.dims(lw.main(group).input(0)), out = lw.dims(group.output);
  return lower_view(lw, group, "expand", {out, ir::ops::broadcast_strides(in, out)});
}

std::optional<std::string> lower_Tile(Lowerer& lw, const Group& group) {
  const Dims in = lw.dims(lw.main(group).input(0)), out = lw.dims(group.output), strides = ir::ops::strides_of(in);
  View view;
  for (std::size_t i = 0; i < in.size(); ++i) {
    view.dims.insert(view.dims.end(), {in[i] == 0 ? 0 : out[i] / in[i], in[i]});
    view.strides.insert(view.strides.end(), {0, strides[i]});
  }
  return lower_view(lw, group, "tile", view);
}

std::optional<std::string> lower_DepthToSpace(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0)), out = lw.dims(group.output);
  const std::int64_t b = node.int_or("blocksize", 1), c = out[1], h = in[2], w = in[3], plane = h * w;
  const bool crd = node.string_or("mode", "DCR") == "CRD";
  const std::int64_t row = crd ? b * plane : b * c * plane, column = crd ? plane : c * plane,
                     channel = crd ? b * b * plane : plane;
  return lower_view(lw, group, "depth_to_space",
                    {{in[0], c, h, b, w, b}, {b * b * c * plane, channel, w, row, 1, column}});
}

std::optional<std::string> lower_SpaceToDepth(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0));
  const std::int64_t b = node.int_or("blocksize", 1), c = in[1], h = in[2], w = in[3];
  if (node.string_or("mode", "DCR") == "CRD")
    return lower_view(lw, group, "space_to_depth",
                      {{in[0], c, b, b, h / b, w / b}, {c * h * w, h * w, w, 1, b * w, b}});
  return lower_view(lw, group, "space_to_depth", {{in[0], b, b, c, h / b, w / b}, {c * h * w, w, 1, h * w, b * w, b}});
}

}  // namespace pare::runtime
