// The training loss (exec::LossOptions): cross-entropy with label smoothing, and distillation.
#pragma once

#include <vector>

#include "exec/trainer.h"
#include "train/torch_headers.h"

namespace pare::train {

/// (1 − alpha) · CE_smoothed(logits, labels) + alpha · T² · KL(softmax(teacher/T) ‖ softmax(logits/T)), both means over
/// the batch (Hinton, Vinyals & Dean 2015). `answers`: int64 labels [N], or f32 targets of the logits' shape, for which
/// (and without answers for logits that are no [N, 2 or more]) both terms are mean squared errors; undefined without
/// either (alpha is then 1);
/// `teacher`: logits, undefined without one (alpha is then 0). Computed in f32 whatever the logits' type.
at::Tensor training_loss(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& answers,
                         const exec::LossOptions& options);

/// exec::LossOptions::features: values [N, …] of the student and the teacher, as many of each, of the same shapes. A
/// sample for which the teacher's value is all zero counts its plain squared error. A scalar, f32.
at::Tensor feature_loss(const std::vector<at::Tensor>& student, const std::vector<at::Tensor>& teacher);

/// Targets in the shape of the outputs. Throws Error(kBadInput) when they have another.
at::Tensor target_tensor(const at::Tensor& targets, const at::Tensor& outputs);

/// Labels as a tensor beside the logits. Throws Error(kUnsupported) for logits that are no [N, classes], throws
/// Error(kBadInput) for a wrong count or a label outside the classes.
at::Tensor label_tensor(const std::vector<std::int64_t>& labels, const at::Tensor& logits);

/// Samples whose largest logit is the label's; 0 for targets.
std::int64_t count_correct(const at::Tensor& logits, const at::Tensor& labels);

}  // namespace pare::train
