// A compiled model on this CPU.
#pragma once

#include "runtime/stage.h"

namespace pare::runtime {

class CpuExecutor final : public exec::Executor {
 public:
  /// `tuner`: nullptr, or what times kernels; `exact` as Choosing has it. `rule`: how batches run.
  CpuExecutor(const ir::Model& model, exec::CompileOptions options, std::shared_ptr<Tuner> tuner = nullptr,
              bool exact = false, const SliceRule& rule = machine_rule());

  NamedTensors run(const NamedTensors& inputs) override;
  NamedTensors observe(const NamedTensors& inputs, const exec::Observer& observer) override;
  std::vector<exec::PlanStep> plan(const std::map<std::string, Dims>& input_shapes) override;
  std::vector<exec::StepTime> profile(const NamedTensors& inputs, int repeats) override;
  exec::MemoryUse memory(const std::map<std::string, Dims>& input_shapes) override;
  std::vector<exec::PackedBlob> packed_weights() const override { return cache_.blobs(); }

 private:
  using Shapes = std::map<std::string, Dims>;

  std::shared_ptr<const Planned> plan_for(const Shapes& shapes);
  void check(const NamedTensors& inputs) const;
  /// The inputs, checked, in order of the graph's.
  std::vector<Tensor> ordered(const NamedTensors& inputs) const;

  exec::CompileOptions options_;
  WeightCache cache_;
  Stage stage_;
};

}  // namespace pare::runtime
