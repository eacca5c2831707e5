#include "runtime/compile.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "ir/infer.h"
#include "ir/subgraph.h"
#include "pare/error.h"
#include "passes/pass.h"
#include "passes/rewrite.h"
#include "runtime/bands.h"
#include "runtime/blocked_weights.h"
#include "runtime/codebooks.h"
#include "runtime/fusion.h"
#include "runtime/lookups.h"
#include "runtime/lower/nbits.h"
#include "runtime/lowerer.h"
#include "runtime/narrow.h"
#include "runtime/panels.h"
#include "runtime/stage.h"
#include "runtime/tuner.h"
#include "runtime/widen.h"

namespace pare::runtime {

namespace {

std::string largest_buffer(const Plan& plan) {
  const Buffer* largest = nullptr;
  for (const Buffer& buffer : plan.buffers)
    if (buffer.home == Buffer::Home::kArena && (!largest || buffer.bytes > largest->bytes)) largest = &buffer;
  if (!largest || largest->name.empty()) return {};
  return ", the largest '" + largest->name + "' [" + to_string(largest->dims) + "]";
}

class Planner {
 public:
  Planner(const Cut& cut, Lowerer& lowerer) : graph_(cut.head.graph), lowerer_(lowerer) {
    const auto first = graph_.outputs.begin() + static_cast<std::ptrdiff_t>(cut.true_outputs);
    wanted_.insert(first, first + static_cast<std::ptrdiff_t>(cut.observed));
  }

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

void refuse_memory(std::size_t weights, std::size_t arena, std::int64_t limit, const std::string& largest) {
  const bool given = limit > 0;
  if (!given) limit = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  if (static_cast<std::int64_t>(weights + arena) <= limit) return;
  throw Error(ErrorCode::kMemory, given ? "--max-memory" : "memory", "the model does not fit",
              "at most " + format_bytes(limit),
              format_bytes(static_cast<std::int64_t>(weights)) + " of weights and " +
                  format_bytes(static_cast<std::int64_t>(arena)) + " of activations" + largest);
}

ir::Model specialize(const ir::Model& model, const std::vector<Dims>& shapes,
                     const std::map<std::size_t, Tensor>& constants) {
  ir::Model special = model;
  ir::Graph& graph = special.graph;
  for (ir::ValueId id : graph.values()) {
    ir::Value& value = graph.value(id);
    if (value.producer == ir::kNoNode || value.constant) continue;
    value.shape = {};  // what a file declares may hold for other inputs only
    value.has_value_info = false;
  }
  std::vector<ir::ValueId> left;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const ir::ValueId id = graph.inputs[i];
    if (const auto constant = constants.find(i); constant != constants.end()) {
      graph.set_constant(id, constant->second);
      continue;
    }
    graph.value(id).shape = ir::Shape::of(shapes[i]);
    left.push_back(id);
  }
  graph.inputs = left;
  static constexpr std::string_view kPasses[] = {"inline_if", "fold_constants", "remove_identity", "erase_dead"};
  const auto packed = [&](const ir::Node& node) { return !why_not_nbits(special.graph, node); };
  do {
    passes::run_passes(special, kPasses);
  } while (passes::expand_nodes(special, false, packed) > 0);  // fused operators; what they need may first be folded
  return special;
}

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
  take_codebooks(prepared.model);
  if (!options.simplified) passes::simplify(prepared.model, true);
  widen_packed_weights(graph);
  restore_blocked_weights(prepared.model);
  ir::lift_captures(prepared.model.graph);
  std::size_t weights = 0;
  for (ir::ValueId id : graph.values())
    if (const Tensor* tensor = graph.constant(id)) weights += tensor->bytes();
  refuse_memory(weights, 0, options.max_memory);
  return prepared;
}

namespace {

exec::PlanStep evaluated_info(const ir::Graph& graph, const ir::Node& node) {
  exec::PlanStep info{.kernel = "reference", .nodes = {node.name}, .op_type = node.op_type};
  info.reason = "its output's shape depends on data";
  for (ir::ValueId id : node.outputs)
    if (id != ir::kNoValue && info.output.empty()) info.output = graph.value(id).name;
  return info;
}

/// What follows the head's plan; `model` is what was cut.
std::unique_ptr<Continuation> make_continuation(const ir::Model& model, Rest rest, Lowerer& lowerer,
                                                const exec::CompileOptions& options, WeightCache& cache, Plan& plan) {
  const auto carry = [&](ir::ValueId id) {
    const BufferId buffer = lowerer.read(id);
    plan.carried.push_back(buffer);
    return buffer;
  };
  auto next = std::make_unique<Continuation>();
  for (ir::NodeId id : rest.evaluated) {
    const ir::Node& node = model.graph.node(id);
    std::vector<BufferId> reads;
    for (ir::ValueId input : node.inputs) reads.push_back(input == ir::kNoValue ? kNoBuffer : carry(input));
    next->evaluated.push_back(
        {ReferenceCall(model, node, options, cache), std::move(reads), evaluated_info(model.graph, node)});
  }
  for (std::size_t i = 0; i < rest.sources.size(); ++i) {
    const Rest::Source& source = rest.sources[i];
    if (source.evaluated < 0)
      next->sources.push_back({carry(rest.prepared.model.graph.inputs[i]), 0, 0});
    else
      next->sources.push_back({kNoBuffer, static_cast<std::size_t>(source.evaluated), source.slot});
  }
  return next;
}

}  // namespace

std::unique_ptr<Plan> make_plan(const PreparedModel& prepared, const std::vector<Dims>& shapes,
                                const std::map<std::size_t, Tensor>& constants, const exec::CompileOptions& options,
                                WeightCache& cache, std::size_t held) {
  return make_plan(specialize(prepared.model, shapes, constants), prepared.true_outputs, options, cache, held);
}

std::unique_ptr<Plan> make_plan(ir::Model model, std::size_t true_outputs, const exec::CompileOptions& options,
                                WeightCache& cache, std::size_t held) {
  widen_to_float32(model, cache);
  Cut cut = cut_at_data(model, true_outputs);
  if (!options.float_qdq) {
    move_quantization(cut.head);
    fold_into_lookups(cut.head);
  }
  run_fusions(cut.head);
  auto plan = std::make_unique<Plan>();
  const std::vector<Group> groups = find_groups(cut.head, !options.float_qdq);
  const bool bf16 = options.precision == DType::kBFloat16;
  Lowerer lowerer(cut.head, options, bf16 ? narrow_values(cut.head.graph, groups) : std::set<ir::ValueId>(), cache,
                  *plan);
  Planner(cut, lowerer).run(groups);
  plan->outputs.resize(cut.true_outputs);
  plan->output_names.resize(cut.true_outputs);
  if (cut.rest) plan->next = make_continuation(model, *cut.rest, lowerer, options, cache, *plan);
  if (cache.tuner()) {
    cache.tuner()->save();
    cache.drop_unused();
  }
  lay_in_panels(*plan);
  join_bands(*plan, options.threads);
  plan_memory(*plan);
  refuse_memory(plan->weight_bytes, plan->arena_bytes + held, options.max_memory, largest_buffer(*plan));
  if (cut.rest)
    plan->next->stage = std::make_unique<Stage>(std::move(cut.rest->prepared), std::move(cut.rest->bound), options,
                                                cache, held + plan->arena_bytes + plan->weight_bytes);
  return plan;
}

}  // namespace pare::runtime
