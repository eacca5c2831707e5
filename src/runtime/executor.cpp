#include "runtime/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/text.h"
#include "base/threads.h"
#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::runtime {

namespace {

constexpr std::size_t kMaxPlans = 8;

/// Checks one tensor against the declared input; symbols must agree over all inputs.
void check_input(const ir::Value& want, const Tensor& got, std::map<std::string, std::int64_t>& symbols) {
  const auto fail = [&](const std::string& problem) {
    throw Error(ErrorCode::kBadInput, want.name, problem,
                std::string(name(want.dtype)) + " " + ir::to_string(want.shape),
                std::string(name(got.dtype())) + " [" + to_string(got.dims()) + "]");
  };
  if (want.dtype != got.dtype()) fail("input of the wrong type");
  if (!want.shape.ranked()) return;
  if (want.shape.rank() != got.rank()) fail("input of the wrong rank");
  for (std::int64_t axis = 0; axis < got.rank(); ++axis) {
    const ir::Dim& dim = want.shape[axis];
    const std::int64_t size = got.dim(axis);
    if (dim.is_known() && dim.value() != size) fail("input of the wrong size");
    if (dim.is_symbol() && symbols.emplace(dim.name(), size).first->second != size)
      fail("inputs disagree in the size of '" + dim.name() + "'");
  }
}

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

Frame make_frame(const Plan& plan, const std::byte* arena, const std::vector<const Tensor*>& inputs) {
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
        frame.set(id, inputs[buffer.input]->raw());
        break;
      case Buffer::Home::kAlias:
        frame.set(id, frame.at(buffer.alias_of));
        break;  // of an earlier buffer
    }
  }
  return frame;
}

Tensor copy_out(const Plan& plan, BufferId id, const Frame& frame) {
  const Buffer& buffer = plan.buffers[static_cast<std::size_t>(id)];
  Tensor tensor(buffer.dtype, buffer.dims);
  if (buffer.bytes) std::memcpy(tensor.mutable_raw(), frame.at(id), buffer.bytes);
  return tensor;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

CpuExecutor::CpuExecutor(const ir::Model& model, exec::CompileOptions options)
    : options_(std::move(options)), prepared_(prepare(model, options_)) {}

void CpuExecutor::check(const NamedTensors& inputs) const {
  const ir::Graph& graph = prepared_.model.graph;
  std::vector<std::string> names;
  for (ir::ValueId id : graph.inputs) names.push_back(graph.value(id).name);
  for (const auto& [name, tensor] : inputs)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Error(ErrorCode::kBadInput, name, "the model has no such input" + did_you_mean(name, names),
                  join(names, ", "));
  std::map<std::string, std::int64_t> symbols;
  for (ir::ValueId id : graph.inputs) {
    const ir::Value& want = graph.value(id);
    const auto found = inputs.find(want.name);
    if (found == inputs.end() || !found->second.defined())
      throw Error(ErrorCode::kBadInput, want.name, "this input is missing",
                  std::string(name(want.dtype)) + " " + ir::to_string(want.shape));
    check_input(want, found->second, symbols);
  }
}

std::shared_ptr<Plan> CpuExecutor::plan_for(const Shapes& shapes) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(plans_.begin(), plans_.end(), [&](const auto& entry) { return entry.first == shapes; });
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
    return plans_.front().second;
  }
  plans_.emplace_front(shapes, make_plan(prepared_, shapes, options_, cache_));
  if (plans_.size() > kMaxPlans) plans_.pop_back();
  return plans_.front().second;
}

std::shared_ptr<Plan> CpuExecutor::plan_for(const NamedTensors& inputs) {
  Shapes shapes;
  for (const auto& [name, tensor] : inputs) shapes[name] = tensor.dims();
  return plan_for(shapes);
}

NamedTensors CpuExecutor::execute(Plan& plan, const NamedTensors& inputs, const AfterStep& after) const {
  std::vector<const Tensor*> tensors;
  for (ir::ValueId id : prepared_.model.graph.inputs)
    tensors.push_back(&inputs.at(prepared_.model.graph.value(id).name));
  const ir::MemoryBudget budget(options_.max_memory);
  const ArenaLease arena(plan);
  const Frame frame = make_frame(plan, arena.base(), tensors);
  if (after) after(-1, frame);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    plan.steps[i].run(frame);
    if (after) after(static_cast<int>(i), frame);
  }
  NamedTensors outputs;
  for (std::size_t i = 0; i < plan.outputs.size(); ++i)
    outputs[plan.output_names[i]] = copy_out(plan, plan.outputs[i], frame);
  return outputs;
}

NamedTensors CpuExecutor::run(const NamedTensors& inputs) {
  const ThreadScope scope(options_.threads);
  check(inputs);
  return execute(*plan_for(inputs), inputs, nullptr);
}

NamedTensors CpuExecutor::observe(const NamedTensors& inputs, const exec::Observer& observer) {
  const ThreadScope scope(options_.threads);
  check(inputs);
  const std::shared_ptr<Plan> plan = plan_for(inputs);
  std::size_t next = 0;  // observed values are recorded in the order of their steps
  return execute(*plan, inputs, [&](int step, const Frame& frame) {
    for (; next < plan->observed.size() && plan->observed[next].step <= step; ++next) {
      const Observed& seen = plan->observed[next];
      const Buffer& buffer = plan->buffers[static_cast<std::size_t>(seen.buffer)];
      observer(seen.name, Tensor::view(buffer.dtype, buffer.dims, frame.at(seen.buffer), nullptr));
    }
  });
}

std::vector<exec::PlanStep> CpuExecutor::plan(const std::map<std::string, Dims>& input_shapes) {
  const ThreadScope scope(options_.threads);
  std::vector<exec::PlanStep> steps;
  for (const Step& step : plan_for(input_shapes)->steps) steps.push_back(step.info);
  return steps;
}

std::vector<exec::StepTime> CpuExecutor::profile(const NamedTensors& inputs, int repeats) {
  using Clock = std::chrono::steady_clock;
  const ThreadScope scope(options_.threads);
  check(inputs);
  const std::shared_ptr<Plan> plan = plan_for(inputs);
  std::vector<std::vector<double>> times(plan->steps.size());
  for (int i = 0; i < std::max(repeats, 1); ++i) {
    Clock::time_point before = Clock::now();
    execute(*plan, inputs, [&](int step, const Frame&) {
      const Clock::time_point now = Clock::now();
      if (step >= 0)
        times[static_cast<std::size_t>(step)].push_back(
            std::chrono::duration<double, std::milli>(now - before).count());
      before = Clock::now();
    });
  }
  std::vector<exec::StepTime> result;
  for (std::size_t i = 0; i < times.size(); ++i) result.push_back({i, median(std::move(times[i]))});
  return result;
}

exec::MemoryUse CpuExecutor::memory(const std::map<std::string, Dims>& input_shapes) {
  const ThreadScope scope(options_.threads);
  const std::shared_ptr<Plan> plan = plan_for(input_shapes);
  return {static_cast<std::int64_t>(plan->weight_bytes), static_cast<std::int64_t>(plan->arena_bytes)};
}

}  // namespace pare::runtime
