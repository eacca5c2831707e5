// Changes of meaning before opset 9: broadcasting by attribute, and modes of training.
#include "passes/opset/change.h"

namespace pare::passes::opset {

/// consumed_inputs told executors of opset 1 what they may overwrite; `broadcast` and `axis` are read before this.
static void drop(const Site& site, std::initializer_list<const char*> attributes) {
  for (const char* name : attributes) site.node().attributes.erase(name);
}

std::string batch_norm_inference(const Site& site) {
  if (site.node().find("is_test") && site.node().int_or("is_test", 0) == 0) return "it is in training mode";
  drop(site, {"is_test", "consumed_inputs"});
  return {};
}

std::string dropout_inference(const Site& site) {
  if (site.node().find("is_test") && site.node().int_or("is_test", 0) == 0) return "it is in training mode";
  drop(site, {"is_test", "consumed_inputs"});
  return {};
}

/// With `axis`, B lines up with A's axes from there on: B gets trailing axes of size one.
std::string broadcast_like_numpy(const Site& site) {
  const bool aligned = site.node().int_or("broadcast", 0) != 0 && site.node().find("axis");
  const std::int64_t given = site.node().int_or("axis", 0);
  drop(site, {"broadcast", "axis", "consumed_inputs"});
  if (!aligned) return {};
  const ir::Shape a = site.shape(0), b = site.shape(1);
  if (!a.ranked() || !b.ranked()) return "it broadcasts along an axis, and the ranks are not known";
  const std::int64_t axis = given < 0 ? given + a.rank() : given, trailing = a.rank() - axis - b.rank();
  if (axis < 0 || trailing < 0) return "its axis lies outside the first input";
  if (trailing == 0) return {};
  std::vector<std::int64_t> axes;
  for (std::int64_t i = 0; i < trailing; ++i) axes.push_back(b.rank() + i);
  ir::Attribute attribute;
  attribute.value = axes;
  site.set_input(1, site.insert("Unsqueeze", {site.node().input(1)}, {{"axes", attribute}}, "aligned"));
  return {};
}

std::string gemm_broadcast(const Site& site) {
  drop(site, {"broadcast"});
  return {};
}

/// A slope of one axis was one a channel.
std::string prelu_slope(const Site& site) {
  const ir::Shape x = site.shape(0), slope = site.shape(1);
  drop(site, {"consumed_inputs"});
  if (!slope.ranked() || !x.ranked()) return "the ranks are not known";
  const bool shared = slope.rank() == 0 || (slope.rank() == 1 && slope[0].is_known() && slope[0].value() == 1);
  if (shared || slope.rank() != 1 || x.rank() <= 2) return {};
  std::vector<std::int64_t> axes;
  for (std::int64_t i = 1; i < x.rank() - 1; ++i) axes.push_back(i);
  ir::Attribute attribute;
  attribute.value = axes;
  site.set_input(1, site.insert("Unsqueeze", {site.node().input(1)}, {{"axes", attribute}}, "aligned"));
  return {};
}

std::string recurrent_sequence(const Site& site) {
  if (site.node().input(0) == ir::kNoValue) return "it has no input";
  if (site.node().output(0) != ir::kNoValue && site.node().int_or("output_sequence", 0) == 0)
    return "its first output is read, but output_sequence is 0";
  drop(site, {"output_sequence"});
  return {};
}

std::string batch_norm_spatial(const Site& site) {
  const ir::Shape scale = site.shape(1);
  if (site.node().int_or("spatial", 1) == 0 && !(scale.ranked() && scale.rank() == 1))
    return "spatial = 0 has no successor";
  drop(site, {"spatial"});
  return {};
}

}  // namespace pare::passes::opset
