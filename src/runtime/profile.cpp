#include "runtime/profile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

namespace pare::runtime {

namespace {

using Clock = std::chrono::steady_clock;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Milliseconds by step of one run, added up where slices repeat the steps.
class StepClock {
 public:
  explicit StepClock(const Slices* slices) : slices_(slices) {}

  void operator()(const Plan& plan, int step) {
    const Clock::time_point now = Clock::now();
    const std::lock_guard lock(mutex_);
    Clock::time_point& before = before_[std::this_thread::get_id()];
    if (step >= 0) {
      const std::size_t at = slices_ ? place(plan, static_cast<std::size_t>(step)) : times_.size();
      if (at >= times_.size()) times_.resize(at + 1);
      times_[at] += std::chrono::duration<double, std::milli>(now - before).count() / (slices_ ? slices_->workers : 1);
    }
    before = Clock::now();
  }
  const std::vector<double>& times() const { return times_; }

 private:
  /// As steps_of() counts: the part's steps, those of what is left over, the writing of outputs.
  std::size_t place(const Plan& plan, std::size_t step) const {
    const std::size_t part = slices_->part->steps.size(), rest = slices_->rest ? slices_->rest->steps.size() : 0;
    if (step == plan.steps.size()) return part + rest;
    return (&plan == slices_->part.get() ? 0 : part) + step;
  }

  const Slices* slices_;
  std::mutex mutex_;
  std::map<std::thread::id, Clock::time_point> before_;
  std::vector<double> times_;
};

}  // namespace

std::vector<exec::StepTime> profile(Stage& stage, const std::vector<Tensor>& inputs, int repeats) {
  stage.run(inputs, nullptr);  // plans what is planned when run
  std::vector<std::vector<double>> times;
  for (int i = 0; i < std::max(repeats, 1); ++i) {
    const std::shared_ptr<const Planned> planned = stage.plan_for(inputs);
    StepClock clock(planned->slices.get());
    stage.run(inputs, [&](const Plan& plan, int step, const Frame&) { clock(plan, step); });
    times.resize(std::max(times.size(), clock.times().size()));
    for (std::size_t at = 0; at < clock.times().size(); ++at) times[at].push_back(clock.times()[at]);
  }
  std::vector<exec::StepTime> result;
  for (std::size_t i = 0; i < times.size(); ++i) result.push_back({i, median(std::move(times[i]))});
  return result;
}

}  // namespace pare::runtime
