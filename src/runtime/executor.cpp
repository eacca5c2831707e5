#include "runtime/executor.h"

#include <algorithm>

#include "base/text.h"
#include "base/threads.h"
#include "pare/error.h"
#include "runtime/profile.h"

namespace pare::runtime {

namespace {

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

}  // namespace

CpuExecutor::CpuExecutor(const ir::Model& model, exec::CompileOptions options, std::shared_ptr<Tuner> tuner, bool exact,
                         const SliceRule& rule)
    : options_(std::move(options)),
      cache_(options_.packed, std::move(tuner), exact),
      stage_(prepare(model, options_), {}, options_, cache_, 0, rule) {}

void CpuExecutor::check(const NamedTensors& inputs) const {
  const ir::Graph& graph = stage_.graph();
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

std::vector<Tensor> CpuExecutor::ordered(const NamedTensors& inputs) const {
  check(inputs);
  std::vector<Tensor> tensors;
  for (ir::ValueId id : stage_.graph().inputs) tensors.push_back(inputs.at(stage_.graph().value(id).name));
  return tensors;
}

std::shared_ptr<const Planned> CpuExecutor::plan_for(const Shapes& given) {
  const ir::Graph& graph = stage_.graph();
  std::vector<Dims> shapes;
  for (ir::ValueId id : graph.inputs) {
    const ir::Value& value = graph.value(id);
    const auto found = given.find(value.name);
    const auto fixed = value.shape.static_dims();
    if (found == given.end() && !fixed)
      throw Error(ErrorCode::kBadInput, value.name, "the shape of this input is not given", "numbers",
                  ir::to_string(value.shape));
    shapes.push_back(found != given.end() ? found->second : *fixed);
  }
  return stage_.plan_for_shapes(shapes);
}

NamedTensors CpuExecutor::run(const NamedTensors& inputs) {
  const ThreadScope scope(options_.threads);
  return stage_.run(ordered(inputs), nullptr);
}

NamedTensors CpuExecutor::observe(const NamedTensors& inputs, const exec::Observer& observer) {
  const ThreadScope scope(options_.threads);
  std::size_t next = 0;  // observed values are recorded in the order of their steps
  return stage_.run(ordered(inputs), [&](const Plan& plan, int step, const Frame& frame) {
    if (step < 0) next = 0;
    for (; next < plan.observed.size() && plan.observed[next].step <= step; ++next) {
      const Observed& seen = plan.observed[next];
      const Buffer& buffer = plan.buffers[static_cast<std::size_t>(seen.buffer)];
      observer(seen.name, Tensor::view(buffer.dtype, buffer.dims, frame.at(seen.buffer), nullptr));
    }
  });
}

std::vector<exec::PlanStep> CpuExecutor::plan(const std::map<std::string, Dims>& input_shapes) {
  const ThreadScope scope(options_.threads);
  return steps_of(*plan_for(input_shapes));
}

std::vector<exec::StepTime> CpuExecutor::profile(const NamedTensors& inputs, int repeats) {
  const ThreadScope scope(options_.threads);
  return runtime::profile(stage_, ordered(inputs), repeats);
}

exec::MemoryUse CpuExecutor::memory(const std::map<std::string, Dims>& input_shapes) {
  const ThreadScope scope(options_.threads);
  exec::MemoryUse use;
  for (std::shared_ptr<const Planned> planned = plan_for(input_shapes); planned;) {
    use.weights += static_cast<std::int64_t>(planned->weight_bytes());
    use.arena += static_cast<std::int64_t>(planned->arena_bytes());
    planned = planned->plan && planned->plan->next ? planned->plan->next->stage->latest() : nullptr;
  }
  return use;
}

}  // namespace pare::runtime
