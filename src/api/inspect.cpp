#include "pare/inspect.h"

#include "api/model_impl.h"
#include "base/threads.h"
#include "eval/measure.h"
#include "ir/groups.h"
#include "ir/infer.h"
#include "pare/error.h"
#include "passes/prepare_groups.h"
#include "runtime/runtime.h"

namespace pare {
namespace {

std::map<std::string, int> count_operators(const ir::Graph& graph) {
  std::map<std::string, int> counts;
  for (ir::NodeId id : graph.nodes()) {
    const ir::Node& node = graph.node(id);
    ++counts[node.domain.empty() ? node.op_type : node.domain + "::" + node.op_type];
  }
  return counts;
}

LayerInfo describe(const eval::LayerCost& cost, const ir::Graph& graph, const std::vector<ir::ValueFacts>& facts) {
  LayerInfo layer{cost.node, cost.op_type, cost.weight, cost.weight_dims, {},          cost.parameters,
                  cost.macs, cost.bytes,   cost.bits,   cost.sparsity,    cost.pattern};
  const ir::ValueId output = graph.node(graph.find_node(cost.node)).output(0);
  const bool inferred = static_cast<std::size_t>(output) < facts.size();
  const ir::Shape& shape = inferred ? facts[static_cast<std::size_t>(output)].shape : graph.value(output).shape;
  for (const ir::Dim& dim : shape.dims()) layer.output_dims.push_back(ir::to_string(dim));
  return layer;
}

void add_costs(Inspection& result, const ir::Model& model) {
  std::vector<ir::ValueFacts> facts;
  if (result.macs_note.empty()) facts = ir::infer_for(model, result.shapes);
  const eval::ModelCost cost = eval::model_cost(model, result.shapes);
  result.parameters = cost.parameters;
  result.nonzero_parameters = cost.nonzero_parameters;
  if (result.macs_note.empty()) result.macs = cost.macs;
  for (const eval::LayerCost& layer : cost.layers) result.layers.push_back(describe(layer, model.graph, facts));
}

void add_plan(Inspection& result, const Model& model, const InspectOptions& options) {
  exec::CompileOptions compile;
  compile.threads = resolve_threads(options.execution.threads);
  compile.max_memory = options.execution.max_memory;
  compile.precision = options.precision;
  compile.packed = model.impl().packed;
  compile.simplified = model.impl().simplified();
  const ThreadScope threads(compile.threads);
  const auto executor =
      runtime::backend({.tuned = options.tune, .exact = options.exact}).compile(model.impl().executable(), compile);
  for (const exec::PlanStep& step : executor->plan(result.shapes)) {
    result.plan.push_back({step.kernel, step.op_type, step.nodes, step.output, step.output_dims, step.reason, step.macs,
                           step.weight_bytes});
  }
  const exec::MemoryUse memory = executor->memory(result.shapes);
  result.plan_weight_bytes = memory.weights;
  result.plan_arena_bytes = memory.arena;
}

void add_groups(Inspection& result, const Model& model) {
  ir::Model prepared = model.impl().prepared();
  passes::prepare_groups(prepared);  // as pruning does
  for (const ir::ChannelGroup& group : ir::channel_groups(prepared)) {
    ChannelGroupInfo info{group.name, {}, ir::channels_of(group), group.block, group.blocked};
    for (ir::NodeId id : group.layers) info.layers.push_back(prepared.graph.node(id).name);
    result.groups.push_back(std::move(info));
  }
}

}  // namespace

Inspection inspect(const Model& model, const InspectOptions& options) {
  const ir::Model& ir_model = model.impl().model;
  Inspection result;
  result.path = model.path();
  result.graph_name = ir_model.graph.name;
  result.producer = ir_model.producer_name;
  if (!ir_model.producer_version.empty()) result.producer += " " + ir_model.producer_version;
  result.ir_version = ir_model.ir_version;
  result.opset = ir_model.opset();
  result.inputs = model.inputs();
  result.outputs = model.outputs();
  result.operators = count_operators(ir_model.graph);
  result.bytes = model.bytes();
  const auto provenance = ir_model.baggage.metadata.find("pare.provenance");
  if (provenance != ir_model.baggage.metadata.end()) result.provenance = provenance->second;
  try {
    result.shapes = ir::input_shapes_for(ir_model, options.batch, options.shapes);
  } catch (const Error& error) {
    // Without --shape an open axis only costs the MACs; a shape that was given and does not fit is the caller's
    // mistake.
    if (!options.shapes.empty() || options.plan) throw;
    result.macs_note = error.what();
  }
  add_costs(result, ir_model);
  if (options.plan) add_plan(result, model, options);
  if (options.groups) add_groups(result, model);
  return result;
}

}  // namespace pare
