#include "train/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "train/device.h"
#include "train/loss.h"
#include "train/scope.h"
#include "train/state.h"
#include "train/tensors.h"

namespace pare::train {
namespace {

void check_loss(const exec::LossOptions& loss, bool has_teacher) {
  if (!(loss.alpha >= 0 && loss.alpha <= 1)) {
    throw Error(ErrorCode::kUsage, "alpha", "is out of range", "0 to 1", std::to_string(loss.alpha));
  }
  if (loss.alpha > 0 && !has_teacher)
    throw Error(ErrorCode::kUsage, "alpha", "needs a teacher", "0", std::to_string(loss.alpha));
  if (!loss.features.empty() && loss.alpha == 0)
    throw Error(ErrorCode::kUsage, "features", "need a teacher", "alpha > 0", "alpha 0");
  if (loss.alpha > 0 && !(loss.temperature > 0)) {
    throw Error(ErrorCode::kUsage, "temperature", "is out of range", "> 0", std::to_string(loss.temperature));
  }
  if (!(loss.label_smoothing >= 0 && loss.label_smoothing < 1)) {
    throw Error(ErrorCode::kUsage, "label_smoothing", "is out of range", "0 to 1",
                std::to_string(loss.label_smoothing));
  }
}

void check_mixup(const exec::TrainerOptions& options, const ir::Graph& graph) {
  if (options.mixup == 0) return;
  for (const ir::ValueId id : graph.inputs) {
    const ir::Value& value = graph.value(id);
    if (value.dtype != DType::kFloat32)
      throw Error(ErrorCode::kUsage, "mixup", "cannot mix input '" + value.name + "'", "float32",
                  std::string(name(value.dtype)));
  }
}

void require_shape(const std::string& name, const Tensor& value, DType dtype, const at::Tensor& like) {
  if (value.dtype() == dtype && at::IntArrayRef(value.dims()).equals(like.sizes())) return;
  throw Error(ErrorCode::kBadInput, name, "has the wrong type or shape",
              std::string(pare::name(dtype)) + " " + to_string(Dims(like.sizes().vec())),
              std::string(pare::name(value.dtype())) + " " + to_string(value.dims()));
}

void assign(at::Tensor target, const Tensor& value) {
  const at::NoGradGuard no_grad;
  target.copy_(borrow(value));
}

}  // namespace

TorchTrainer::TorchTrainer(const ir::Model& student, const ir::Model* teacher, const exec::TrainerOptions& options)
    : options_(options),
      device_(find_device(options.device)),
      bf16_(uses_bf16(options.precision, device_)),
      student_(student, device_, true, options.loss.features),
      generator_(make_generator(device_, options.seed)) {
  check_loss(options.loss, teacher != nullptr);
  check_mixup(options, student.graph);
  if (teacher != nullptr && options.loss.alpha > 0) {
    teacher_ = std::make_unique<Network>(*teacher, device_, false, options.loss.features);
  }
  std::vector<at::Tensor> tensors;
  for (const Network::Entry& entry : student_.parameters()) tensors.push_back(student_.tensor(entry));
  optimizer_ = std::make_unique<Optimizer>(options.optimizer, tensors);
  for (const Network::Entry& entry : student_.parameters()) {
    const ir::Value& value = student.graph.value(student.graph.find_value(entry.name));
    if (value.mask) set_mask(entry.name, *value.mask);
  }
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
}

std::size_t TorchTrainer::find(const std::string& name) const {
  const std::vector<Network::Entry>& entries = student_.parameters();
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
  if (found == entries.end()) {
    throw Error(ErrorCode::kBadInput, name, "is not a trainable parameter" + did_you_mean(name, parameters()));
  }
  return static_cast<std::size_t>(found - entries.begin());
}

std::vector<std::string> TorchTrainer::parameters() const {
  std::vector<std::string> names;
  for (const Network::Entry& entry : student_.parameters()) names.push_back(entry.name);
  return names;
}

Tensor TorchTrainer::parameter(const std::string& name) const {
  const Network::Entry& entry = student_.parameters()[find(name)];
  return guarded(name, [&] { return from_torch(student_.tensor(entry), DType::kFloat32); });
}

void TorchTrainer::set_parameter(const std::string& name, const Tensor& value) {
  const std::size_t index = find(name);
  const at::Tensor target = student_.tensor(student_.parameters()[index]);
  require_shape(name, value, DType::kFloat32, target);
  guarded(name, [&] {
    assign(target, value);
    optimizer_->apply_mask(index);
  });
}

void TorchTrainer::set_mask(const std::string& name, const Tensor& mask) {
  const std::size_t index = find(name);
  if (mask.defined())
    require_shape("mask of " + name, mask, DType::kUint8, student_.tensor(student_.parameters()[index]));
  guarded(name, [&] { optimizer_->set_mask(index, mask.defined() ? borrow(mask) : at::Tensor()); });
}

void TorchTrainer::set_update_rule(const std::string& name, const exec::UpdateRule& rule) {
  optimizer_->set_rule(find(name), rule);
}

TorchTrainer::Judged TorchTrainer::run_student(const std::vector<at::Tensor>& inputs, bool training, bool regression) {
  const AutocastScope autocast(device_.type(), bf16_);
  Network::Results results = student_.run(inputs, training, generator_);
  return {regression ? results.outputs.front() : results.judged, std::move(results.features)};
}

TorchTrainer::Judged TorchTrainer::run_teacher(const std::vector<at::Tensor>& inputs, const Judged& student,
                                               bool regression) {
  Judged judged;
  {
    const c10::InferenceMode inference;
    const AutocastScope autocast(device_.type(), bf16_);
    Network::Results results = teacher_->run(inputs, false);
    judged = {regression ? results.outputs.front() : results.judged, std::move(results.features)};
  }
  // A tensor of inference mode cannot take part in a gradient: its copy can.
  const auto take = [](at::Tensor& teacher, const at::Tensor& ours, const std::string& what) {
    if (!teacher.sizes().equals(ours.sizes())) {
      throw Error(ErrorCode::kBadInput, "teacher", "has other " + what + " than the model",
                  to_string(Dims(ours.sizes().vec())), to_string(Dims(teacher.sizes().vec())));
    }
    teacher = teacher.clone();
  };
  take(judged.logits, student.logits, "outputs");
  for (std::size_t i = 0; i < judged.features.size(); ++i)
    take(judged.features[i], student.features[i], "values of '" + options_.loss.features[i] + "'");
  return judged;
}

std::pair<at::Tensor, exec::StepResult> TorchTrainer::compare(const Judged& student, const Judged& teacher,
                                                              const Answers& answers) const {
  const at::Tensor& logits = student.logits;
  at::Tensor own, partners;
  if (answers.targets.defined()) own = target_tensor(answers.targets, logits);
  if (!answers.labels.empty()) own = label_tensor(answers.labels, logits);
  if (!answers.partners.empty()) partners = label_tensor(answers.partners, logits);
  at::Tensor loss = training_loss(logits, teacher.logits, own, options_.loss);
  if (partners.defined() && options_.loss.alpha < 1) {
    const at::Tensor other = training_loss(logits, teacher.logits, partners, options_.loss);
    loss = answers.share * loss + (1 - answers.share) * other;
  }
  if (!student.features.empty())
    loss = loss + options_.loss.feature_weight * feature_loss(student.features, teacher.features);
  return {loss, judge(logits, loss, partners.defined() && answers.share < 0.5 ? partners : own)};
}

void TorchTrainer::require_finite(double value, const char* what) const {
  if (std::isfinite(value)) return;
  throw Error(ErrorCode::kDiverged, "step " + std::to_string(optimizer_->steps()), std::string(what) + " is not finite",
              "a finite number", std::to_string(value));
}

exec::StepResult TorchTrainer::judge(const at::Tensor& logits, const at::Tensor& loss,
                                     const at::Tensor& answers) const {
  exec::StepResult result;
  result.loss = loss.item<double>();
  result.samples = logits.size(0);
  if (answers.defined()) result.correct = count_correct(logits, answers);
  return result;
}

exec::StepResult TorchTrainer::evaluate(const data::Batch& batch) {
  const TorchScope scope(options_.threads);
  return guarded("evaluation", [&] {
    const c10::InferenceMode inference;
    const std::vector<at::Tensor> inputs = student_.bind(batch.inputs);
    const bool regression = batch.targets.defined();
    const Judged student = run_student(inputs, false, regression);
    const at::Tensor& logits = student.logits;
    if (regression) {
      const at::Tensor targets = target_tensor(borrow(batch.targets), logits);
      return judge(logits, training_loss(logits, {}, targets, {.temperature = 1}), targets);
    }
    if (batch.labels.empty()) {
      if (!teacher_)
        throw Error(ErrorCode::kBadInput, "data", "has no labels, and there is no teacher to compare with");
      const exec::LossOptions distillation{.temperature = options_.loss.temperature, .alpha = 1};
      return judge(logits, training_loss(logits, run_teacher(inputs, student, false).logits, {}, distillation), {});
    }
    const at::Tensor labels = label_tensor(batch.labels, logits);
    return judge(logits, training_loss(logits, {}, labels, {.temperature = 1}), labels);
  });
}

NamedTensors TorchTrainer::forward(const NamedTensors& inputs) {
  const TorchScope scope(options_.threads);
  return guarded("forward pass", [&] {
    const c10::InferenceMode inference;
    const AutocastScope autocast(device_.type(), bf16_);
    const Network::Results results = student_.run(student_.bind(inputs), false);
    NamedTensors outputs;
    for (std::size_t i = 0; i < results.outputs.size(); ++i) {
      outputs[student_.output_names()[i]] = from_torch(results.outputs[i], DType::kFloat32);
    }
    return outputs;
  });
}

void TorchTrainer::write_back(ir::Model& model) const {
  const auto write = [&](const Network::Entry& entry) {
    const ir::ValueId id = model.graph.find_value(entry.name);
    const Tensor* old = id == ir::kNoValue ? nullptr : model.graph.constant(id);
    const Tensor trained = from_torch(student_.tensor(entry), entry.dtype);
    if (old == nullptr || old->dims() != trained.dims() || old->dtype() != trained.dtype()) {
      throw Error(ErrorCode::kBadInput, entry.name, "is not an initializer of the model as it was trained");
    }
    model.graph.set_constant(id, trained);
  };
  guarded("model", [&] {
    std::for_each(student_.parameters().begin(), student_.parameters().end(), write);
    std::for_each(student_.statistics().begin(), student_.statistics().end(), write);
  });
}

std::string TorchTrainer::save_state() const {
  return guarded("training state", [&] {
    StateWriter writer;
    writer.text(options_.optimizer.kind);
    writer.number(optimizer_->steps());
    writer.tensor(from_torch(generator_.get_state(), DType::kUint8));
    const std::vector<Network::Entry>& entries = student_.parameters();
    writer.number(static_cast<std::int64_t>(entries.size()));
    for (std::size_t i = 0; i < entries.size(); ++i) {
      writer.text(entries[i].name);
      writer.tensor(from_torch(student_.tensor(entries[i]), DType::kFloat32));
      const at::Tensor mask = optimizer_->mask(i);
      writer.tensor(mask.defined() ? from_torch(mask, DType::kUint8) : Tensor());
      for (const at::Tensor& moment : optimizer_->moments(i)) writer.tensor(from_torch(moment, DType::kFloat32));
    }
    writer.number(static_cast<std::int64_t>(student_.statistics().size()));
    for (const Network::Entry& entry : student_.statistics()) {
      writer.text(entry.name);
      writer.tensor(from_torch(student_.tensor(entry), DType::kFloat32));
    }
    return writer.take();
  });
}

std::string TorchTrainer::description() const {
  std::string text = device_.str();
  text += bf16_ ? ", bf16, " : ", f32, ";
  text += std::to_string(options_.threads) + (options_.threads == 1 ? " thread" : " threads");
  return text + ", LibTorch " + TORCH_VERSION;
}

}  // namespace pare::train
