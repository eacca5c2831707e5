// The options that every training step shares.
#include <algorithm>

#include "compress/training/features.h"
#include "compress/training/loop.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

std::vector<Option> distillation_options() {
  using enum OptionType;
  std::vector<Option> list = {
      {"temperature", kFloat, "4", "softens the outputs", {}, 0.01, 1000},
      {"alpha", kFloat, "null", "weight of the distillation loss; 0.9 if not given, or 1 without labels", {}, 0, 1}};
  for (Option& option : feature_options()) list.push_back(std::move(option));
  return list;
}

std::vector<Option> declare() {
  using enum OptionType;
  return {
      {"epochs", kFloat, "3", "passes over the training data; fractions are allowed", {}, 0, 100000},
      {"lr", kFloat, "0.01", "peak learning rate", {}, 0, 100},
      {"schedule",
       kString,
       "\"one-cycle\"",
       "learning rate over the steps",
       {"one-cycle", "cosine", "step", "constant"}},
      {"warmup", kFloat, "0.1", "fraction of the steps that raise the rate (one-cycle, cosine)", {}, 0, 1},
      {"milestones",
       kNumbers,
       "[0.5, 0.75]",
       "fractions of the steps at which `step` multiplies the rate by gamma",
       {},
       0,
       1},
      {"gamma", kFloat, "0.1", "factor of the schedule `step`", {}, 0, 1},
      {"optimizer", kString, "\"sgd\"", "sgd (Nesterov momentum) or adamw", {"sgd", "adamw"}},
      {"momentum", kFloat, "0.9", "of sgd", {}, 0, 1},
      {"weight_decay", kFloat, "0.0005", "of weights of rank 2 and more; decoupled for adamw", {}, 0, 10},
      {"clip_norm",
       kFloat,
       "1",  // exported networks have BatchNorm folded away: unclipped, a rate of 0.01 diverges within 20 steps
       "largest gradient norm; 0: no clipping",
       {},
       0,
       1e9},
      {"label_smoothing", kFloat, "0", "share of the target spread over all classes", {}, 0, 0.99},
      {"mixup",
       kFloat,
       "0",
       "a of Beta(a, a), from which the shares come by which the samples of a step are mixed in pairs (Zhang et al. "
       "2018); 0: they are not",
       {},
       0,
       100},
      {"batch_size", kInt, "64", "samples of an optimizer step", {}, 1, 1e6},
      {"precision", kString, "\"auto\"", "auto: bf16 where the device computes it faster", {"auto", "f32", "bf16"}},
      {"device", kString, "\"cpu\"", "cpu, cuda, cuda:1 …"},
      {"limit", kInt, "0", "training samples used; 0: all", {}, 0, 1e15},
      {"augment", kBool, "true", "apply the augmentation of the data file"},
      {"workers", kInt, "1", "threads that prepare batches", {}, 1, 256},
      {"keep_zeros", kBool, "true", "weights that are zero when the step starts stay zero"},
      {"distill",
       kGroup,
       "null",
       "learn from the original model's outputs (Hinton et al. 2015); on by itself without labels",
       {},
       {},
       {},
       distillation_options()},
  };
}

}  // namespace

std::span<const Option> training_options() {
  static const std::vector<Option> table = declare();
  return table;
}

LoopOptions loop_options(const nlohmann::json& resolved) {
  LoopOptions options;
  options.epochs = resolved.at("epochs");
  options.learning_rate = resolved.at("lr");
  // A step with a schedule of its own (pruning) calls the learning rate's lr_schedule.
  options.schedule = resolved.contains("lr_schedule") ? resolved.at("lr_schedule") : resolved.at("schedule");
  options.warmup = resolved.at("warmup");
  options.milestones = resolved.at("milestones").get<std::vector<double>>();
  options.gamma = resolved.at("gamma");
  options.batch_size = resolved.at("batch_size");
  options.limit = resolved.at("limit");
  options.augment = resolved.at("augment");
  options.workers = resolved.at("workers");
  options.keep_best = resolved.value("keep_best", false);
  return options;
}

exec::TrainerOptions trainer_options(const nlohmann::json& resolved, int threads, std::uint64_t seed) {
  exec::TrainerOptions options;
  options.optimizer.kind = resolved.at("optimizer");
  options.optimizer.momentum = resolved.at("momentum");
  options.optimizer.nesterov = options.optimizer.momentum > 0;
  options.optimizer.weight_decay = resolved.at("weight_decay");
  options.optimizer.clip_norm = resolved.at("clip_norm");
  options.loss.label_smoothing = resolved.at("label_smoothing");
  if (const auto& distill = resolved.at("distill"); !distill.is_null()) {
    options.loss.temperature = distill.at("temperature");
    options.loss.alpha = distill.at("alpha").is_null() ? 0.9 : distill.at("alpha").get<double>();
    options.loss.feature_weight = distill.value("feature_weight", 1.0);
  }
  options.mixup = resolved.at("mixup");
  options.precision = resolved.at("precision");
  options.device = resolved.at("device");
  options.threads = threads;
  options.seed = seed;
  return options;
}

}  // namespace pare::compress
