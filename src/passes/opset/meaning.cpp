// Changes of meaning from opset 9 on.
#include <algorithm>

#include "base/float16.h"
#include "passes/opset/change.h"

namespace pare::passes::opset {

namespace {

/// Elements of a constant input as doubles; empty when it is none.
std::vector<double> constant_values(const Site& site, std::size_t slot) {
  const Tensor* tensor = site.graph.constant(site.node().input(slot));
  std::vector<double> values;
  for (std::int64_t i = 0; tensor && i < tensor->numel(); ++i) values.push_back(element_as_double(*tensor, i));
  return values;
}

/// Before opset 11 the sampling points were fixed: the corner of each pixel, rounded down.
std::string add_coordinates(const Site& site) {
  const ir::ValueId scales = site.node().input(1);
  if (scales == ir::kNoValue) return "it has no scales";
  const bool nearest = site.node().string_or("mode", "nearest") == "nearest";
  const std::vector<double> values = constant_values(site, 1);
  if (nearest && (values.empty() || std::any_of(values.begin(), values.end(), [](double s) { return s < 1; })))
    return "how nearest neighbours are chosen when it shrinks (or may) was left open";
  site.set_input(2, scales);
  site.set_input(1, ir::kNoValue);
  site.node().set("coordinate_transformation_mode", std::string("asymmetric"));
  if (nearest) site.node().set("nearest_mode", std::string("floor"));
  return {};
}

}  // namespace

std::string refuse_change(const Site&) { return "there is no equivalent"; }

std::string upsample_to_resize(const Site& site) {
  site.node().op_type = "Resize";
  return {};
}

std::string resize_coordinates(const Site& site) {
  const std::string why = add_coordinates(site);
  if (!why.empty()) return why;
  // roi may be omitted from opset 13 on; an empty one is valid before as well.
  site.set_input(1, site.add_constant("roi", Tensor(DType::kFloat32, {0})));
  return {};
}

std::string resize_modes(const Site& site) {
  const std::string mode = site.node().string_or("coordinate_transformation_mode", "half_pixel");
  return mode == "tf_half_pixel_for_nn" ? "coordinate_transformation_mode tf_half_pixel_for_nn has no successor" : "";
}

std::string scatter_elements(const Site& site) {
  site.node().op_type = "ScatterElements";
  return {};
}

/// x → Softmax(axis)   becomes   x → Softmax(−1)                                      where axis is the last
///                     or        x → Flatten(axis) → Softmax(−1) → Reshape(Shape(x))  else
std::string softmax_axis(const Site& site) {
  const ir::Shape shape = site.shape(0);
  const std::int64_t axis = site.node().int_or("axis", 1);
  site.node().set("axis", std::int64_t{-1});
  if (axis == -1 || (shape.ranked() && axis == shape.rank() - 1)) return {};
  const ir::ValueId x = site.node().input(0), y = site.node().output(0);
  const ir::ValueId dims = site.insert("Shape", {x}, {}, "shape");
  ir::Attribute flat_axis;
  flat_axis.value = axis;
  site.set_input(0, site.insert("Flatten", {x}, {{"axis", flat_axis}}, "flat"));
  const ir::ValueId matrix = site.graph.add_value(site.node().name + "_matrix");
  site.graph.set_output(site.id, 0, matrix);
  ir::Node reshape;
  reshape.op_type = "Reshape";
  reshape.name = site.graph.unique_node_name(site.node().name + "_unflatten");
  reshape.inputs = {matrix, dims};
  reshape.outputs = {y};
  site.graph.add_node(std::move(reshape));
  site.graph.sort();
  return {};
}

std::string batch_norm_outputs(const Site& site) {
  const std::vector<ir::ValueId>& outputs = site.node().outputs;
  const bool trains =
      std::any_of(outputs.begin() + 1, outputs.end(), [](ir::ValueId id) { return id != ir::kNoValue; });
  return trains ? "it is in training mode" : "";
}

std::string roi_align_coordinates(const Site& site) {
  if (!site.node().find("coordinate_transformation_mode"))
    site.node().set("coordinate_transformation_mode", std::string("output_half_pixel"));
  return {};
}

std::string grid_sample_modes(const Site& site) {
  const std::string mode = site.node().string_or("mode", "bilinear");
  site.node().set("mode", mode == "bilinear" ? std::string("linear") : mode == "bicubic" ? std::string("cubic") : mode);
  return {};
}

/// scale [groups] becomes scale [channels], each repeated for the channels of its group.
std::string group_norm_per_channel(const Site& site) {
  const std::int64_t groups = site.node().int_or("num_groups", 0);
  const ir::Shape shape = site.shape(0);
  if (!shape.ranked() || shape.rank() < 2 || !shape[1].is_known() || groups < 1 || shape[1].value() % groups != 0)
    return "its number of channels is not known";
  for (std::size_t slot : {1, 2}) {
    const Tensor* given = site.graph.constant(site.node().input(slot));
    if (!given || given->numel() != groups) return "scale and bias must be constants";
    const Tensor wide = cast(*given, DType::kFloat32);
    std::vector<float> values;
    for (float value : wide.data<float>())
      values.insert(values.end(), static_cast<std::size_t>(shape[1].value() / groups), value);
    const Tensor repeated = cast(Tensor::from({shape[1].value()}, values), given->dtype());
    site.set_input(slot, site.add_constant(slot == 1 ? "scale" : "bias", repeated));
  }
  return {};
}

}  // namespace pare::passes::opset
