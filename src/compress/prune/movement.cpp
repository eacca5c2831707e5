// prune/movement: keeps the weights that training moves away from zero, whatever their magnitude. The network computes
// with W ⊙ M; the scores S follow −∂L/∂S = −(∂L/∂W′)·W, straight through the mask, so that what is masked can return.
#include <limits>

#include "compress/prune/gradual.h"
#include "compress/prune/learned.h"

namespace pare::compress {
namespace {

using nlohmann::json;

constexpr std::size_t kScores = 0, kMask = 1;  // further inputs of MovementMask

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = [] {
    std::vector<Option> list = pattern_options();
    list.push_back({"scope",
                    kString,
                    "\"layer\"",
                    "rank the weights of each layer, of each output channel or of all layers together",
                    {"layer", "output", "global"}});
    for (Option option : gradual_options()) {
      if (option.name == "rounds" || option.name == "rewind") continue;
      if (option.name == "schedule") {
        option.fallback = "\"cubic\"";
        option.help = "the curve along which the zeros grow";
        option.choices = {"cubic", "linear", "exponential"};
      }
      list.push_back(option);
    }
    list.push_back({"score_lr", kFloat, "1", "learning rate of the scores, times that of the weights", {}, 0, 1e9});
    return learned_options(list);
  }();
  return table;
}

void validate(const ir::Model& model, const StepContext& context) {
  prune_rule(context.options);
  validate_learned(model, context);
}

MaskNode mask_node(const PruneTarget& target) {
  const Dims& dims = target.weight.dims();
  Tensor all(DType::kFloat32, dims);
  for (float& kept : all.mutable_data<float>()) kept = 1;
  return {"MovementMask", {{"scores", Tensor(DType::kFloat32, dims)}, {"mask", all}}};
}

std::vector<float> scores_of(const Tensor& scores) {
  return {scores.data<float>().begin(), scores.data<float>().end()};
}

Tensor as_floats(const Tensor& mask) {
  Tensor out(DType::kFloat32, mask.dims());
  const auto bits = mask.data<std::uint8_t>();
  std::copy(bits.begin(), bits.end(), out.mutable_data<float>().begin());
  return out;
}

/// Ranks the targets' weights by the trainer's scores and gives it the masks. Zeros that stay come first.
void choose(exec::Trainer& trainer, const MaskStudent& student, std::vector<PruneTarget>& targets,
            const PruneRule& rule, double initial, double progress) {
  for (std::size_t t = 0; t < targets.size(); ++t) {
    targets[t].weight = trainer.parameter(targets[t].name);
    targets[t].scores = scores_of(trainer.parameter(student.latent(t, kScores)));
    const auto weights = targets[t].weight.data<float>();
    for (std::size_t i = 0; rule.keep_zeros && i < weights.size(); ++i)
      if (weights[i] == 0) targets[t].scores[i] = std::numeric_limits<float>::lowest();
  }
  const std::vector<Tensor> masks = choose_masks(targets, rule, initial, progress);
  for (std::size_t t = 0; t < targets.size(); ++t) trainer.set_parameter(student.latent(t, kMask), as_floats(masks[t]));
}

LoopHooks hooks_of(const MaskStudent& student, std::vector<PruneTarget>& targets, const PruneRule& rule,
                   const json& options) {
  const double initial = rule.keep_zeros ? zero_fraction(targets) : 0;
  const double score_rate = options.at("score_lr");
  LoopHooks hooks;
  hooks.on_start = [&student, &targets, score_rate](exec::Trainer& trainer, std::int64_t) {
    for (std::size_t t = 0; t < targets.size(); ++t) {
      trainer.set_update_rule(student.latent(t, kScores), {.rate = score_rate, .decay = 0});
      trainer.set_update_rule(student.latent(t, kMask), {.rate = 0, .decay = {}});
    }
  };
  hooks.on_step = [&student, &targets, &options, rule, initial](exec::Trainer& trainer, std::int64_t step,
                                                                std::int64_t total) {
    if (const auto progress = curve_progress(options, step, total))
      choose(trainer, student, targets, rule, initial, *progress);
  };
  return hooks;
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  PruneRule rule = prune_rule(context.options);
  rule.curve = find_curve(context.options.at("schedule"));
  mask_learned_zeros(model, context.options);
  const ir::Model floats = model;
  std::vector<PruneTarget> targets = prune_targets(model, context.options);
  MaskStudent student(floats, targets, mask_node);
  std::vector<PruneTarget> current = targets;
  train_learned(model, student, hooks_of(student, current, rule, context.options), context);
  for (std::size_t t = 0; t < targets.size(); ++t) targets[t].scores = scores_of(student.trained(t, kScores));
  record_importance(model.graph, targets, context);
  record_zeros(model.graph, prune_targets(model, context.options), rule, context);
}

}  // namespace

const Method& movement_pruning() {
  static const Method method =
      zeroing_method({"movement", "zeros the weights that training moves towards zero",
                      "Sanh, Wolf & Rush, Movement Pruning: Adaptive Sparsity by Fine-Tuning, 2020", options,
                      [](const json&) { return true; }, validate, apply});
  return method;
}

}  // namespace pare::compress
