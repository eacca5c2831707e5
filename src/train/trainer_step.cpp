// One training step. On a CPU a batch is split into a part for each thread, each differentiated on its own core: small
// images leave too little work in one layer to share it (ResNet on 28×28: a quarter more samples a second).
#include <algorithm>

#include "base/threads.h"
#include "train/loss.h"
#include "train/scope.h"
#include "train/tensors.h"
#include "train/trainer.h"

namespace pare::train {
namespace {

/// More weights than this, and every part's packing of them outweighs what its layers gain (ResNet-18, 11 M: 2 %).
constexpr std::int64_t kWeightsToShare = 4'000'000;
/// Fewer samples than this a part, and the vectors of a layer's kernels no longer fill.
constexpr std::int64_t kSamplesPerPart = 8;

std::vector<at::Tensor> narrowed(const std::vector<at::Tensor>& tensors, std::int64_t begin, std::int64_t end) {
  std::vector<at::Tensor> parts;
  for (const at::Tensor& tensor : tensors) parts.push_back(tensor.narrow(0, begin, end - begin));
  return parts;
}

/// a += b, where an undefined gradient is zero.
void accumulate(std::vector<at::Tensor>& sums, std::vector<at::Tensor>& gradients) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (!gradients[i].defined()) continue;
    sums[i] = sums[i].defined() ? sums[i].add_(gradients[i]) : gradients[i];
  }
}

}  // namespace

struct TorchTrainer::Pass {
  exec::StepResult result;
  double share = 1;  ///< of the batch's samples
  std::vector<at::Tensor> gradients;
};

std::int64_t TorchTrainer::parts_of(const std::vector<at::Tensor>& inputs, std::size_t answers) const {
  if (!device_.is_cpu() || !student_.separable() || (teacher_ && !teacher_->separable())) return 1;
  std::int64_t weights = 0;
  for (const Network::Entry& entry : student_.parameters()) weights += student_.tensor(entry).numel();
  if (weights > kWeightsToShare) return 1;
  const std::int64_t samples = inputs.front().size(0);
  const auto differs = [&](const at::Tensor& input) { return input.size(0) != samples; };
  const bool uneven = answers != 0 && answers != static_cast<std::size_t>(samples);
  if (uneven || std::any_of(inputs.begin(), inputs.end(), differs)) return 1;  // the pass itself says what is wrong
  return std::clamp<std::int64_t>(samples / kSamplesPerPart, 1, options_.threads);
}

TorchTrainer::Pass TorchTrainer::differentiate(const std::vector<at::Tensor>& inputs, const Answers& answers,
                                               double share, bool training) {
  const bool regression = answers.targets.defined();
  const Judged student = run_student(inputs, training, regression);
  const Judged teacher = teacher_ ? run_teacher(inputs, student, regression) : Judged{};
  const auto [loss, result] = compare(student, teacher, answers);
  Pass pass{result, share, {}};
  require_finite(pass.result.loss, "the loss");
  std::vector<at::Tensor> parameters;
  for (const Network::Entry& entry : student_.parameters()) parameters.push_back(student_.tensor(entry));
  // Returned, not accumulated in the parameters, which all parts share.
  pass.gradients = torch::autograd::grad({loss * share}, parameters, {}, {}, false, /*allow_unused=*/true);
  return pass;
}

std::vector<TorchTrainer::Pass> TorchTrainer::differentiate_parts(const data::Batch& batch, bool training) {
  std::vector<at::Tensor> inputs = student_.bind(batch.inputs);
  Answers answers{batch.labels, batch.targets.defined() ? borrow(batch.targets) : at::Tensor(), {}, 1};
  const std::int64_t parts = parts_of(
      inputs, answers.targets.defined() ? static_cast<std::size_t>(answers.targets.size(0)) : batch.labels.size());
  if (training && options_.mixup > 0) mix(inputs, answers, mixing_share(options_.mixup, generator_));
  std::vector<Pass> passes(static_cast<std::size_t>(parts));
  if (parts == 1) {
    passes[0] = differentiate(inputs, answers, 1, training);
    return passes;
  }
  const std::int64_t samples = inputs.front().size(0);
  parallel_for(parts, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t part = first; part < last; ++part) {
      const TorchScope scope(1);
      const std::int64_t begin = samples * part / parts, end = samples * (part + 1) / parts;
      const double share = static_cast<double>(end - begin) / static_cast<double>(samples);
      passes[static_cast<std::size_t>(part)] = guarded("training step", [&] {
        return differentiate(narrowed(inputs, begin, end), answers.narrowed(begin, end), share, training);
      });
    }
  });
  return passes;
}

TorchTrainer::Pass TorchTrainer::differentiate_batch(const data::Batch& batch, bool training) {
  std::vector<Pass> passes = differentiate_parts(batch, training);
  Pass sum{{}, 1, std::move(passes.front().gradients)};
  for (Pass& pass : passes) {
    sum.result.loss += pass.result.loss * pass.share;
    sum.result.correct += pass.result.correct;
    sum.result.samples += pass.result.samples;
    if (&pass != &passes.front()) accumulate(sum.gradients, pass.gradients);
  }
  return sum;
}

void TorchTrainer::require_answers(const data::Batch& batch) const {
  if (!batch.labels.empty() || batch.targets.defined() || options_.loss.alpha == 1) return;
  throw Error(ErrorCode::kBadInput, "data", "has neither labels nor targets, so that training needs distillation alone",
              "alpha 1", "alpha " + std::to_string(options_.loss.alpha));
}

exec::StepResult TorchTrainer::step(const data::Batch& batch, double learning_rate) {
  require_answers(batch);
  const TorchScope scope(options_.threads);
  return guarded("training step " + std::to_string(optimizer_->steps()), [&] {
    Pass pass = differentiate_batch(batch, true);
    optimizer_->set_gradients(pass.gradients);
    pass.result.gradient_norm = optimizer_->gradient_norm();
    require_finite(pass.result.gradient_norm, "the gradient");
    optimizer_->step(learning_rate, pass.result.gradient_norm);
    return pass.result;
  });
}

NamedTensors TorchTrainer::gradients(const data::Batch& batch) {
  require_answers(batch);
  const TorchScope scope(options_.threads);
  return guarded("gradients", [&] {
    const Pass pass = differentiate_batch(batch, false);
    NamedTensors named;
    for (std::size_t i = 0; i < pass.gradients.size(); ++i) {
      const Network::Entry& entry = student_.parameters()[i];
      const at::Tensor& gradient = pass.gradients[i];
      named[entry.name] =
          from_torch(gradient.defined() ? gradient : at::zeros_like(student_.tensor(entry)), DType::kFloat32);
    }
    return named;
  });
}

}  // namespace pare::train
