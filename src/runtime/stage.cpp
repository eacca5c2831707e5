#include "runtime/stage.h"

#include <algorithm>
#include <cstring>

#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::runtime {

namespace {

constexpr std::size_t kMaxPlans = 8;

Tensor view_of(const Plan& plan, BufferId id, const Frame& frame) {
  const Buffer& buffer = plan.buffers[static_cast<std::size_t>(id)];
  return Tensor::view(buffer.dtype, buffer.dims, frame.at(id), nullptr);
}

Tensor copy_out(const Plan& plan, BufferId id, const Frame& frame) {
  const Buffer& buffer = plan.buffers[static_cast<std::size_t>(id)];
  Tensor tensor(buffer.dtype, buffer.dims);
  if (buffer.bytes) std::memcpy(tensor.mutable_raw(), frame.at(id), buffer.bytes);
  return tensor;
}

/// Runs what follows the plan, whose frame is still there, and adds the outputs that come from it.
void follow(Plan& plan, const Frame& frame, const AfterStep& after, NamedTensors& outputs) {
  const Continuation& next = *plan.next;
  std::vector<std::vector<Tensor>> results;
  for (const Continuation::Evaluated& node : next.evaluated) {
    std::vector<Tensor> inputs;
    for (BufferId id : node.reads) inputs.push_back(id == kNoBuffer ? Tensor() : view_of(plan, id, frame));
    results.push_back(node.call.run(inputs));
    if (after) after(plan, static_cast<int>(plan.steps.size() + results.size()) - 1, frame);
  }
  std::vector<Tensor> inputs;
  for (const Continuation::Source& source : next.sources)
    inputs.push_back(source.buffer != kNoBuffer ? view_of(plan, source.buffer, frame)
                                                : results[source.evaluated].at(source.slot));
  outputs.merge(next.stage->run(inputs, after));
}

/// Runs a plan and what follows it.
NamedTensors execute(Plan& plan, const std::vector<Tensor>& inputs, const AfterStep& after) {
  PlanRun run(plan, inputs);
  run.run(after);
  NamedTensors outputs;
  for (std::size_t i = 0; i < plan.outputs.size(); ++i)
    outputs[plan.output_names[i]] = copy_out(plan, plan.outputs[i], run.frame());
  if (plan.next) follow(plan, run.frame(), after, outputs);
  return outputs;
}

}  // namespace

std::shared_ptr<const Planned> Stage::find(const Key& key, const std::map<std::size_t, Tensor>& constants) {
  const std::lock_guard lock(mutex_);
  ++asked_;
  const auto found = std::find_if(plans_.begin(), plans_.end(), [&](const auto& entry) { return entry.first == key; });
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
    return plans_.front().second;
  }
  ++made_;
  Planned planned;
  if (rule_)
    planned = plan_batch(prepared_, key.shapes, options_, cache_, *rule_);
  else
    planned.plan = make_plan(prepared_, key.shapes, constants, options_, cache_, held_);
  plans_.emplace_front(key, std::make_shared<const Planned>(std::move(planned)));
  if (plans_.size() > kMaxPlans) plans_.pop_back();
  return plans_.front().second;
}

std::shared_ptr<const Planned> Stage::plan_for(const std::vector<Tensor>& inputs) {
  Key key;
  std::map<std::size_t, Tensor> constants;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    key.shapes.push_back(inputs[i].dims());
    if (i >= bound_.size() || !bound_[i]) continue;
    key.elements.emplace_back(reinterpret_cast<const char*>(inputs[i].raw()), inputs[i].bytes());
    constants[i] = inputs[i].clone();
  }
  return find(key, constants);
}

std::shared_ptr<const Planned> Stage::latest() const {
  const std::lock_guard lock(mutex_);
  return plans_.empty() ? nullptr : plans_.front().second;
}

std::pair<std::int64_t, std::int64_t> Stage::made_and_asked() const {
  const std::lock_guard lock(mutex_);
  return {made_, asked_};
}

NamedTensors Stage::run(const std::vector<Tensor>& inputs, const AfterStep& after) {
  const std::shared_ptr<const Planned> planned = plan_for(inputs);
  const ir::MemoryBudget budget(options_.max_memory);
  if (planned->slices) return run_slices(*planned->slices, inputs, after);
  std::vector<Tensor> given;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (i >= bound_.size() || !bound_[i]) given.push_back(inputs[i]);
  return execute(*planned->plan, given, after);
}

std::vector<exec::PlanStep> steps_of(const Planned& planned) {
  std::vector<exec::PlanStep> steps;
  const auto add = [&](const Plan& plan, std::int64_t times) {
    for (const Step& step : plan.steps) {
      steps.push_back(step.info);
      steps.back().macs *= times;
    }
  };
  if (planned.slices) {
    add(*planned.slices->part, planned.slices->full());
    if (planned.slices->rest) add(*planned.slices->rest, 1);
  } else {
    add(*planned.plan, 1);
  }
  if (!planned.batching.empty()) {
    exec::PlanStep step{.kernel = planned.slices ? "slices" : "whole_batch", .op_type = "Batch"};
    step.reason = planned.batching;
    steps.push_back(std::move(step));
  }
  if (planned.slices || !planned.plan->next) return steps;
  const Plan& plan = *planned.plan;
  for (const Continuation::Evaluated& node : plan.next->evaluated) steps.push_back(node.info);
  if (const std::shared_ptr<const Planned> rest = plan.next->stage->latest()) {
    const std::vector<exec::PlanStep> more = steps_of(*rest);
    steps.insert(steps.end(), more.begin(), more.end());
    return steps;
  }
  const ir::Graph& graph = plan.next->stage->graph();
  for (ir::NodeId id : graph.nodes()) {
    const ir::Node& node = graph.node(id);
    exec::PlanStep step{.kernel = "planned when run", .nodes = {node.name}, .op_type = node.op_type};
    step.reason = "its shapes depend on data";
    for (ir::ValueId out : node.outputs)
      if (out != ir::kNoValue && step.output.empty()) step.output = graph.value(out).name;
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace pare::runtime
