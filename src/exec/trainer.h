// Training a model: parameters, masks, losses, one optimizer step at a time. The loop (epochs, schedules, checkpoints,
// progress) is in src/compress/training; the implementation is the plug-in in src/train.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "exec/backend.h"
#include "ir/model.h"

namespace pare::exec {

struct OptimizerOptions {
  std::string kind = "sgd";  ///< "sgd" (Nesterov momentum as given) or "adamw" (Loshchilov & Hutter 2019)
  double momentum = 0.9;
  bool nesterov = true;
  double weight_decay = 5e-4;  ///< weights of rank ≥ 2 only; decoupled for adamw
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double clip_norm = 0;  ///< global gradient norm; 0: off
};

/// loss = (1 − alpha) · cross_entropy(label_smoothing) + alpha · T² · KL(teacher/T ‖ student/T)   (Hinton et al. 2015)
/// With targets, and for outputs that are no [N, classes] with two classes or more, both terms are mean squared errors:
/// (1 − alpha) · MSE(student, targets) + alpha · MSE(student, teacher)   (Ba & Caruana 2014, on the outputs).
/// Without labels and targets alpha must be 1; without a teacher it must be 0.
struct LossOptions {
  double label_smoothing = 0;
  double temperature = 4;
  double alpha = 0;
  /// Values that student and teacher both have, of the same shape with samples along the first axis: `feature_weight`
  /// times the mean over these and over the samples of ‖student − teacher‖² / ‖teacher‖² is added (SquareHead, Kurtic
  /// et al. 2023).
  std::vector<std::string> features;
  double feature_weight = 1;
};

struct TrainerOptions {
  OptimizerOptions optimizer;
  LossOptions loss;
  /// Samples of a step are mixed in pairs, inputs and answers alike, by shares from Beta(mixup, mixup); 0: they are not
  /// (Zhang et al. 2018). The teacher answers for the mixture (Beyer et al. 2022). Float inputs only.
  double mixup = 0;
  std::string precision = "auto";  ///< "f32", "bf16" (autocast), "auto": bf16 where the device computes it faster
  std::string device = "cpu";      ///< "cpu", "cuda", "cuda:1"
  int threads = 1;
  std::uint64_t seed = 0;
};

/// How the optimizer treats one parameter, where it is not as all the others.
struct UpdateRule {
  double rate = 1;              ///< times the learning rate; 0: the parameter stays, and counts in no gradient norm
  std::optional<double> decay;  ///< in place of the optimizer's weight_decay
};

struct StepResult {
  double loss = 0;           ///< mean over the batch
  std::int64_t correct = 0;  ///< top-1 hits (0 without labels)
  std::int64_t samples = 0;
  double gradient_norm = 0;  ///< before clipping
};

class Trainer {
 public:
  virtual ~Trainer() = default;
  /// Names of the trainable initializers, in graph order.
  virtual std::vector<std::string> parameters() const = 0;
  virtual Tensor parameter(const std::string& name) const = 0;
  virtual void set_parameter(const std::string& name, const Tensor& value) = 0;
  /// uint8 0/1 of the parameter's shape: zeros stay exactly zero from now on (weights and optimizer state). An
  /// undefined tensor lifts the mask.
  virtual void set_mask(const std::string& name, const Tensor& mask) = 0;
  /// From the next step on; not part of the state that is saved.
  virtual void set_update_rule(const std::string& name, const UpdateRule& rule) = 0;
  /// Forward, loss, backward, clip, optimizer step. Throws Error(kDiverged) on a non-finite loss, before any update.
  virtual StepResult step(const data::Batch& batch, double learning_rate) = 0;
  /// Gradients of the batch's mean loss by parameter, without an update (BatchNorm and Dropout in inference mode);
  /// zeros where the loss does not reach.
  virtual NamedTensors gradients(const data::Batch& batch) = 0;
  /// Loss and hits without an update (BatchNorm in inference mode).
  virtual StepResult evaluate(const data::Batch& batch) = 0;
  /// Forward in inference mode: the model's outputs in f32.
  virtual NamedTensors forward(const NamedTensors& inputs) = 0;
  /// Copies parameters (and BatchNorm statistics) back into a model with the same initializers.
  virtual void write_back(ir::Model& model) const = 0;
  /// Parameters, masks, optimizer state and step count as bytes; load_state continues bit-identically.
  virtual std::string save_state() const = 0;
  virtual void load_state(const std::string& bytes) = 0;
  /// "cpu, bf16, 2 threads, LibTorch 1.13.1" for the record.
  virtual std::string description() const = 0;
};

class TrainerFactory {
 public:
  virtual ~TrainerFactory() = default;
  virtual std::vector<Refusal> refusals(const ir::Model& model) const = 0;
  /// `teacher` may be null. Throws Error(kUnsupported) listing refusals. Masks annotated on initializers are taken
  /// over.
  virtual std::unique_ptr<Trainer> create(const ir::Model& student, const ir::Model* teacher,
                                          const TrainerOptions& options) const = 0;
};

/// Finds the trainer on first use (the plug-in loader in src/api provides one); throws Error(kUnsupported) naming the
/// package.
using TrainerProvider = std::function<const TrainerFactory&()>;

/// The plug-in's one C entry is `extern "C" const TrainPlugin* pare_train_plugin()`.
struct TrainPlugin {
  std::uint32_t abi;     ///< kTrainPluginAbi
  const char* build_id;  ///< must equal the host's PARE_BUILD_ID
  const TrainerFactory* factory;
};
inline constexpr std::uint32_t kTrainPluginAbi = 4;

}  // namespace pare::exec
