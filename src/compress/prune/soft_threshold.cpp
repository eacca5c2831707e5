// prune/soft_threshold: each layer learns by how much its weights are shrunk; what is smaller is zero. The network
// computes with sign(W)·max(|W| − g(s), 0), g the sigmoid and s one number a layer (equation 2 of the paper).
#include "compress/prune/learned.h"
#include "ir/learned_masks.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = learned_options({
      {"start", kFloat, "-7", "s of every layer at the start; its threshold is 1/(1 + e^-s)", {}, -10000, 100},
      {"threshold_lr", kFloat, "1", "learning rate of s, times that of the weights", {}, 0, 1e6},
      {"threshold_decay",
       kFloat,
       "0.01",
       "weight decay of s: draws it to 0, the threshold to 0.5; the more, the more zeros",
       {},
       0,
       1000},
  });
  return table;
}

LoopHooks hooks_of(const MaskStudent& student, std::size_t targets, const json& options) {
  const exec::UpdateRule rule{.rate = options.at("threshold_lr"), .decay = options.at("threshold_decay").get<double>()};
  LoopHooks hooks;
  hooks.on_start = [&student, targets, rule](exec::Trainer& trainer, std::int64_t) {
    for (std::size_t t = 0; t < targets; ++t) trainer.set_update_rule(student.latent(t, 0), rule);
  };
  return hooks;
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const auto start = context.options.at("start").get<float>();
  mask_learned_zeros(model, context.options);
  const ir::Model floats = model;
  std::vector<PruneTarget> targets = prune_targets(model, context.options);
  MaskStudent student(floats, targets, [start](const PruneTarget&) {
    return MaskNode{"SoftThreshold", {{"s", Tensor::from<float>({1}, {start})}}};
  });
  train_learned(model, student, hooks_of(student, targets.size(), context.options), context);
  for (std::size_t t = 0; t < targets.size(); ++t) targets[t].weight = student.weight(t);  // before it is shrunk
  record_importance(model.graph, targets, context);
  record_zeros(model.graph, prune_targets(model, context.options), {}, context);
  json& layers = context.record["pruned"]["layers"];
  for (std::size_t t = 0; t < targets.size(); ++t)
    layers[t]["threshold"] = ir::threshold_of(static_cast<double>(student.trained(t, 0).data<float>()[0]));
}

}  // namespace

const Method& soft_threshold_pruning() {
  static const Method method =
      zeroing_method({"soft_threshold",
                      "learns while training by how much each layer's weights are shrunk, which zeros the small ones",
                      "Kusupati et al., Soft Threshold Weight Reparameterization for Learnable Sparsity, 2020", options,
                      [](const json&) { return true; }, validate_learned, apply});
  return method;
}

}  // namespace pare::compress
