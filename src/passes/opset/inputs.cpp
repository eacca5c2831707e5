// Attributes that became inputs, or lost their default: the meaning stays.
#include "base/float16.h"
#include "passes/opset/change.h"

namespace pare::passes::opset {

std::string concat_axis(const Site& site) {
  if (!site.node().find("axis")) site.node().set("axis", std::int64_t{1});
  return {};
}

std::string reshape_shape(const Site& site) {
  if (!site.node().find("shape")) return "it has no shape";
  ints_to_input(site, "shape", 1);
  return {};
}

std::string cast_to(const Site& site) {
  const ir::Attribute* to = site.node().find("to");
  const std::string* text = to ? std::get_if<std::string>(&to->value) : nullptr;
  if (!text) return to ? "" : "it has no type";
  static const std::pair<const char*, DType> kNames[] = {
      {"FLOAT", DType::kFloat32},  {"UINT8", DType::kUint8},         {"INT8", DType::kInt8},
      {"UINT16", DType::kUint16},  {"INT16", DType::kInt16},         {"INT32", DType::kInt32},
      {"INT64", DType::kInt64},    {"BOOL", DType::kBool},           {"FLOAT16", DType::kFloat16},
      {"DOUBLE", DType::kFloat64}, {"UINT32", DType::kUint32},       {"UINT64", DType::kUint64},
      {"STRING", DType::kString},  {"COMPLEX64", DType::kComplex64}, {"COMPLEX128", DType::kComplex128}};
  for (const auto& [name, type] : kNames) {
    if (*text != name) continue;
    site.node().set("to", static_cast<std::int64_t>(type));
    return {};
  }
  return "its type '" + *text + "' is unknown";
}

std::string tile_repeats(const Site& site) {
  const ir::Shape shape = site.shape(0);
  const Tensor* tiles = site.graph.constant(site.node().input(1));
  const Tensor* axis = site.graph.constant(site.node().input(2));
  if (!shape.ranked() || !tiles || !axis || tiles->numel() != 1 || axis->numel() != 1)
    return "tiles and axis must be constants and the rank known";
  std::vector<std::int64_t> repeats(static_cast<std::size_t>(shape.rank()), 1);
  const auto at = static_cast<std::int64_t>(element_as_double(*axis, 0));
  if (at < 0 || at >= shape.rank()) return "its axis lies outside the input";
  repeats[static_cast<std::size_t>(at)] = static_cast<std::int64_t>(element_as_double(*tiles, 0));
  site.set_input(1, site.add_constant("repeats", Tensor::from({shape.rank()}, repeats)));
  site.graph.set_input(site.id, 2, ir::kNoValue);
  site.node().inputs.resize(2);
  return {};
}

std::string upsample_scales(const Site& site) {
  const ir::Attribute* scales = site.node().find("scales");
  if (!scales) return "it has no scales";
  const std::vector<float> values = site.node().floats_or("scales", {});
  site.set_input(1, site.add_constant("scales", Tensor::from({static_cast<std::int64_t>(values.size())}, values)));
  site.node().attributes.erase("scales");
  return {};
}

std::string slice_inputs(const Site& site) {
  ints_to_input(site, "starts", 1);
  ints_to_input(site, "ends", 2);
  ints_to_input(site, "axes", 3);
  return {};
}

std::string topk_k(const Site& site) {
  int_to_input(site, "k", 1);
  return {};
}

std::string clip_bounds(const Site& site) {
  float_to_input(site, "min", 1);
  float_to_input(site, "max", 2);
  return {};
}

std::string pad_inputs(const Site& site) {
  if (site.node().find("paddings")) return "it is of opset 1, whose paddings have another name";
  ints_to_input(site, "pads", 1);
  float_to_input(site, "value", 2);
  return {};
}

std::string dropout_ratio(const Site& site) {  // the ratio means nothing in inference
  site.node().attributes.erase("ratio");
  return {};
}

std::string axes_input(const Site& site) {
  ints_to_input(site, "axes", 1);
  return {};
}

std::string split_input(const Site& site) {
  ints_to_input(site, "split", 1);
  return {};
}

std::string split_parts(const Site& site) {
  if (site.node().input(1) == ir::kNoValue)
    site.node().set("num_outputs", static_cast<std::int64_t>(site.node().outputs.size()));
  return {};
}

std::string dft_axis(const Site& site) {
  const std::int64_t axis = site.node().int_or("axis", 1);
  site.set_input(2, site.add_constant("axis", Tensor::scalar(axis)));
  site.node().attributes.erase("axis");
  return {};
}

}  // namespace pare::passes::opset
