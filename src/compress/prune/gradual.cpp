#include "compress/prune/gradual.h"

#include <algorithm>
#include <map>
#include <memory>

#include "pare/error.h"
#include "passes/pass.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::int64_t steps_between(std::int64_t given, std::int64_t last, std::int64_t updates) {
  return given > 0 ? given : std::max<std::int64_t>(1, last / updates);
}

/// What is pruned while training goes on.
struct Gradual {
  Criterion criterion;
  std::vector<PruneTarget>& targets;
  PruneRule rule;
  const ir::Model& model;
  const StepContext& context;
  double initial;  ///< sparsity at the begin

  void prune_now(exec::Trainer& trainer, double progress, const std::function<void()>& rewind = {}) const {
    for (PruneTarget& target : targets) target.weight = trainer.parameter(target.name);
    score_targets(criterion, targets, rule, {model, &trainer, context});
    const std::vector<Tensor> masks = choose_masks(targets, rule, initial, progress);
    if (rewind) rewind();
    for (std::size_t t = 0; t < targets.size(); ++t) trainer.set_mask(targets[t].name, masks[t]);
  }
};

LoopHooks curve_hooks(const Gradual& gradual) {
  LoopHooks hooks;
  hooks.on_step = [gradual](exec::Trainer& trainer, std::int64_t step, std::int64_t total) {
    if (const auto progress = curve_progress(gradual.context.options, step, total, gradual.criterion.updates))
      gradual.prune_now(trainer, *progress);
  };
  return hooks;
}

/// The weights of another model by name, for every parameter of the trainer.
std::map<std::string, Tensor> rewind_weights(const StepContext& context, const std::string& path) {
  ir::Model model = context.store->load(path);
  passes::simplify(model);
  std::map<std::string, Tensor> weights;
  for (ir::ValueId id : model.graph.values())
    if (const Tensor* constant = model.graph.constant(id); constant && constant->dtype() == DType::kFloat32)
      weights.emplace(model.graph.value(id).name, *constant);
  return weights;
}

void set_weights(exec::Trainer& trainer, const std::map<std::string, Tensor>& weights, const std::string& path) {
  for (const std::string& name : trainer.parameters()) {
    const auto found = weights.find(name);
    if (found == weights.end())
      throw Error(ErrorCode::kBadInput, "prune.rewind", "the model lacks a weight of the one that is pruned",
                  "'" + name + "'", path);
    if (found->second.dims() != trainer.parameter(name).dims())
      throw Error(ErrorCode::kBadInput, "prune.rewind", "weight '" + name + "' has another shape in " + path,
                  to_string(trainer.parameter(name).dims()), to_string(found->second.dims()));
    trainer.set_parameter(name, found->second);
  }
}

LoopHooks round_hooks(const Gradual& gradual) {
  const StepContext& context = gradual.context;
  const std::int64_t rounds = context.options.at("rounds");
  const std::string rewind = context.options.at("rewind");
  const std::int64_t dense = rewind == "start" ? 1 : 0, parts = rounds + dense;
  std::map<std::string, Tensor> weights;
  if (rewind != "none" && rewind != "start") weights = rewind_weights(context, rewind);
  auto start = std::make_shared<std::string>();
  LoopHooks hooks;
  hooks.cycles = parts;
  hooks.on_start = [=](exec::Trainer& trainer, std::int64_t total) {
    if (total < parts)
      throw Error(ErrorCode::kUsage, "prune.rounds", "needs a step of training for each", std::to_string(parts),
                  std::to_string(total));
    if (rewind == "none") return;
    *start = trainer.save_state();
    if (rewind != "start") {
      set_weights(trainer, weights, rewind);  // its faults show before the first step
      trainer.load_state(*start);
    }
  };
  hooks.on_step = [=](exec::Trainer& trainer, std::int64_t step, std::int64_t total) {
    for (std::int64_t round = 1; round <= rounds; ++round) {
      if (step != cycle_begin(round - 1 + dense, parts, total)) continue;
      const auto back = [&] {
        trainer.load_state(*start);
        if (rewind != "start") set_weights(trainer, weights, rewind);
      };
      gradual.prune_now(trainer, static_cast<double>(round) / static_cast<double>(rounds),
                        rewind == "none" ? std::function<void()>() : back);
    }
  };
  return hooks;
}

}  // namespace

void score_targets(const Criterion& criterion, std::vector<PruneTarget>& targets, const PruneRule& rule,
                   const ScoringState& state) {
  if (!criterion.score) return;
  criterion.score(targets, state);
  // A gradient or chance would bring back what was masked, as a zero that counts as kept.
  if (!rule.keep_zeros && !state.trainer) return;
  for (PruneTarget& target : targets) {
    const auto weights = target.weight.data<float>();
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (weights[i] == 0) target.scores[i] = 0;
  }
}

std::optional<double> curve_progress(const json& options, std::int64_t step, std::int64_t total, std::int64_t updates) {
  const double until = options.at("prune_until");
  const std::int64_t last =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(until * static_cast<double>(total)), 0, total - 1);
  if (step > last || (step != last && step % steps_between(options.at("frequency"), last, updates) != 0))
    return std::nullopt;
  return last == 0 ? 1 : static_cast<double>(step) / static_cast<double>(last);
}

std::vector<Option> gradual_options(bool costly) {
  using enum OptionType;
  return {
      {"schedule",
       kString,
       "\"auto\"",
       "one-shot before training; or while training: along a cubic, linear or exponential curve, or iterative, in "
       "rounds of pruning and training (auto: cubic when there are epochs)",
       {"auto", "one-shot", "cubic", "linear", "exponential", "iterative"}},
      {"prune_until", kFloat, "0.5", "fraction of the steps after which the curve is done", {}, 0.001, 1},
      {"frequency",
       kInt,
       "0",
       costly ? "steps between two updates of the masks (0: about 20 updates in all, as each looks at samples)"
              : "steps between two updates of the masks (0: about 200 updates in all)",
       {},
       0,
       1e9},
      {"rounds", kInt, "3", "of the iterative schedule; the epochs are divided among them", {}, 1, 1000},
      {"rewind", kString, "\"none\"",
       "iterative: what the weights that stay are set back to in each round: none, start (those before this step, "
       "after one more part of dense training) or a model file"},
  };
}

std::string schedule_of(const json& options) {
  const bool trains = options.at("epochs").get<double>() > 0;
  const std::string schedule = options.at("schedule");
  if (schedule != "auto") return schedule;
  return trains && options.at("threshold").is_null() ? "cubic" : "one-shot";
}

void validate_schedule(const json& options, const PruneRule& rule) {
  const std::string schedule = schedule_of(options);
  if (schedule != "one-shot" && options.at("epochs").get<double>() <= 0)
    throw Error(ErrorCode::kUsage, "prune.schedule", schedule + " prunes while training", "epochs above 0", "0");
  if (rule.threshold && schedule != "one-shot")
    throw Error(ErrorCode::kUsage, "prune.threshold", "prunes at once", "schedule one-shot", schedule);
  if (options.at("rewind") != "none" && schedule != "iterative")
    throw Error(ErrorCode::kUsage, "prune.rewind", "belongs to rounds", "schedule iterative", schedule);
}

LoopHooks gradual_hooks(const Criterion& criterion, std::vector<PruneTarget>& targets, const PruneRule& rule,
                        const ir::Model& model, const StepContext& context) {
  const double initial = rule.keep_zeros ? zero_fraction(targets) : 0;
  const std::string schedule = schedule_of(context.options);
  Gradual gradual{criterion, targets, rule, model, context, initial};
  gradual.rule.curve = schedule == "iterative" ? exponential_sparsity : find_curve(schedule);
  return schedule == "iterative" ? round_hooks(gradual) : curve_hooks(gradual);
}

std::vector<std::string> rewind_files(const json& options) {
  const std::string rewind = options.at("rewind");
  if (rewind == "none" || rewind == "start") return {};
  return {rewind};
}

}  // namespace pare::compress
