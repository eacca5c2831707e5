#include "compress/prune/samples.h"

#include <algorithm>

#include "base/threads.h"
#include "compress/statistics.h"
#include "pare/error.h"

namespace pare::compress {

void visit_samples(const ir::Model& model, std::int64_t samples, std::int64_t wanted, const StepContext& context,
                   const std::string& stage, const std::function<void(const data::Batch&)>& visit) {
  if (!context.dataset.train || context.dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, "data: train", "this importance needs a train split");
  const data::Split& split = *context.dataset.train;
  const auto indices = calibration_indices(split.size(), samples, context.execution.seed);
  const auto total = static_cast<std::int64_t>(indices.size());
  const std::int64_t fixed = fixed_batch(model), size = forward_batch(model, wanted);
  if (fixed > total)
    throw Error(ErrorCode::kBadInput, "data: train", "has too few samples for the model's fixed batch",
                std::to_string(fixed), std::to_string(total));
  for (std::int64_t done = 0; done < total;) {
    context.control.check_cancelled();
    const std::int64_t end = std::min(total, done + size);
    if (fixed && end - done < size) break;
    visit(split.batch({indices.begin() + done, indices.begin() + end}));
    done = end;
    context.control.report({stage, done, total, "samples", {}, -1});
  }
}

void visit_gradients(const ir::Model& model, std::int64_t samples, std::int64_t wanted, const StepContext& context,
                     const GradientVisitor& visit, exec::Trainer* trainer) {
  std::unique_ptr<exec::Trainer> own;
  if (!trainer) {
    const exec::TrainerOptions options{
        .precision = "f32", .threads = resolve_threads(context.execution.threads), .seed = context.execution.seed};
    own = context.trainer().create(model, nullptr, options);
    trainer = own.get();
  }
  visit_samples(model, samples, wanted, context, "gradients", [&](const data::Batch& batch) {
    visit(trainer->gradients(batch), static_cast<std::int64_t>(batch.indices.size()));
  });
}

void require_loss(const StepContext& context, const std::string& key, const std::string& importance) {
  const auto& train = context.dataset.train;
  if (!train || train->size() == 0)
    throw Error(ErrorCode::kUsage, key, "'" + importance + "' needs a train split in the data file");
  if (!train->labelled() && !train->regression())
    throw Error(ErrorCode::kUsage, key,
                "'" + importance + "' differentiates a loss, and the training data has no labels or targets",
                "labels, or a criterion without gradients", "neither labels nor targets");
}

}  // namespace pare::compress
