// One run of a plan's own steps.
#pragma once

#include <functional>
#include <vector>

#include "runtime/plan.h"

namespace pare::runtime {

/// Called around every step and, with step −1, before the first; nodes evaluated between plans count on from the plan's
/// steps. Where a batch runs in slices on several threads (runtime/slices.h), it is called on all of them at once.
using AfterStep = std::function<void(const Plan&, int step, const Frame&)>;

/// The buffers of a run, in an arena that it takes from the plan and gives back.
class PlanRun {
 public:
  /// `inputs`, in order of the plan's, must outlive the run.
  PlanRun(Plan& plan, const std::vector<Tensor>& inputs);
  ~PlanRun() { plan_.arenas.give_back(std::move(arena_)); }
  PlanRun(const PlanRun&) = delete;
  PlanRun& operator=(const PlanRun&) = delete;

  void run(const AfterStep& after);
  const Frame& frame() const { return frame_; }

 private:
  Plan& plan_;
  ArenaPool::Arena arena_;
  Frame frame_;
};

}  // namespace pare::runtime
