#include "runtime/panels.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "kernels/sppanel/sppanel.h"

namespace pare::runtime {

namespace {

using kernels::PanelValues;

/// Which values lie in panels, and what becomes of the steps.
class Choice {
 public:
  explicit Choice(Plan& plan) : plan_(plan), in_panels_(plan.buffers.size()) {
    std::vector<int> uses(plan.buffers.size()), taken(plan.buffers.size());
    std::vector<bool> written(plan.buffers.size());
    const auto use = [&](BufferId id) { ++uses[static_cast<std::size_t>(plan.root(id))]; };
    for (const Step& step : plan.steps) {
      for (const std::vector<BufferId>* ids : {&step.reads, &step.writes}) std::for_each(ids->begin(), ids->end(), use);
      if (!step.by_panels) continue;
      const ByPanels& own = *step.by_panels;
      for (const BufferId id : {own.in, own.added, own.out})
        if (id != kNoBuffer) ++taken[static_cast<std::size_t>(id)];
      written[static_cast<std::size_t>(own.out)] = true;
    }
    for (const std::vector<BufferId>* ids : {&plan.outputs, &plan.carried})
      std::for_each(ids->begin(), ids->end(), use);
    for (const Observed& seen : plan.observed) use(seen.buffer);
    for (std::size_t i = 0; i < uses.size(); ++i)
      in_panels_[i] = written[i] && uses[i] == taken[i] && plan.buffers[i].home == Buffer::Home::kArena;
  }

  void run() {
    while (drop_one()) {
    }
    for (Step& step : plan_.steps)
      if (step.by_panels) change(step);
  }

 private:
  bool lies(BufferId id) const { return id != kNoBuffer && in_panels_[static_cast<std::size_t>(id)]; }
  PanelValues values_of(const ByPanels& own) const {
    return {lies(own.in), own.added == kNoBuffer ? lies(own.out) : lies(own.added), lies(own.out)};
  }

  /// Takes a value from panels that a step does not take so.
  bool drop_one() {
    for (const Step& step : plan_.steps) {
      if (!step.by_panels || step.by_panels->takes(values_of(*step.by_panels))) continue;
      const ByPanels& own = *step.by_panels;
      for (const BufferId id : {own.out, own.added, own.in}) {
        if (!lies(id)) continue;
        in_panels_[static_cast<std::size_t>(id)] = false;
        return true;
      }
    }
    return false;
  }

  void change(Step& step) {
    const ByPanels own = *step.by_panels;
    const PanelValues values = values_of(own);
    if (!values.in && !values.added && !values.out) return;
    if (values.out) {
      Buffer& out = plan_.buffers[static_cast<std::size_t>(own.out)];
      out.layout = Layout::kPanels, out.takes_over = own.added;
      out.bytes =
          static_cast<std::size_t>(kernels::panel_elements(own.shape.pixels(), own.shape.out_c)) * sizeof(float);
    }
    step.run = [own, values](const Frame& frame) {
      own.run(values, frame.at(own.in), own.added == kNoBuffer ? nullptr : frame.at(own.added), frame.at(own.out),
              frame.at(own.scratch));
    };
    step.by_lines.reset();
    const std::string named = values.in && values.out ? "input and output"
                              : values.in             ? "input"
                              : values.out            ? "output"
                                                      : "addend";
    step.info.reason += (step.info.reason.empty() ? "" : "; ") + named + " in panels";
  }

  Plan& plan_;
  std::vector<bool> in_panels_;  ///< of each buffer
};

}  // namespace

void lay_in_panels(Plan& plan) { Choice(plan).run(); }

}  // namespace pare::runtime
