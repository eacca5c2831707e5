// A compiled model on this CPU.
#pragma once

#include <list>
#include <mutex>

#include "runtime/compile.h"

namespace pare::runtime {

class CpuExecutor final : public exec::Executor {
 public:
  CpuExecutor(const ir::Model& model, exec::CompileOptions options);

  NamedTensors run(const NamedTensors& inputs) override;
  NamedTensors observe(const NamedTensors& inputs, const exec::Observer& observer) override;
  std::vector<exec::PlanStep> plan(const std::map<std::string, Dims>& input_shapes) override;
  std::vector<exec::StepTime> profile(const NamedTensors& inputs, int repeats) override;
  exec::MemoryUse memory(const std::map<std::string, Dims>& input_shapes) override;

 private:
  using Shapes = std::map<std::string, Dims>;
  /// Called around every step and, with step −1, before the first.
  using AfterStep = std::function<void(int step, const Frame& frame)>;

  std::shared_ptr<Plan> plan_for(const Shapes& shapes);
  std::shared_ptr<Plan> plan_for(const NamedTensors& inputs);
  void check(const NamedTensors& inputs) const;
  NamedTensors execute(Plan& plan, const NamedTensors& inputs, const AfterStep& after) const;

  exec::CompileOptions options_;
  PreparedModel prepared_;
  WeightCache cache_;
  std::mutex mutex_;  ///< of plans_; held while a plan is made, so that no plan is made twice
  std::list<std::pair<Shapes, std::shared_ptr<Plan>>> plans_;  ///< last used first
};

}  // namespace pare::runtime
