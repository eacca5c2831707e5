// A model and the plans made of it; what follows a plan where shapes depend on data; running both.
#pragma once

#include <functional>
#include <list>
#include <mutex>

#include "runtime/compile.h"
#include "runtime/plan_run.h"
#include "runtime/reference.h"
#include "runtime/slicing.h"

namespace pare::runtime {

class Stage {
 public:
  /// `bound`: by input of the model, those whose elements the plan is made for. `held`: bytes that are taken while this
  /// runs. Options and cache must outlive the stage. `rule`: by which batches run in slices, where nothing is bound or
  /// held; none: they do not.
  Stage(PreparedModel prepared, std::vector<bool> bound, const exec::CompileOptions& options, WeightCache& cache,
        std::size_t held = 0, std::optional<SliceRule> rule = std::nullopt)
      : prepared_(std::move(prepared)), bound_(std::move(bound)), options_(options), cache_(cache), held_(held), rule_(rule) {}

  const ir::Graph& graph() const { return prepared_.model.graph; }

  /// The plan for these inputs, in order of the graph's; the last ones used are kept. Throws as make_plan.
  std::shared_ptr<const Planned> plan_for(const std::vector<Tensor>& inputs);
  /// The same from shapes alone, where nothing is bound.
  std::shared_ptr<const Planned> plan_for_shapes(const std::vector<Dims>& shapes) { return find({shapes, {}}, {}); }
  /// The plan used last; nullptr: none yet.
  std::shared_ptr<const Planned> latest() const;
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
  std::shared_ptr<const Planned> find(const Key& key, const std::map<std::size_t, Tensor>& constants);

  PreparedModel prepared_;
  std::vector<bool> bound_;
  const exec::CompileOptions& options_;
  WeightCache& cache_;
  std::size_t held_;
  std::optional<SliceRule> rule_;
  mutable std::mutex mutex_;  ///< held while a plan is made, so that no plan is made twice
  std::list<std::pair<Key, std::shared_ptr<const Planned>>> plans_;  ///< last used first
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

/// The steps of what was planned and of what follows it, as far as that has been planned; what has not is listed by its
/// nodes. Of slices: the steps of one, with the MACs of all full ones, then those of what is left over. A step of operator
/// "Batch", without nodes, says how several samples run.
std::vector<exec::PlanStep> steps_of(const Planned& planned);

}  // namespace pare::runtime
