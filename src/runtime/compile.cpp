#include "runtime/compile.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "ir/infer.h"
#include "ir/subgraph.h"
#include "pare/error.h"
#include "passes/pass.h"
#include "runtime/fusion.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

void refuse_memory(std::size_t weights, std::size_t arena, std::int64_t limit) {
  if (limit <= 0 || static_cast<std::int64_t>(weights + arena) <= limit) return;
  throw Error(ErrorCode::kMemory, "--max-memory", "the model does not fit", "at most " + format_bytes(limit),
              format_bytes(static_cast<std::int64_t>(weights)) + " of weights and " +
                  format_bytes(static_cast<std::int64_t>(arena)) + " of activations");
}

/// The model for these input shapes: everything that follows from shapes becomes constant.
ir::Model specialize(const ir::Model& model, const std::map<std::string, Dims>& input_shapes) {
  ir::Model special = model;
  for (ir::ValueId id : special.graph.inputs) {
    ir::Value& value = special.graph.value(id);
    if (const auto found = input_shapes.find(value.name); found != input_shapes.end())
      value.shape = ir::Shape::of(found->second);
  }
  static constexpr std::string_view kPasses[] = {"inline_if", "expand_fused", "fold_constants", "remove_identity",
                                                 "erase_dead"};
  passes::run_passes(special, kPasses);
  return special;
}

class Planner {
 public:
  Planner(const ir::Model& model, std::size_t true_outputs, Lowerer& lowerer)
      : graph_(model.graph),
        lowerer_(lowerer),
        wanted_(graph_.outputs.begin() + static_cast<std::ptrdiff_t>(true_outputs), graph_.outputs.end()) {}

  void run(const std::vector<Group>& groups) {
    lowerer_.add_inputs();
    const std::set<ir::ValueId> all = wanted_;
    for (ir::ValueId id : all)
      if (graph_.value(id).producer == ir::kNoNode) observe(id);
    for (const Group& group : groups) {
      lowerer_.lower(group);
      observe(group.output);
      for (ir::ValueId id : graph_.node(group.main()).outputs) observe(id);
    }
    lowerer_.finish();
  }

 private:
  void observe(ir::ValueId id) {
    if (wanted_.erase(id)) lowerer_.observe(id);
  }

  const ir::Graph& graph_;
  Lowerer& lowerer_;
  std::set<ir::ValueId> wanted_;  ///< observed values that are not produced yet
};

}  // namespace

PreparedModel prepare(const ir::Model& model, const exec::CompileOptions& options) {
  PreparedModel prepared{model, model.graph.outputs.size()};
  ir::Graph& graph = prepared.model.graph;
  std::vector<std::string> names;
  for (ir::ValueId id : graph.values()) names.push_back(graph.value(id).name);
  // An observed value is an output to every rewrite, so that it survives by name and nothing is fused across it.
  for (const std::string& name : options.observed) {
    const ir::ValueId id = graph.find_value(name);
    if (id == ir::kNoValue)
      throw Error(ErrorCode::kUsage, name, "no such value to observe" + did_you_mean(name, names));
    graph.outputs.push_back(id);
  }
  passes::simplify(prepared.model, true);
  ir::lift_captures(prepared.model.graph);
  std::size_t weights = 0;
  for (ir::ValueId id : graph.values())
    if (const Tensor* tensor = graph.constant(id)) weights += tensor->bytes();
  refuse_memory(weights, 0, options.max_memory);
  return prepared;
}

std::unique_ptr<Plan> make_plan(const PreparedModel& prepared, const std::map<std::string, Dims>& input_shapes,
                                const exec::CompileOptions& options, WeightCache& cache) {
  ir::Model model = specialize(prepared.model, input_shapes);
  if (!options.float_qdq) move_quantization(model);
  run_fusions(model);
  auto plan = std::make_unique<Plan>();
  Lowerer lowerer(model, options, cache, *plan);
  Planner(model, prepared.true_outputs, lowerer).run(find_groups(model, !options.float_qdq));
  plan->outputs.resize(prepared.true_outputs);
  plan->output_names.resize(prepared.true_outputs);
  plan_memory(*plan);
  refuse_memory(plan->weight_bytes, plan->arena_bytes, options.max_memory);
  return plan;
}

}  // namespace pare::runtime
