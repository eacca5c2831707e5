#include "train/program.h"

#include <utility>

#include "ir/pare_domain.h"
#include "ir/infer.h"
#include "ir/op.h"
#include "pare/error.h"
#include "passes/rewrite.h"

namespace pare::train {
namespace {

/// Why a node cannot be lowered at all, or "".
std::string why_not(const ir::Model& model, const ir::Node& node) {
  if (!node.domain.empty() && node.domain != ir::kPareDomain)
    return "operators of domain '" + node.domain + "' cannot be trained";
  if (ir::find_operator(node, model.opset(node.domain)) == nullptr)
    return ir::why_unknown(node, model.opset(node.domain));
  if (find_lowering(node) == nullptr) return "the operator has no gradient in the trainer";
  return {};
}

/// A final Softmax turns logits into probabilities; cross-entropy wants the logits.
ir::ValueId judged_value(const ir::Graph& graph) {
  ir::ValueId id = graph.outputs.front();
  while (graph.producer(id) != ir::kNoNode) {
    const ir::Node& node = graph.node(graph.producer(id));
    const bool last_axis = node.int_or("axis", -1) == -1 || node.int_or("axis", -1) == 1;
    if (!(node.is("Softmax") && last_axis) && !node.is("Identity")) break;
    id = node.input(0);
  }
  return id;
}

void refuse_outputs(const ir::Graph& graph, std::vector<exec::Refusal>& refusals) {
  if (graph.outputs.empty())
    refusals.push_back({.node = {}, .op_type = {}, .reason = "the model has no output", .inputs = {}});
}

void plan_last_uses(const ir::Graph& graph, Program& program) {
  std::unordered_map<int, std::size_t> last;
  std::size_t index = 0;
  for (const ir::NodeId id : graph.nodes()) {
    for (const ir::ValueId input : graph.node(id).inputs) {
      if (input != ir::kNoValue) last[program.slots.at(input)] = index;
    }
    ++index;
  }
  for (const ir::ValueId output : graph.outputs) last.erase(program.slots.at(output));
  last.erase(program.judged);
  for (const auto& [slot, step] : last) program.steps[step].last_uses.push_back(slot);
}

}  // namespace

ir::Model expand_fused(const ir::Model& model) {
  ir::Model expanded = model;
  while (passes::expand_nodes(expanded, false) > 0) ir::infer_shapes(expanded);  // what further ones depend on
  return expanded;
}

Program lower(const ir::Model& model, std::vector<exec::Refusal>& refusals) {
  const ir::Graph& graph = model.graph;
  const std::size_t before = refusals.size();
  Program program;
  program.roles = find_roles(graph);
  for (const ir::ValueId id : graph.values()) program.slots.emplace(id, program.slot_count++);
  refuse_outputs(graph, refusals);
  for (const ir::NodeId id : graph.nodes()) {
    const ir::Node& node = graph.node(id);
    std::string reason = why_not(model, node);
    Call call;
    if (reason.empty()) {
      try {
        call = find_lowering(node)(
            LowerContext(graph, node, model.opset(), program.slots, program.roles.frozen_statistics));
      } catch (const CannotLower& refused) {
        reason = refused.reason;
      } catch (const Error& error) {
        reason = error.what();
      }
    }
    if (!reason.empty()) refusals.push_back(ir::refusal_of(graph, node, model.opset(node.domain), reason));
    program.steps.push_back({node.name, std::move(call), {}});
  }
  if (refusals.size() == before) {
    program.judged = program.slots.at(judged_value(graph));
    plan_last_uses(graph, program);
  }
  return program;
}

}  // namespace pare::train
