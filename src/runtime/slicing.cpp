#include "runtime/slicing.h"

#include <algorithm>

#include "base/cpu.h"
#include "base/text.h"
#include "base/threads.h"
#include "pare/error.h"
#include "runtime/stage.h"

namespace pare::runtime {

namespace {

constexpr std::size_t kSmallestCache = std::size_t{1} << 20;

std::string size_text(std::size_t bytes) { return format_bytes(static_cast<std::int64_t>(bytes)); }
std::string samples_text(std::int64_t count) { return std::to_string(count) + (count == 1 ? " sample" : " samples"); }

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
std::int64_t divide_up(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

struct Choice {
  std::int64_t each = 0;
  int workers = 1;
  std::string why;
};

class Chooser {
 public:
  Chooser(const Plan& whole, std::int64_t samples, int threads, const SliceRule& rule)
      : whole_(whole), samples_(samples), threads_(threads), rule_(rule) {}

  /// each = samples and one worker: the whole batch at once.
  Choice choose() const {
    Choice choice;
    std::string threads;
    choice.workers = side_by_side(threads) ? threads_ : 1;
    const int cores = choice.workers > 1 ? 1 : threads_;
    const std::int64_t most = most_samples(cores), slices = round_up(divide_up(samples_, most), choice.workers);
    choice.each = rule_.each > 0 ? std::min(rule_.each, samples_) : divide_up(samples_, slices);
    choice.why = "activations take " + size_text(per_sample()) + " a sample and ";
    choice.why += light_weights() ? "weights only " + size_text(whole_.weight_bytes)
                                  : "are to stay within " +
                                        size_text(rule_.arena_bytes * static_cast<std::size_t>(cores));
    if (!threads.empty()) choice.why += "; " + threads;
    return choice;
  }

 private:
  std::size_t per_sample() const { return whole_.arena_bytes / static_cast<std::size_t>(samples_); }

  bool light_weights() const {
    return per_sample() > rule_.cache_bytes &&
           static_cast<double>(whole_.weight_bytes) <= rule_.light_weights * static_cast<double>(per_sample());
  }

  std::int64_t most_samples(int cores) const {
    const std::size_t one = std::max<std::size_t>(per_sample(), 1);
    if (light_weights()) return 1;
    return std::clamp<std::int64_t>(
        static_cast<std::int64_t>(rule_.arena_bytes * static_cast<std::size_t>(cores) / one), 1, samples_);
  }

  /// Whether each thread is to take slices of its own.
  bool side_by_side(std::string& why) const {
    if (threads_ == 1) return false;
    if (rule_.threads != SliceRule::Threads::kByRule) return rule_.threads == SliceRule::Threads::kShareSlices;
    const double busy = static_cast<double>(samples_) / static_cast<double>(threads_ * divide_up(samples_, threads_));
    if (busy < rule_.busy) {
      why = "threads share each step: " + samples_text(samples_) + " would leave some of " + std::to_string(threads_) +
            " idle";
      return false;
    }
    std::int64_t macs = 0;
    for (const Step& step : whole_.steps) macs += step.info.macs;
    const auto weights = static_cast<double>(std::max<std::size_t>(whole_.weight_bytes, 1));
    const std::int64_t each = std::min(most_samples(1), divide_up(samples_, threads_));
    const double intensity =
        static_cast<double>(macs) / static_cast<double>(samples_) * static_cast<double>(each) / weights;
    if (whole_.weight_bytes > rule_.cache_bytes && intensity < rule_.macs_per_byte) {
      why = "threads share each step: a slice would read " + size_text(whole_.weight_bytes) + " of weights for " +
            std::to_string(static_cast<std::int64_t>(intensity)) + " multiply-adds a byte";
      return false;
    }
    why = "each thread takes slices of its own, so that none waits for another within a layer";
    return true;
  }

  const Plan& whole_;
  std::int64_t samples_;
  int threads_;
  const SliceRule& rule_;
};

/// Makes the plans of the slices, or says why not.
class Slicer {
 public:
  Slicer(const PreparedModel& prepared, const ir::Model& whole, const std::vector<Dims>& shapes, const FreeBatch& batch,
         const exec::CompileOptions& options, WeightCache& cache)
      : prepared_(prepared), whole_(whole), shapes_(shapes), batch_(batch), options_(options), cache_(cache) {}

  std::shared_ptr<const Slices> make(const Choice& choice, std::string& reason) {
    try {
      return make_slices(choice, reason);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kMemory) throw;
      reason = error.what();
      return nullptr;
    }
  }

 private:
  std::shared_ptr<const Slices> make_slices(const Choice& choice, std::string& reason) {
    const auto made = std::make_shared<Slices>();
    Slices& slices = *made;
    slices.samples = batch_.samples;
    slices.each = choice.each;
    slices.workers = choice.workers;
    slices.options = options_;
    if (choice.workers > 1) slices.options.threads = 1;
    const ThreadScope scope(slices.options.threads);
    const auto axes = add_part(slices, choice.each, slices.part, reason);
    if (!axes) return nullptr;
    slices.axes = *axes;
    if (const std::int64_t left = batch_.samples % choice.each; left > 0) {
      const auto again = add_part(slices, left, slices.rest, reason);
      if (!again) return nullptr;
      if (again->inputs != axes->inputs || again->outputs != axes->outputs) {
        reason = "the batch lies elsewhere for another number of samples";
        return nullptr;
      }
    }
    slices.weight_bytes = std::max(slices.part->weight_bytes, slices.rest ? slices.rest->weight_bytes : 0);
    const auto at_once = static_cast<std::size_t>(std::min<std::int64_t>(slices.workers, slices.full()));
    slices.arena_bytes = at_once * slices.part->arena_bytes + (slices.rest ? slices.rest->arena_bytes : 0);
    refuse_memory(slices.weight_bytes, slices.arena_bytes, options_.max_memory);
    return made;
  }

  std::optional<BatchAxes> add_part(const Slices& slices, std::int64_t samples, std::shared_ptr<Plan>& part,
                                    std::string& reason) {
    std::vector<Dims> shapes = shapes_;
    for (std::size_t i = 0; i < shapes.size(); ++i)
      if (batch_.inputs[i]) shapes[i][0] = samples;
    try {
      ir::Model special = specialize(prepared_.model, shapes);
      auto axes = batch_axes(whole_, special, batch_, reason);
      if (axes) part = make_plan(std::move(special), prepared_.true_outputs, slices.options, cache_);
      if (part && part->next) {
        reason = "shapes depend on data";
        return std::nullopt;
      }
      return axes;
    } catch (const Error& error) {  // sizes that only hold for the whole batch
      if (error.code() == ErrorCode::kMemory || error.code() == ErrorCode::kInternal) throw;
      reason = std::string("with ") + samples_text(samples) + " the model contradicts itself: " + error.what();
      return std::nullopt;
    }
  }

  const PreparedModel& prepared_;
  const ir::Model& whole_;
  const std::vector<Dims>& shapes_;
  const FreeBatch& batch_;
  const exec::CompileOptions& options_;
  WeightCache& cache_;
};

}  // namespace

SliceRule machine_rule() {
  SliceRule rule;
  rule.cache_bytes = std::max(static_cast<std::size_t>(std::max<std::int64_t>(cpu_info().l2, 0)), kSmallestCache);
  rule.arena_bytes = 8 * rule.cache_bytes;
  rule.light_weights = 8;
  rule.macs_per_byte = 8;
  rule.busy = 0.9;
  return rule;
}

Planned plan_batch(const PreparedModel& prepared, const std::vector<Dims>& shapes, const exec::CompileOptions& options,
                   WeightCache& cache, const SliceRule& rule) {
  const bool plain = options.observed.empty() && !options.float_qdq;
  const auto batch = plain ? free_batch(prepared.model.graph, shapes) : std::nullopt;
  const bool several = batch && batch->samples > 1;
  ir::Model special = specialize(prepared.model, shapes);
  Planned planned;
  planned.plan = make_plan(several ? special : std::move(special), prepared.true_outputs, options, cache);
  if (!several || planned.plan->next) return planned;
  const Choice choice = Chooser(*planned.plan, batch->samples, options.threads, rule).choose();
  const std::string samples = samples_text(batch->samples);
  if (choice.each == batch->samples) {
    planned.batching = samples + " at once: " + choice.why;
    return planned;
  }
  std::string refusal;
  planned.slices = Slicer(prepared, special, shapes, *batch, options, cache).make(choice, refusal);
  if (!planned.slices) {
    planned.batching = samples + " at once, not in slices: " + refusal;
    return planned;
  }
  planned.batching = samples + " as slices of " + std::to_string(choice.each) + ": " + choice.why;
  planned.plan = nullptr;
  cache.drop_unused();
  return planned;
}

}  // namespace pare::runtime
