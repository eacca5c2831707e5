#include "train/loss.h"

#include <numeric>

#include "pare/error.h"

namespace pare::train {

namespace {

bool is_regression(const at::Tensor& scores, const at::Tensor& answers) {
  return answers.defined() ? answers.is_floating_point() : scores.dim() != 2 || scores.size(1) == 1;
}

at::Tensor squared_loss(const at::Tensor& outputs, const at::Tensor& teacher, const at::Tensor& targets, double alpha) {
  at::Tensor loss;
  if (alpha < 1) loss = at::mse_loss(outputs, targets) * (1 - alpha);
  if (alpha == 0) return loss;
  const at::Tensor distillation = at::mse_loss(outputs, teacher.to(at::kFloat)) * alpha;
  return loss.defined() ? loss + distillation : distillation;
}

/// A value with one number a sample gets an axis for it: a sum over no axis would be one over all.
at::Tensor by_sample(const at::Tensor& value) {
  const at::Tensor floats = value.to(at::kFloat);
  return floats.dim() < 2 ? floats.reshape({-1, 1}) : floats;
}

}  // namespace

at::Tensor training_loss(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& answers,
                         const exec::LossOptions& options) {
  const at::Tensor scores = logits.to(at::kFloat);
  if (is_regression(scores, answers)) return squared_loss(scores, teacher, answers, options.alpha);
  at::Tensor loss;
  if (options.alpha < 1) {
    loss = at::cross_entropy_loss(scores, answers, {}, at::Reduction::Mean, -100, options.label_smoothing);
    if (options.alpha > 0) loss = loss * (1 - options.alpha);
  }
  if (options.alpha > 0) {
    const double t = options.temperature;
    const at::Tensor student = at::log_softmax(scores / t, 1);
    const at::Tensor target = at::log_softmax(teacher.to(at::kFloat) / t, 1);
    const at::Tensor divergence = at::kl_div(student, target, at::Reduction::Sum, /*log_target=*/true) / scores.size(0);
    const at::Tensor distillation = divergence * (options.alpha * t * t);
    loss = loss.defined() ? loss + distillation : distillation;
  }
  return loss;
}

at::Tensor feature_loss(const std::vector<at::Tensor>& student, const std::vector<at::Tensor>& teacher) {
  at::Tensor sum;
  for (std::size_t i = 0; i < student.size(); ++i) {
    const at::Tensor wanted = by_sample(teacher[i]), difference = by_sample(student[i]) - wanted;
    std::vector<std::int64_t> axes(static_cast<std::size_t>(wanted.dim() - 1));
    std::iota(axes.begin(), axes.end(), 1);
    const at::Tensor energy = wanted.square().sum(axes);
    const at::Tensor share = difference.square().sum(axes) / at::where(energy > 0, energy, at::ones_like(energy));
    sum = sum.defined() ? sum + share.mean() : share.mean();
  }
  return sum / static_cast<double>(student.size());
}

at::Tensor target_tensor(const at::Tensor& targets, const at::Tensor& outputs) {
  if (targets.numel() != outputs.numel() || targets.size(0) != outputs.size(0)) {
    throw Error(ErrorCode::kBadInput, "targets", "have another shape than the model's output",
                to_string(Dims(outputs.sizes().vec())), to_string(Dims(targets.sizes().vec())));
  }
  return targets.reshape(outputs.sizes()).to(outputs.device());
}

at::Tensor label_tensor(const std::vector<std::int64_t>& labels, const at::Tensor& logits) {
  if (logits.dim() != 2) {
    throw Error(ErrorCode::kUnsupported, "model output", "cannot learn class labels", "[batch, classes]",
                to_string(Dims(logits.sizes().vec())));
  }
  const std::int64_t samples = logits.size(0), classes = logits.size(1);
  if (static_cast<std::int64_t>(labels.size()) != samples) {
    throw Error(ErrorCode::kBadInput, "batch", "labels do not match the samples", std::to_string(samples),
                std::to_string(labels.size()));
  }
  for (const std::int64_t label : labels) {
    if (label < 0 || label >= classes) {
      throw Error(ErrorCode::kBadInput, "label " + std::to_string(label), "is outside the model's classes",
                  "0 to " + std::to_string(classes - 1), std::to_string(label));
    }
  }
  return at::tensor(labels, at::kLong).to(logits.device());
}

std::int64_t count_correct(const at::Tensor& logits, const at::Tensor& labels) {
  if (labels.is_floating_point()) return 0;
  return at::eq(logits.detach().argmax(1), labels).sum().item<std::int64_t>();
}

}  // namespace pare::train
