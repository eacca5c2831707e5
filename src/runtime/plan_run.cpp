#include "runtime/plan_run.h"

namespace pare::runtime {

PlanRun::PlanRun(Plan& plan, const std::vector<Tensor>& inputs)
    : plan_(plan), arena_(plan.arenas.take(plan.arena_bytes)), frame_(plan.buffers.size()) {
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& buffer = plan.buffers[i];
    const auto id = static_cast<BufferId>(i);
    switch (buffer.home) {
      case Buffer::Home::kArena:
        frame_.set(id, arena_.data() + buffer.offset);
        break;
      case Buffer::Home::kConstant:
        frame_.set(id, buffer.constant.aligned_raw());
        break;
      case Buffer::Home::kInput:
        frame_.set(id, inputs[buffer.input].aligned_raw());
        break;
      case Buffer::Home::kAlias:
        frame_.set(id, frame_.at(buffer.alias_of));
        break;  // of an earlier buffer
    }
  }
}

void PlanRun::run(const AfterStep& after) {
  if (after) after(plan_, -1, frame_);
  for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
    plan_.steps[i].run(frame_);
    if (after) after(plan_, static_cast<int>(i), frame_);
  }
}

}  // namespace pare::runtime
