// Conversion of nodes to a newer ai.onnx operator set, version by version, by the rows of opset/changes.inc.
#include <algorithm>

#include "ir/infer.h"
#include "pare/error.h"
#include "passes/opset/change.h"
#include "passes/qdq.h"

namespace pare::passes {
namespace {

using opset::Change;

[[noreturn]] void refuse(const ir::Node& node, const Change& change, std::int64_t from, std::int64_t target,
                         const std::string& why) {
  throw Error(ErrorCode::kUnsupported, "node '" + node.name + "'",
              node.op_type + " of opset " + std::to_string(from) + " cannot be converted to opset " +
                  std::to_string(target) + ": in opset " + std::to_string(change.since) + " " +
                  std::string(change.what) + ", and " + why + "; export the model anew with opset " +
                  std::to_string(target) + " or later");
}

void raise_graph(ir::Graph& graph, std::vector<const ir::Graph*>& outer, std::int64_t from, std::int64_t target) {
  const std::vector<ir::NodeId> nodes = graph.nodes();
  for (ir::NodeId id : nodes) {
    const opset::Site site{graph, id, outer};
    for (const Change& change : opset::changes()) {
      if (change.since <= from || change.since > target || !graph.node(id).is(change.op_type)) continue;
      const std::string why = change.convert(site);
      if (!why.empty()) refuse(graph.node(id), change, from, target, why);
    }
    outer.push_back(&graph);
    for (auto& [name, attribute] : graph.node(id).attributes) {
      if (auto* one = std::get_if<std::shared_ptr<ir::Graph>>(&attribute.value); one && *one) {
        *one = std::make_shared<ir::Graph>(**one);  // shared with the model that is being converted
        raise_graph(**one, outer, from, target);
      } else if (auto* many = std::get_if<std::vector<std::shared_ptr<ir::Graph>>>(&attribute.value)) {
        for (auto& body : *many) {
          body = std::make_shared<ir::Graph>(*body);
          raise_graph(*body, outer, from, target);
        }
      }
    }
    outer.pop_back();
  }
}

/// The IR version that an operator set came with (ONNX, Versioning.md).
std::int64_t ir_version_of(std::int64_t opset) {
  struct Row {
    std::int64_t opset, ir;
  };
  static constexpr Row kRows[] = {{23, 11}, {21, 10}, {19, 9}, {15, 8}, {12, 7}, {11, 6}, {10, 5}, {9, 4}};
  for (const Row& row : kRows)
    if (opset >= row.opset) return row.ir;
  return 3;
}

}  // namespace

void raise_opset(ir::Model& model, std::int64_t target) {
  const std::int64_t from = model.opset();
  if (from >= target) return;
  if (target > kNewestOpset)
    throw Error(ErrorCode::kUnsupported, "opset", "newer than Pare knows", "at most " + std::to_string(kNewestOpset),
                std::to_string(target));
  ir::Model raised = model;
  ir::infer_shapes(raised);  // several conversions ask for ranks
  // One version at a time, so that the nodes which a conversion adds pass through the later ones as well.
  for (std::int64_t next = from + 1; next <= target; ++next) {
    std::vector<const ir::Graph*> outer;
    raise_graph(raised.graph, outer, next - 1, next);
    raised.opsets[""] = next;
  }
  raised.graph.erase_dead();
  raised.ir_version = std::max(raised.ir_version, ir_version_of(target));
  model = std::move(raised);
}

}  // namespace pare::passes
