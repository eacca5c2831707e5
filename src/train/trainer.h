// exec::Trainer on LibTorch.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exec/curvature.h"
#include "exec/trainer.h"
#include "train/mixup.h"
#include "train/network.h"
#include "train/optimizer.h"

namespace pare::train {

class TorchTrainer : public exec::Trainer, public exec::Curvature {
 public:
  /// Throws as exec::TrainerFactory::create.
  TorchTrainer(const ir::Model& student, const ir::Model* teacher, const exec::TrainerOptions& options);

  std::vector<std::string> parameters() const override;
  Tensor parameter(const std::string& name) const override;
  void set_parameter(const std::string& name, const Tensor& value) override;
  void set_mask(const std::string& name, const Tensor& mask) override;
  void set_update_rule(const std::string& name, const exec::UpdateRule& rule) override;
  exec::StepResult step(const data::Batch& batch, double learning_rate) override;
  NamedTensors gradients(const data::Batch& batch) override;
  std::map<std::string, double> hessian_traces(const data::Batch& batch, std::uint64_t probe) override;
  /// With labels the plain cross-entropy, with targets the mean squared error, comparable with what evaluation reports;
  /// without, the distillation loss.
  exec::StepResult evaluate(const data::Batch& batch) override;
  NamedTensors forward(const NamedTensors& inputs) override;
  void write_back(ir::Model& model) const override;
  std::string save_state() const override;
  void load_state(const std::string& bytes) override;
  std::string description() const override;

 private:
  std::size_t find(const std::string& name) const;
  /// What the loss compares.
  struct Judged {
    at::Tensor logits;
    std::vector<at::Tensor> features;  ///< of LossOptions
  };
  /// `regression`: the output itself, with a final Softmax that classification takes off.
  Judged run_student(const std::vector<at::Tensor>& inputs, bool training, bool regression);
  Judged run_teacher(const std::vector<at::Tensor>& inputs, const Judged& student, bool regression);
  /// The loss, and the part of the result that answers give.
  std::pair<at::Tensor, exec::StepResult> compare(const Judged& student, const Judged& teacher,
                                                  const Answers& answers) const;
  struct Pass;  ///< what one part of a batch contributes to a step
  std::int64_t parts_of(const std::vector<at::Tensor>& inputs, std::size_t answers) const;
  Pass differentiate(const std::vector<at::Tensor>& inputs, const Answers& answers, double share, bool training);
  std::vector<Pass> differentiate_parts(const data::Batch& batch, bool training);
  /// All parts of a batch as one.
  Pass differentiate_batch(const data::Batch& batch, bool training);
  void require_answers(const data::Batch& batch) const;
  exec::StepResult judge(const at::Tensor& logits, const at::Tensor& loss, const at::Tensor& answers) const;
  void require_finite(double value, const char* what) const;

  exec::TrainerOptions options_;
  at::Device device_;
  bool bf16_;
  Network student_;
  std::unique_ptr<Network> teacher_;
  std::unique_ptr<Optimizer> optimizer_;
  at::Generator generator_;
};

}  // namespace pare::train
