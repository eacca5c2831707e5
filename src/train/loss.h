// The training loss (exec::LossOptions): cross-entropy with label smoothing, and distillation.
#pragma once

#include "exec/trainer.h"
#include "train/torch_headers.h"

namespace pare::train {

/// (1 − alpha) · CE_smoothed(logits, labels) + alpha · T² · KL(softmax(teacher/T) ‖ softmax(logits/T)), both means over
/// the batch (Hinton, Vinyals & Dean 2015). `labels`: int64 [N], undefined when unlabelled (alpha is then 1);
/// `teacher`: logits, undefined without one (alpha is then 0). Computed in f32 whatever the logits' type.
at::Tensor training_loss(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& labels,
                         const exec::LossOptions& options);

/// Labels as a tensor beside the logits. Throws Error(kBadInput) for a wrong count or a label outside the classes.
at::Tensor label_tensor(const std::vector<std::int64_t>& labels, const at::Tensor& logits);

/// Samples whose largest logit is the label's.
std::int64_t count_correct(const at::Tensor& logits, const at::Tensor& labels);

}  // namespace pare::train
