#include "train/loss.h"

#include "pare/error.h"

namespace pare::train {

at::Tensor training_loss(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& labels,
                         const exec::LossOptions& options) {
  const at::Tensor scores = logits.to(at::kFloat);
  at::Tensor loss;
  if (options.alpha < 1) {
    loss = at::cross_entropy_loss(scores, labels, {}, at::Reduction::Mean, -100, options.label_smoothing);
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

at::Tensor label_tensor(const std::vector<std::int64_t>& labels, const at::Tensor& logits) {
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
  return at::eq(logits.detach().argmax(1), labels).sum().item<std::int64_t>();
}

}  // namespace pare::train
