#include "compress/quantize/brecq.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/rng.h"
#include "base/text.h"
#include "base/threads.h"
#include "compress/finite.h"
#include "compress/layerwise/hessian.h"
#include "compress/prune/samples.h"
#include "compress/quantize/block_samples.h"
#include "compress/quantize/blocks.h"
#include "compress/quantize/fisher.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

constexpr std::int64_t kBatch = 32;
constexpr const char* kWeights = "brecq_error_weights";  ///< input of a block that weighs its error

/// The block's inputs as the rounded model makes them, and its output as the float model does.
BlockSamples observe(const ir::Model& model, const ir::Model& seen, const Block& block, std::int64_t samples,
                const StepContext& context) {
  const exec::CompileOptions options{.threads = resolve_threads(context.execution.threads),
                                     .max_memory = context.execution.max_memory};
  std::vector<std::string> made;
  for (const std::string& name : block.inputs)
    if (!seen.graph.is_input(seen.graph.find_value(name))) made.push_back(name);
  const auto wanted = context.backend.compile(up_to(model, {block.output}), options);
  const auto given = made.empty() ? nullptr : context.backend.compile(up_to(seen, made), options);
  BlockSamples found;
  visit_samples(model, samples, kBatch, context, "block", [&](const data::Batch& batch) {
    const NamedTensors inputs = given ? given->run(batch.inputs) : NamedTensors{};
    for (const auto& [name, tensor] : inputs) require_finite(seen.graph, name, tensor);
    for (const std::string& name : block.inputs) found.add(name, inputs.count(name) ? inputs.at(name) : batch.inputs.at(name));
    const Tensor output = wanted->run(batch.inputs).at(block.output);
    require_finite(model.graph, block.output, output);
    found.add(block.output, output);
    found.count(output.rank() > 0 ? output.dim(0) : 0);
  });
  return found;
}

/// What learns of a layer.
struct Learned {
  Layer layer;
  Tensor weight;
  passes::QuantParams params;
  Tensor integers;  ///< as rounded before
  SoftRounding soft;

  Learned(const Layer& from, const Tensor& weight, const passes::QdqPlan& plan)
      : layer(from),
        weight(weight),
        params(plan.weights.at(from.weight_name)),
        integers(plan.integers.at(from.weight_name)),
        soft(grid(), passes::integer_limits(params).first, passes::integer_limits(params).second) {}

  Tensor softly() const {
    Tensor out = weight.clone();
    auto values = out.mutable_data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += soft.error(i);
    return out;
  }
  Tensor firmly() const {
    std::vector<std::int32_t> levels;
    for (std::size_t i = 0; i < soft.size(); ++i) levels.push_back(soft.level(i));
    return passes::pack_integers(levels, weight.dims(), params.dtype);
  }

 private:
  std::vector<GridWeight> grid() const {
    const passes::ParamMap map(params, weight.dims());
    std::vector<GridWeight> weights;
    const auto values = weight.data<float>();
    for (std::size_t i = 0; i < values.size(); ++i)
      weights.push_back({values[i], params.scale[map(i)], params.zero_point[map(i)]});
    return weights;
  }
};

/// A block that learns.
class BlockLearner {
 public:
  BlockLearner(const Block& block, const BlockSamples& samples, exec::Trainer& trainer, std::vector<Learned> learned)
      : block_(block), samples_(samples), trainer_(trainer), learned_(std::move(learned)) {}

  /// Mean squared error over all samples with these integers.
  double error(bool as_learned) {
    for (const Learned& one : learned_)
      trainer_.set_parameter(one.layer.weight_name,
                             passes::dequantize_tensor(as_learned ? one.firmly() : one.integers, one.params));
    double sum = 0;
    for (std::int64_t first = 0; first < samples_.rows(); first += kBatch) {
      std::vector<std::int64_t> rows;
      for (std::int64_t i = first; i < std::min(first + kBatch, samples_.rows()); ++i) rows.push_back(i);
      sum += trainer_.evaluate(batch(rows)).loss * static_cast<double>(rows.size());
    }
    return sum / static_cast<double>(samples_.rows());
  }

  void learn(const SoftRoundingOptions& options, double unit_error, const StepContext& context) {
    std::size_t weights = 0;
    for (const Learned& one : learned_) weights += one.soft.size();
    const auto unit = unit_error > 0 ? static_cast<float>(static_cast<double>(weights) / unit_error) : 0.0F;
    std::vector<std::int64_t> order;
    for (int step = 1; step <= options.iterations; ++step) {
      context.control.check_cancelled();
      const NamedTensors slopes = next_slopes(order, step, context.execution.seed);
      for (Learned& one : learned_)
        one.soft.move(0, one.soft.size(), step, options, slopes.at(one.layer.weight_name).data<float>(), unit);
    }
  }

  const std::vector<Learned>& learned() const { return learned_; }

 private:
  data::Batch batch(std::span<const std::int64_t> rows) const {
    data::Batch made;
    for (const std::string& name : block_.inputs) made.inputs[name] = samples_.rows_of(name, rows);
    if (samples_.has(kWeights)) made.inputs[kWeights] = samples_.rows_of(kWeights, rows);
    made.targets = samples_.rows_of(block_.output, rows);
    made.indices.assign(rows.begin(), rows.end());
    return made;
  }

  /// Gradients by the weights as they are between levels, over the next 32 of `order`, drawn anew where it is used up.
  NamedTensors next_slopes(std::vector<std::int64_t>& order, int step, std::uint64_t seed) {
    const auto count = static_cast<std::size_t>(std::min(kBatch, samples_.rows()));
    if (order.size() < count) order = Rng(seed, kRngMethod, static_cast<std::uint64_t>(step)).permutation(samples_.rows());
    const std::vector<std::int64_t> rows(order.end() - static_cast<std::ptrdiff_t>(count), order.end());
    order.resize(order.size() - count);
    for (const Learned& one : learned_) trainer_.set_parameter(one.layer.weight_name, one.softly());
    return trainer_.gradients(batch(rows));
  }

  const Block& block_;
  const BlockSamples& samples_;
  exec::Trainer& trainer_;
  std::vector<Learned> learned_;
};

/// Adds what each element of the output's error counts, and multiplies the wanted output by its root. Why not, else "".
std::string weigh(const ir::Model& model, const Block& block, std::int64_t count, const StepContext& context,
                  BlockSamples& samples) {
  std::string why = why_no_fisher(model, block.output, context);
  if (!why.empty()) return why;
  visit_loss_gradients(model, block.output, samples.dims_of(block.output), count, kBatch, context,
                       [&](const Tensor& gradients) { samples.add(kWeights, gradients); });
  if (!samples.normalize(kWeights)) {
    samples.drop(kWeights);
    return "the loss does not change with it";
  }
  samples.multiply(block.output, kWeights);
  return "";
}

/// The block's output times an input of its shape: the squared error of products is the weighted one.
ir::Model weighted_block(ir::Model part, const Dims& shape) {
  ir::Graph& graph = part.graph;
  std::vector<ir::Dim> dims = ir::Shape::of(shape).dims();
  const ir::Shape& out = graph.value(graph.outputs[0]).shape;
  dims[0] = out.ranked() && out.rank() > 0 ? out[0] : ir::Dim();
  ir::Node node;
  node.op_type = "Mul";
  node.name = graph.unique_node_name("brecq_weighted");
  node.inputs = {graph.outputs[0], graph.add_input(kWeights, DType::kFloat32, ir::Shape(dims))};
  node.outputs = {graph.add_value("brecq_weighted")};
  graph.outputs = {node.outputs[0]};
  graph.add_node(std::move(node));
  ir::infer_shapes(part);
  return part;
}

std::string why_not(const exec::TrainerFactory& factory, const ir::Model& part) {
  std::vector<std::string> reasons;
  for (const exec::Refusal& refusal : factory.refusals(part)) reasons.push_back(refusal.node + ": " + refusal.reason);
  return join(reasons, "; ");
}

std::vector<Learned> learned_of(const ir::Model& model, const Block& block, const exec::Trainer& trainer,
                                const passes::QdqPlan& plan) {
  const std::vector<std::string> names = trainer.parameters();
  std::vector<Learned> learned;
  for (const Layer& layer : block.layers)
    if (std::ranges::find(names, layer.weight_name) != names.end() && plan.integers.count(layer.weight_name))
      learned.emplace_back(layer, *model.graph.constant(layer.weight.value), plan);
  return learned;
}

/// Learns one block and puts what is better into the plan.
BlockRounding round_block(const ir::Model& model, const ir::Model& seen, const Block& block, std::int64_t count,
                          const SoftRoundingOptions& options, bool fisher, const StepContext& context,
                          passes::QdqPlan& plan) {
  BlockRounding done{.output = block.output, .layers = {}, .why_not = {}};
  for (const Layer& layer : block.layers) done.layers.push_back(layer.name);
  ir::Model part = block_model(model, block);
  const exec::TrainerFactory& factory = context.trainer();
  done.why_not = why_not(factory, part);
  if (!done.why_not.empty()) return done;
  BlockSamples samples = observe(model, seen, block, count, context);
  done.why_not = samples.why_not();
  if (!done.why_not.empty()) return done;
  if (fisher) done.why_squared = weigh(model, block, count, context, samples);
  if (fisher && done.why_squared.empty()) {
    done.error = "fisher";
    part = weighted_block(std::move(part), samples.dims_of(block.output));
  }
  exec::TrainerOptions how;
  how.precision = "f32";
  how.threads = resolve_threads(context.execution.threads);
  how.seed = context.execution.seed;
  const std::unique_ptr<exec::Trainer> trainer = factory.create(part, nullptr, how);
  BlockLearner learner(block, samples, *trainer, learned_of(model, block, *trainer, plan));
  if (learner.learned().empty()) {
    done.why_not = "no weight of its own can be trained";
    return done;
  }
  done.before = learner.error(false);
  learner.learn(options, done.before, context);
  done.after = learner.error(true);
  if (done.after >= done.before) {
    done.after = done.before;
    done.why_not = "layer by layer was better";
    return done;
  }
  for (const Learned& one : learner.learned()) plan.integers[one.layer.weight_name] = one.firmly();
  return done;
}

}  // namespace

std::vector<BlockRounding> round_blocks(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                                        const SoftRoundingOptions& options, bool fisher, const StepContext& context,
                                        passes::QdqPlan& plan) {
  std::vector<BlockRounding> done;
  ir::Model seen = model;
  const std::vector<Block> blocks = find_blocks(model.graph, layers);
  for (const Block& block : blocks) {
    done.push_back(round_block(model, seen, block, samples, options, fisher, context, plan));
    for (const Layer& layer : block.layers)
      if (const auto found = plan.integers.find(layer.weight_name); found != plan.integers.end())
        seen.graph.set_constant(layer.weight.value,
                                passes::dequantize_tensor(found->second, plan.weights.at(layer.weight_name)));
    context.control.report({"blocks", static_cast<std::int64_t>(done.size()), static_cast<std::int64_t>(blocks.size()),
                            "blocks", {}, -1});
  }
  return done;
}

}  // namespace pare::compress
