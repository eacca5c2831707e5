// prune/blocks: takes whole residual blocks out, or layers where there are none, those that change least.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/rng.h"
#include "base/threads.h"
#include "compress/finite.h"
#include "compress/prune/cost_share.h"
#include "compress/prune/reestimate.h"
#include "compress/prune/samples.h"
#include "compress/statistics.h"
#include "compress/targets.h"
#include "ir/blocks.h"
#include "ir/judged.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using ir::Block;
using nlohmann::json;

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = [] {
    std::vector<Option> list = {
        {"importance",
         kString,
         "\"output\"",
         "what a block is worth: how far the model's output moves without it and those that went before (output), how far "
         "it turns what passes it (influence), or chance (random)",
         {"output", "influence", "random"}},
        {"kind",
         kString,
         "\"auto\"",
         "what a block is: what a sum adds to a value that goes around it (residual), a layer with its activation whose "
         "output is as large as its input (plain); auto: residual where there are any, else plain",
         {"auto", "residual", "plain"}},
        {"count", kInt, "null", "blocks to remove; 1 when no budget is given", {}, 1, 100000},
        {"samples", kInt, "128", "training samples that blocks are judged on; 0: all", {}, 0, 1e9},
    };
    for (Option option : budget_options()) list.push_back(option);
    for (Option option : reestimate_options()) list.push_back(option);
    for (Option option : target_options()) list.push_back(option);
    return list;
  }();
  return table;
}

std::vector<Block> blocks_of(const ir::Model& model, const std::string& kind) {
  std::vector<Block> blocks;
  if (kind != "plain") blocks = ir::residual_blocks(model);
  if (kind == "plain" || (kind == "auto" && blocks.empty())) blocks = ir::plain_layers(model);
  return blocks;
}

/// Blocks that include and exclude leave; either may name a sum or a layer of the block.
std::vector<Block> target_blocks(const ir::Model& model, const json& options) {
  std::vector<Block> blocks = blocks_of(model, options.at("kind")), out;
  std::vector<ir::NodeId> others;  // that no list of layers names
  for (const Block& block : blocks) {
    others.push_back(block.last);
    others.insert(others.end(), block.layers.begin(), block.layers.end());
  }
  const std::vector<Layer> layers = find_layers(model.graph);
  const auto named = [&](const char* key) {
    return select_nodes(model.graph, layers, others, options.at(key).get<std::vector<std::string>>(),
                        std::string("prune.") + key);
  };
  const std::set<ir::NodeId> in = named("include"), out_of = named("exclude");
  const auto holds = [](const std::set<ir::NodeId>& nodes, const Block& block) {
    return nodes.count(block.last) > 0 ||
           std::any_of(block.layers.begin(), block.layers.end(), [&](ir::NodeId id) { return nodes.count(id) > 0; });
  };
  for (Block& block : blocks)
    if ((in.empty() || holds(in, block)) && !holds(out_of, block)) out.push_back(std::move(block));
  if (out.empty())
    throw Error(ErrorCode::kUnsupported, "prune",
                blocks.empty() ? "the model has no block that can be removed" : "include and exclude leave no block",
                "a sum of a value and what layers compute from it, or a layer whose output is as large as its input");
  return out;
}

void validate(const ir::Model& model, const StepContext& context) {
  const json& options = context.options;
  budget_of(options, std::vector<std::string>{"count"});
  const std::vector<Block> blocks = target_blocks(model, options);
  if (!options.at("count").is_null() && options.at("count").get<std::size_t>() > blocks.size())
    throw Error(ErrorCode::kUsage, "prune.count", "there are not so many blocks",
                "1 to " + std::to_string(blocks.size()), options.at("count").dump());
  if (options.at("importance") != "random" && (!context.dataset.train || context.dataset.train->size() == 0))
    throw Error(ErrorCode::kUsage, "prune.importance",
                "'" + options.at("importance").get<std::string>() + "' needs a train split in the data file");
  require_reestimation_data(context);
}

/// 1 − the mean over samples and positions of the cosine between what goes around the block and the sum (Men et al.,
/// ShortGPT, 2024, equation 1); channels are the second axis of images, the last of anything else.
std::vector<double> influences(const ir::Model& model, const std::vector<Block>& blocks, const StepContext& context) {
  exec::CompileOptions compile{.threads = resolve_threads(context.execution.threads),
                               .max_memory = context.execution.max_memory};
  std::set<std::string> wanted;
  const auto name = [&](ir::ValueId id) { return model.graph.value(id).name; };
  for (const Block& block : blocks)
    for (ir::ValueId id : {block.around, model.graph.node(block.last).output(0)})
      if (!model.graph.is_input(id)) wanted.insert(name(id));
  compile.observed.assign(wanted.begin(), wanted.end());
  const auto executor = context.backend.compile(model, compile);
  std::vector<double> sums(blocks.size(), 0.0), counts(blocks.size(), 0.0);
  visit_samples(model, context.options.at("samples"), 16, context, "influence", [&](const data::Batch& batch) {
    NamedTensors seen;
    for (const auto& [key, tensor] : batch.inputs) seen[key] = tensor;
    executor->observe(batch.inputs, [&](const std::string& key, const Tensor& tensor) {
      require_finite(model.graph, key, tensor);
      seen[key] = tensor.clone();
    });
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const Tensor &x = seen.at(name(blocks[b].around)), &y = seen.at(name(model.graph.node(blocks[b].last).output(0)));
      const std::int64_t channels = x.dim(x.rank() == 4 ? 1 : x.rank() - 1);
      const std::int64_t inner = x.rank() == 4 ? x.dim(2) * x.dim(3) : 1, outer = x.numel() / channels / inner;
      const auto u = x.data<float>(), v = y.data<float>();
      for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t p = 0; p < inner; ++p) {
          double uv = 0, uu = 0, vv = 0;
          for (std::int64_t c = 0; c < channels; ++c) {
            const auto at = static_cast<std::size_t>((o * channels + c) * inner + p);
            uv += static_cast<double>(u[at]) * static_cast<double>(v[at]);
            uu += static_cast<double>(u[at]) * static_cast<double>(u[at]);
            vv += static_cast<double>(v[at]) * static_cast<double>(v[at]);
          }
          if (uu == 0 || vv == 0) continue;
          sums[b] += uv / std::sqrt(uu * vv);
          ++counts[b];
        }
    }
  });
  for (std::size_t b = 0; b < blocks.size(); ++b) sums[b] = 1 - sums[b] / std::max(1.0, counts[b]);
  return sums;
}

/// Σ (y − y₀)² of the judged output over Σ y₀².
class OutputError {
 public:
  OutputError(const ir::Model& original, const StepContext& context)
      : context_(context),
        output_(original.graph.value(ir::judged_output(original.graph, context.dataset.output)).name) {
    run(original, [&](const Tensor& y) { wanted_.push_back(y.clone()); });
  }
  double operator()(const ir::Model& model) {
    double error = 0, energy = 0;
    std::size_t batch = 0;
    run(model, [&](const Tensor& y) {
      const auto got = y.data<float>(), want = wanted_[batch++].data<float>();
      for (std::size_t i = 0; i < got.size(); ++i) {
        error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
        energy += std::pow(static_cast<double>(want[i]), 2);
      }
    });
    return error / std::max(energy, 1e-30);
  }

 private:
  template <typename See>
  void run(const ir::Model& model, See see) {
    const auto executor = context_.backend.compile(
        model, {.threads = resolve_threads(context_.execution.threads), .max_memory = context_.execution.max_memory});
    visit_samples(model, context_.options.at("samples"), 16, context_, "blocks",
                  [&](const data::Batch& batch) { see(executor->run(batch.inputs).at(output_)); });
  }

  const StepContext& context_;
  std::string output_;
  std::vector<Tensor> wanted_;
};

ir::Model without(const ir::Model& model, std::vector<Block> blocks) {
  ir::Model out = model;
  ir::remove_blocks(out, blocks);
  return out;
}

/// Chooses blocks one after the other.
class Choice {
 public:
  Choice(const ir::Model& model, const std::vector<Block>& blocks, const StepContext& context)
      : model_(model), blocks_(blocks), context_(context), kind_(context.options.at("importance")) {
    if (kind_ == "influence") scores_ = influences(model, blocks, context);
    if (kind_ == "random") {
      Rng rng(context.execution.seed, kRngMethod);
      for (std::size_t b = 0; b < blocks.size(); ++b) scores_.push_back(rng.uniform());
    }
    if (kind_ == "output") error_ = std::make_unique<OutputError>(model, context);
  }

  /// The next to go of those that are not in `gone`, and its score.
  std::pair<std::size_t, double> next(const std::vector<std::size_t>& gone) {
    std::pair<std::size_t, double> best = {blocks_.size(), 0};
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      if (is_gone(gone, b)) continue;
      const double score = error_ ? score_without(gone, b) : scores_[b];
      if (best.first == blocks_.size() || score < best.second) best = {b, score};
    }
    return best;
  }

 private:
  /// It, or one that holds it.
  bool is_gone(const std::vector<std::size_t>& gone, std::size_t block) const {
    return std::any_of(gone.begin(), gone.end(), [&](std::size_t g) {
      const auto& nodes = blocks_[g].nodes;
      return g == block || std::find(nodes.begin(), nodes.end(), blocks_[block].last) != nodes.end();
    });
  }

  double score_without(const std::vector<std::size_t>& gone, std::size_t further) {
    context_.control.check_cancelled();
    std::vector<Block> list;
    for (std::size_t b : gone) list.push_back(blocks_[b]);
    list.push_back(blocks_[further]);
    return (*error_)(without(model_, list));
  }

  const ir::Model& model_;
  const std::vector<Block>& blocks_;
  const StepContext& context_;
  std::string kind_;
  std::vector<double> scores_;
  std::unique_ptr<OutputError> error_;
};

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const json& options = context.options;
  const std::vector<Block> blocks = target_blocks(model, options);
  const std::optional<std::string> budget = budget_of(options);
  const std::size_t wanted = budget                          ? blocks.size()
                             : options.at("count").is_null() ? 1
                                                             : options.at("count").get<std::size_t>();
  CostShare macs(model, "macs", context);
  std::optional<CostShare> latency;
  if (budget == "latency") latency.emplace(model, "latency", context);
  Choice choice(model, blocks, context);
  std::vector<std::size_t> gone;
  std::vector<Block> removed;
  json entries = json::array();
  double share = 1;
  while (gone.size() < wanted && (!budget || share > options.at(*budget).get<double>())) {
    const auto [block, score] = choice.next(gone);
    if (block == blocks.size()) break;  // what is left went with those around it
    gone.push_back(block);
    removed.push_back(blocks[block]);
    const ir::Model smaller = without(model, removed);
    const double macs_left = macs(smaller);
    share = latency ? (*latency)(smaller) : macs_left;
    json layers = json::array();
    for (ir::NodeId id : blocks[block].layers) layers.push_back(model.graph.node(id).name);
    entries.push_back({{"block", blocks[block].name}, {"layers", layers}, {"score", score}, {"macs", macs_left}});
    if (latency) entries.back()["latency"] = share;
  }
  const ir::Model original = model;
  ir::remove_blocks(model, removed);
  if (!options.at("reestimate").is_null()) {
    std::vector<std::string> weights;
    for (const Layer& layer : find_layers(model.graph)) weights.push_back(layer.weight_name);
    reestimate(original, model, weights, context);
  }
  context.record["blocks"] = {{"candidates", blocks.size()}, {"removed", entries}};
  if (budget) context.record["budget"] = (latency ? *latency : macs).record(share);
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Block& block : target_blocks(model, options)) names.push_back(block.name);
  return names;
}

}  // namespace

const Method& block_pruning() {
  static const Method method = {"prune",
                                "blocks",
                                "takes out the residual blocks, or layers, that change least",
                                "Men et al., ShortGPT: Layers in Large Language Models are More Redundant Than You "
                                "Expect, 2024 (influence); Veit, Wilber & Belongie, Residual Networks Behave Like "
                                "Ensembles of Relatively Shallow Networks, 2016",
                                options,
                                [](const json&) { return false; },
                                [](const ir::Model&, const json&) { return std::vector<StatisticsRequest>(); },
                                validate,
                                apply,
                                true,
                                false,
                                target_names};
  return method;
}

}  // namespace pare::compress
