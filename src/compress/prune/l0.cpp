// prune/l0: a random gate on every weight or output channel, trained so that few are open; those that end shut are
// zeros. The network computes with W ⊙ z, z drawn from the hard concrete distribution of the gate's log α; the loss has
// a further term penalty · (share of the weights whose gates are open, in expectation) (equations 9 and 12 of the
// paper).
#include "compress/prune/learned.h"
#include "compress/weights.h"
#include "ir/learned_masks.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<Option> declare() {
  using enum OptionType;
  std::vector<Option> list = learned_options({
      {"penalty", kFloat, "1", "what the loss grows by when all gates are open; the more, the more zeros", {}, 0, 1e6},
      {"gates", kString, "\"weight\"", "what a gate opens: a weight, or an output channel", {"weight", "channel"}},
      {"start", kFloat, "2.5", "log alpha of every gate at the start: above 2.4 all are open", {}, -20, 20},
      {"gate_lr", kFloat, "10", "learning rate of log alpha, times that of the weights", {}, 0, 1e6},
  });
  for (Option& option : list) {
    if (option.name == "optimizer") option.fallback = "\"adamw\"";  // a gate's gradient is small, and its sign counts
    if (option.name == "lr") option.fallback = "0.001";
  }
  return list;
}

std::span<const Option> options() {
  static const std::vector<Option> table = declare();
  return table;
}

/// Dimensions of log α: the weight's, or 1 but for the axis of outputs.
Dims gates_of(const ir::Model& model, const PruneTarget& target, bool by_channel) {
  if (!by_channel) return target.weight.dims();
  for (const Layer& layer : find_weights(model.graph)) {
    if (layer.weight_name != target.name) continue;
    Dims dims(target.weight.dims().size(), 1);
    if (layer.weight.view.outputs != target.weight.dim(layer.weight.output_axis))
      dims[0] = target.weight.dim(0);  // directions of recurrent layers, groups of transposed convolutions
    dims[static_cast<std::size_t>(layer.weight.output_axis)] = target.weight.dim(layer.weight.output_axis);
    return dims;
  }
  return {};
}

MaskNode gate_node(const Dims& gates, float start, double penalty) {
  Tensor log_alpha(DType::kFloat32, gates);
  for (float& a : log_alpha.mutable_data<float>()) a = start;
  return {"HardConcrete", {{"log_alpha", log_alpha}}, {{"penalty", static_cast<float>(penalty)}}};
}

LoopHooks hooks_of(const MaskStudent& student, std::size_t targets, const json& options) {
  const double rate = options.at("gate_lr");
  LoopHooks hooks;
  hooks.on_start = [&student, targets, rate](exec::Trainer& trainer, std::int64_t) {
    for (std::size_t t = 0; t < targets; ++t) trainer.set_update_rule(student.latent(t, 0), {.rate = rate, .decay = 0});
  };
  return hooks;
}

/// Each weight's chance to be open.
std::vector<float> chances(const Tensor& weight, const Tensor& log_alpha) {
  Tensor open = log_alpha.clone();
  for (float& a : open.mutable_data<float>()) a = static_cast<float>(ir::concrete_open(static_cast<double>(a)));
  if (open.numel() == weight.numel()) return {open.data<float>().begin(), open.data<float>().end()};
  std::int64_t inner = 1;  // one axis of log α is longer than 1 at most
  for (std::int64_t axis = weight.rank(); --axis >= 0 && log_alpha.dim(axis) == 1;) inner *= weight.dim(axis);
  std::vector<float> out;
  for (std::int64_t i = 0; i < weight.numel(); ++i)
    out.push_back(open.data<float>()[static_cast<std::size_t>(i / inner % open.numel())]);
  return out;
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const json& options = context.options;
  const bool by_channel = options.at("gates") == "channel";
  mask_learned_zeros(model, options);
  const ir::Model floats = model;
  std::vector<PruneTarget> targets = prune_targets(model, options);
  double all = 0;
  for (const PruneTarget& target : targets) all += static_cast<double>(target.weight.numel());
  MaskStudent student(floats, targets, [&](const PruneTarget& target) {
    const double share = static_cast<double>(target.weight.numel()) / all;
    return gate_node(gates_of(floats, target, by_channel), options.at("start").get<float>(),
                     options.at("penalty").get<double>() * share);
  });
  train_learned(model, student, hooks_of(student, targets.size(), options), context);
  for (std::size_t t = 0; t < targets.size(); ++t)
    targets[t].scores = chances(student.weight(t), student.trained(t, 0));
  record_importance(model.graph, targets, context);
  record_zeros(model.graph, prune_targets(model, options), {}, context);
}

}  // namespace

const Method& l0_pruning() {
  static const Method method =
      zeroing_method({"l0", "learns while training which weights to keep, by random gates and a price on open ones",
                      "Louizos, Welling & Kingma, Learning Sparse Neural Networks through L0 Regularization, 2018",
                      options, [](const json&) { return true; }, validate_learned, apply});
  return method;
}

}  // namespace pare::compress
