// x → Pad (constant, spatial axes only) → Conv | MaxPool | AveragePool (pads p)   becomes   x → the same (pads p + pad)
//
// Conditions: pads are constant and not negative; auto_pad is NOTSET or VALID; the Pad has no other reader; and
//   Conv         the padded value is 0
//   MaxPool      the padded value is −∞ (or the lowest float), and no window lies wholly in the padding: pads < kernel
//   extent AveragePool  the padded value is 0, ceil_mode = 0, and padding counted before: p = 0 or count_include_pad;
//   it is counted after
#include <limits>

#include "passes/pass.h"
#include "passes/rewrite.h"

namespace pare::passes {

namespace {

struct Padding {
  std::vector<std::int64_t> begin, end;  ///< per spatial axis
  float value = 0;
};

std::optional<float> padded_value(const ir::Graph& graph, const ir::Node& pad) {
  if (pad.find("value")) return pad.float_or("value", 0);
  if (pad.input(2) == ir::kNoValue) return 0.0f;
  const Tensor* value = graph.constant(pad.input(2));
  if (!value || value->dtype() != DType::kFloat32 || value->numel() != 1) return std::nullopt;
  return value->data<float>()[0];
}

/// Amounts over all axes [begin…, end…], whatever way the opset has of writing them.
std::optional<std::vector<std::int64_t>> padded_amounts(const ir::Graph& graph, const ir::Node& pad,
                                                        std::int64_t rank) {
  if (pad.find("pads")) return pad.ints_or("pads", {});
  const auto given = constant_ints(graph, pad.input(1));
  if (!given || pad.input(3) == ir::kNoValue) return given;
  const auto axes = constant_ints(graph, pad.input(3));
  if (!axes || given->size() != 2 * axes->size()) return std::nullopt;
  std::vector<std::int64_t> all(static_cast<std::size_t>(2 * rank));
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const std::int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + rank : (*axes)[i];
    if (axis < 0 || axis >= rank) return std::nullopt;
    all[static_cast<std::size_t>(axis)] = (*given)[i];
    all[static_cast<std::size_t>(axis + rank)] = (*given)[i + axes->size()];
  }
  return all;
}

std::optional<Padding> find_padding(const ir::Graph& graph, const ir::Node& pad) {
  const ir::Shape& shape = graph.value(pad.input(0)).shape;
  if (!pad.is("Pad") || pad.string_or("mode", "constant") != "constant" || !shape.ranked() || shape.rank() < 3)
    return std::nullopt;
  const auto rank = static_cast<std::size_t>(shape.rank());
  const auto amounts = padded_amounts(graph, pad, shape.rank());
  const auto value = padded_value(graph, pad);
  if (!amounts || !value || amounts->size() != 2 * rank) return std::nullopt;
  Padding found;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t begin = (*amounts)[axis], end = (*amounts)[axis + rank];
    if (begin < 0 || end < 0 || (axis < 2 && (begin || end))) return std::nullopt;
    if (axis < 2) continue;
    found.begin.push_back(begin);
    found.end.push_back(end);
  }
  found.value = *value;
  return found;
}

bool legal(const ir::Node& node, const Padding& padding, const std::vector<std::int64_t>& pads,
           const std::vector<std::int64_t>& kernel) {
  if (node.is("Conv")) return padding.value == 0;
  if (node.is("AveragePool")) {
    bool unpadded = true;
    for (std::int64_t p : pads) unpadded = unpadded && p == 0;
    return padding.value == 0 && node.int_or("ceil_mode", 0) == 0 && (unpadded || node.int_or("count_include_pad", 0));
  }
  if (!node.is("MaxPool") || padding.value > std::numeric_limits<float>::lowest()) return false;
  if (node.outputs.size() > 1) return false;  // indices would count the padding
  for (std::size_t i = 0; i < pads.size(); ++i)
    if (pads[i] >= kernel[i % kernel.size()]) return false;
  return true;
}

bool fuse(ir::Graph& graph, ir::NodeId pad, ir::NodeId next) {
  ir::Node& node = graph.node(next);
  if (node.input(0) != graph.node(pad).output(0) || !node.domain.empty()) return false;
  if (!node.is("Conv") && !node.is("MaxPool") && !node.is("AveragePool")) return false;
  const std::string auto_pad = node.string_or("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") return false;
  const auto padding = find_padding(graph, graph.node(pad));
  if (!padding) return false;
  const std::size_t spatial = padding->begin.size();
  std::vector<std::int64_t> pads = node.ints_or("pads", std::vector<std::int64_t>(2 * spatial));
  if (auto_pad == "VALID" || pads.empty()) pads.assign(2 * spatial, 0);
  if (pads.size() != 2 * spatial) return false;
  const std::vector<std::int64_t> before = pads;
  for (std::size_t i = 0; i < spatial; ++i) {
    pads[i] += padding->begin[i];
    pads[i + spatial] += padding->end[i];
  }
  const std::vector<std::int64_t> kernel = node.ints_or("kernel_shape", std::vector<std::int64_t>(spatial, 1));
  if (!legal(node, *padding, node.is("AveragePool") ? before : pads, kernel)) return false;
  node.attributes.erase("auto_pad");
  node.set("pads", pads);
  if (node.is("AveragePool")) node.set("count_include_pad", std::int64_t{1});
  return bypass(graph, pad);
}

int run(ir::Model& model) {
  int fused = 0;
  const std::vector<ir::NodeId> order = model.graph.nodes();
  for (ir::NodeId id : order) {
    if (!model.graph.node(id).is("Pad")) continue;
    const ir::NodeId next = model.graph.sole_consumer(model.graph.node(id).output(0));
    if (next != ir::kNoNode) fused += fuse(model.graph, id, next);
  }
  return fused;
}

}  // namespace

extern const Pass k_fuse_pad;
const Pass k_fuse_pad{"fuse_pad", "Pad → Conv/MaxPool/AveragePool → the same with larger pads", run};

}  // namespace pare::passes
