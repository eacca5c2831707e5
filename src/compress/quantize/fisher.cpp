#include "compress/quantize/fisher.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "base/threads.h"
#include "compress/prune/samples.h"
#include "compress/statistics.h"
#include "data/padding.h"
#include "ir/infer.h"
#include "ir/judged.h"

namespace pare::compress {
namespace {

constexpr const char* kProbe = "fisher_probe";

/// The model with value + probe in place of `value`: the gradient of the probe, zeros of the batch's shape, is that of the
/// value, sample by sample. The judged output comes first, and inputs are of one size, so that a batch stays whole.
ir::Model probed_model(const ir::Model& model, const std::string& value, Dims shape, std::int64_t batch,
                       const std::string& chosen) {
  ir::Model probed = model;
  ir::Graph& graph = probed.graph;
  const ir::ValueId judged = ir::judged_output(graph, chosen);
  std::rotate(graph.outputs.begin(), std::find(graph.outputs.begin(), graph.outputs.end(), judged), graph.outputs.end());
  for (const ir::ValueId input : graph.inputs)
    if (ir::Shape& dims = graph.value(input).shape; dims.ranked() && dims.rank() > 0) dims.dims()[0] = ir::Dim(batch);
  shape[0] = batch;
  const ir::ValueId from = graph.find_value(value), moved = graph.add_value(value + "_probed");
  graph.replace_uses(from, moved, true);
  ir::Node add;
  add.op_type = "Add";
  add.name = graph.unique_node_name(value + "_probed");
  add.inputs = {from, graph.add_initializer(kProbe, Tensor(DType::kFloat32, shape))};
  add.outputs = {moved};
  graph.add_node(std::move(add));
  graph.sort();
  ir::infer_shapes(probed);
  return probed;
}

/// Scores as they are where they are probabilities, else their softmax.
std::vector<double> probabilities(std::span<const float> scores) {
  double sum = 0, most = -1e300;
  for (const float score : scores) sum += static_cast<double>(score), most = std::max(most, static_cast<double>(score));
  const bool already = std::fabs(sum - 1) < 1e-3 && std::ranges::all_of(scores, [](float s) { return s >= 0; });
  std::vector<double> out;
  for (const float score : scores) out.push_back(already ? score : std::exp(static_cast<double>(score) - most));
  return out;
}

std::int64_t drawn(std::span<const float> scores, Rng& rng) {
  const std::vector<double> weights = probabilities(scores);
  double sum = 0;
  for (const double weight : weights) sum += weight;
  double left = rng.uniform() * sum;
  for (std::size_t i = 0; i < weights.size(); ++i)
    if ((left -= weights[i]) < 0) return static_cast<std::int64_t>(i);
  return static_cast<std::int64_t>(weights.size()) - 1;
}

/// Answers drawn from the model's own.
void answer(data::Batch& batch, const Tensor& output, std::uint64_t seed) {
  if (output.rank() == 2 && output.dim(1) > 1) {
    const auto classes = static_cast<std::size_t>(output.dim(1));
    for (std::size_t i = 0; i < static_cast<std::size_t>(output.dim(0)); ++i) {
      Rng rng(seed, kRngMethod, 1, static_cast<std::uint64_t>(batch.indices[std::min(i, batch.indices.size() - 1)]));
      batch.labels.push_back(drawn(output.data<float>().subspan(i * classes, classes), rng));
    }
    return;
  }
  batch.targets = output.clone();
  Rng rng(seed, kRngMethod, 1, static_cast<std::uint64_t>(batch.indices.front()));
  for (float& value : batch.targets.mutable_data<float>()) value += static_cast<float>(rng.normal());
}

/// Repeats the last sample until there are `size`.
void fill(data::Batch& batch, std::int64_t rows, std::int64_t size) {
  data::fill_up(batch.inputs, rows, size);
  if (!batch.labels.empty()) batch.labels.resize(static_cast<std::size_t>(size), batch.labels.back());
  if (!batch.targets.defined()) return;
  NamedTensors targets = {{"targets", batch.targets}};
  data::fill_up(targets, rows, size);
  batch.targets = targets.at("targets");
}

Tensor magnitudes(const Tensor& gradient) {
  Tensor out = gradient.clone();
  for (float& g : out.mutable_data<float>()) g = std::fabs(g);
  return out;
}

}  // namespace

std::string why_no_fisher(const ir::Model& model, const std::string& value, const StepContext& context) {
  const std::vector<exec::Refusal> refusals = context.trainer().refusals(model);
  if (!refusals.empty()) return "the trainer cannot take the model: " + refusals[0].node + ": " + refusals[0].reason;
  return model.graph.is_input(model.graph.find_value(value)) ? "it is an input" : "";
}

void visit_loss_gradients(const ir::Model& model, const std::string& value, const Dims& shape, std::int64_t samples,
                          std::int64_t wanted, const StepContext& context, const std::function<void(const Tensor&)>& visit) {
  const std::int64_t size = forward_batch(model, wanted);
  exec::TrainerOptions how;
  how.precision = "f32";
  how.threads = resolve_threads(context.execution.threads);
  how.seed = context.execution.seed;
  const auto trainer =
      context.trainer().create(probed_model(model, value, shape, size, context.dataset.output), nullptr, how);
  const std::string judged = model.graph.value(ir::judged_output(model.graph, context.dataset.output)).name;
  const std::string answered = judged == value ? judged + "_probed" : judged;
  visit_samples(model, samples, wanted, context, "fisher", [&](const data::Batch& given) {
    data::Batch batch = given;
    const auto rows = static_cast<std::int64_t>(batch.indices.size());
    fill(batch, rows, size);
    if (batch.labels.empty() && !batch.targets.defined())
      answer(batch, trainer->forward(batch.inputs).at(answered), context.execution.seed);
    visit(magnitudes(data::first_rows(trainer->gradients(batch).at(kProbe), rows, size)));
  });
}

}  // namespace pare::compress
