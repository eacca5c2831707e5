#include "runtime/stage.h"

#include <algorithm>
#include <cstring>

#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::runtime {

namespace {

constexpr std::size_t kMaxPlans = 8;

/// Takes an arena for the time of one run.
class ArenaLease {
 public:
  explicit ArenaLease(Plan& plan) : plan_(plan), arena_(plan.arenas.take(plan.arena_bytes)) {}
  ~ArenaLease() { plan_.arenas.give_back(std::move(arena_)); }
  ArenaLease(const ArenaLease&) = delete;
  ArenaLease& operator=(const ArenaLease&) = delete;
  const std::byte* base() const { return arena_.get(); }

 private:
  Plan& plan_;
  ArenaPool::Arena arena_;
};

Frame make_frame(const Plan& plan, const std::byte* arena, const std::vector<Tensor>& inputs) {
  Frame frame(plan.buffers.size());
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& buffer = plan.buffers[i];
    const auto id = static_cast<BufferId>(i);
    switch (buffer.home) {
      case Buffer::Home::kArena:
        frame.set(id, arena + buffer.offset);
        break;
      case Buffer::Home::kConstant:
        frame.set(id, buffer.constant.raw());
        break;
      case Buffer::Home::kInput:
        frame.set(id, inputs[buffer.input].raw());
        break;
      case Buffer::Home::kAlias:
        frame.set(id, frame.at(buffer.alias_of));
        break;  // of an earlier buffer
    }
  }
  return frame;
}

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
void follow(Plan& plan, const Frame& frame, const Stage::AfterStep& after, NamedTensors& outputs) {
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

}  // namespace

std::shared_ptr<Plan> Stage::find(const Key& key, const std::map<std::size_t, Tensor>& constants) {
  const std::lock_guard lock(mutex_);
  ++asked_;
  const auto found = std::find_if(plans_.begin(), plans_.end(), [&](const auto& entry) { return entry.first == key; });
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
    return plans_.front().second;
  }
  ++made_;
  plans_.emplace_front(key, make_plan(prepared_, key.shapes, constants, options_, cache_, held_));
  if (plans_.size() > kMaxPlans) plans_.pop_back();
  return plans_.front().second;
}

std::shared_ptr<Plan> Stage::plan_for(const std::vector<Tensor>& inputs) {
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

std::shared_ptr<Plan> Stage::latest() const {
  const std::lock_guard lock(mutex_);
  return plans_.empty() ? nullptr : plans_.front().second;
}

std::pair<std::int64_t, std::int64_t> Stage::made_and_asked() const {
  const std::lock_guard lock(mutex_);
  return {made_, asked_};
}

NamedTensors Stage::run(const std::vector<Tensor>& inputs, const AfterStep& after) {
  const std::shared_ptr<Plan> plan = plan_for(inputs);
  std::vector<Tensor> given;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (i >= bound_.size() || !bound_[i]) given.push_back(inputs[i]);
  return execute(*plan, given, options_, after);
}

NamedTensors execute(Plan& plan, const std::vector<Tensor>& inputs, const exec::CompileOptions& options,
                     const Stage::AfterStep& after) {
  const ir::MemoryBudget budget(options.max_memory);
  const ArenaLease arena(plan);
  const Frame frame = make_frame(plan, arena.base(), inputs);
  if (after) after(plan, -1, frame);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    plan.steps[i].run(frame);
    if (after) after(plan, static_cast<int>(i), frame);
  }
  NamedTensors outputs;
  for (std::size_t i = 0; i < plan.outputs.size(); ++i)
    outputs[plan.output_names[i]] = copy_out(plan, plan.outputs[i], frame);
  if (plan.next) follow(plan, frame, after, outputs);
  return outputs;
}

std::vector<exec::PlanStep> steps_of(const Plan& plan) {
  std::vector<exec::PlanStep> steps;
  for (const Step& step : plan.steps) steps.push_back(step.info);
  if (!plan.next) return steps;
  for (const Continuation::Evaluated& node : plan.next->evaluated) steps.push_back(node.info);
  if (const std::shared_ptr<Plan> planned = plan.next->stage->latest()) {
    const std::vector<exec::PlanStep> more = steps_of(*planned);
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
