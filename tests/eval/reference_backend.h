// A backend that runs models by the scalar reference.
#pragma once

#include <memory>

#include "exec/backend.h"
#include "ir/infer.h"

namespace pare::eval {

class ReferenceExecutor : public exec::Executor {
 public:
  explicit ReferenceExecutor(ir::Model model) : model_(std::move(model)) {}
  NamedTensors run(const NamedTensors& inputs) override { return ir::evaluate(model_, inputs); }
  NamedTensors observe(const NamedTensors& inputs, const exec::Observer&) override { return run(inputs); }
  std::vector<exec::PlanStep> plan(const std::map<std::string, Dims>&) override { return {}; }
  std::vector<exec::StepTime> profile(const NamedTensors&, int) override { return {}; }
  exec::MemoryUse memory(const std::map<std::string, Dims>&) override { return {}; }

 private:
  ir::Model model_;
};

class ReferenceBackend : public exec::Backend {
 public:
  std::string name() const override { return "reference"; }
  std::vector<exec::Refusal> refusals(const ir::Model&) const override { return {}; }
  std::unique_ptr<exec::Executor> compile(const ir::Model& model, const exec::CompileOptions&) const override {
    return std::make_unique<ReferenceExecutor>(model);
  }
};

}  // namespace pare::eval
