// A model and the plans made of it; what follows a plan where shapes depend on data; running both.
#pragma once

#include <functional>
#include <list>
#include <mutex>

#include "runtime/compile.h"
#include "runtime/reference.h"

namespace pare::runtime {

class Stage {
 public:
  /// `bound`: by input of the model, those whose elements the plan is made for. `held`: bytes that are taken while this
  /// runs. Options and cache must outlive the stage.
  Stage(PreparedModel prepared, std::vector<bool> bound, const exec::CompileOptions& options, WeightCache& cache,
        std::size_t held = 0)
      : prepared_(std::move(prepared)), bound_(std::move(bound)), options_(options), cache_(cache), held_(held) {}

  const ir::Graph& graph() const { return prepared_.model.graph; }

  /// Called around every step and, with step −1, before the first; nodes evaluated between plans count on from the
  /// plan's steps.
  using AfterStep = std::function<void(const Plan&, int step, const Frame&)>;

  /// The plan for these inputs, in order of the graph's; the last ones used are kept. Throws as make_plan.
  std::shared_ptr<Plan> plan_for(const std::vector<Tensor>& inputs);
  /// The same from shapes alone, where nothing is bound.
  std::shared_ptr<Plan> plan_for_shapes(const std::vector<Dims>& shapes) { return find({shapes, {}}, {}); }
  /// The plan used last; nullptr: none yet.
  std::shared_ptr<Plan> latest() const;
  /// Runs the model, to its end. The inputs must outlive the call.
  NamedTensors run(const std::vector<Tensor>& inputs, const AfterStep& after);
  /// Plans made and runs asked for so far.
  std::pair<std::int64_t, std::int64_t> made_and_asked() const;

 private:
  struct Key {
    std::vector<Dims> shapes;
    std::vector<std::string> elements;  ///< bytes of the bound inputs
    bool operator==(const Key&) const = default;
  };
  std::shared_ptr<Plan> find(const Key& key, const std::map<std::size_t, Tensor>& constants);

  PreparedModel prepared_;
  std::vector<bool> bound_;
  const exec::CompileOptions& options_;
  WeightCache& cache_;
  std::size_t held_;
  mutable std::mutex mutex_;  ///< held while a plan is made, so that no plan is made twice
  std::list<std::pair<Key, std::shared_ptr<Plan>>> plans_;  ///< last used first
  std::int64_t made_ = 0, asked_ = 0;
};

/// What runs after a plan: nodes by the reference, then the rest of the model, planned for what they gave.
struct Continuation {
  struct Evaluated {
    ReferenceCall call;
    std::vector<BufferId> reads;  ///< kNoBuffer where an input is omitted
    exec::PlanStep info;
  };
  struct Source {
    BufferId buffer = kNoBuffer;  ///< of the plan; kNoBuffer: output `slot` of node `evaluated`
    std::size_t evaluated = 0, slot = 0;
  };
  std::vector<Evaluated> evaluated;
  std::vector<Source> sources;  ///< by input of the stage's model
  std::unique_ptr<Stage> stage;
};

/// Runs a plan and what follows it.
NamedTensors execute(Plan& plan, const std::vector<Tensor>& inputs, const exec::CompileOptions& options,
                     const Stage::AfterStep& after);

/// The steps of a plan and of what follows it, as far as that has been planned; what has not is listed by its nodes.
std::vector<exec::PlanStep> steps_of(const Plan& plan);

}  // namespace pare::runtime
