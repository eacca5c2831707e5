#include "compress/quantize/accuracy.h"

#include <algorithm>
#include <map>
#include <optional>

#include "compress/quantize/val_metric.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

constexpr const char* kSubject = "quantize.max_drop";

/// Models with more and more layers in float, and what each loses.
class Reverts {
 public:
  Reverts(const ValMetric& metric, double before, std::vector<Injection> order, const AccuracyLimits& limits,
          const QuantizeAll& all)
      : metric_(metric), before_(before), order_(std::move(order)), limits_(limits), all_(all) {}

  std::set<std::string> floats(std::size_t count) const {
    std::set<std::string> names = limits_.floats;
    for (std::size_t i = 0; i < count; ++i) names.insert(order_[i].node);
    return names;
  }

  void know(std::size_t count, double drop) { drops_[count] = drop; }
  void try_with(std::size_t count) {
    if (drops_.count(count)) return;
    const std::string stage = "max_drop: " + std::to_string(count) + " layers back to float";
    drops_[count] = before_ - metric_.of(all_(floats(count)), kSubject, stage);
  }

  bool met(std::size_t count) const { return drops_.at(count) <= limits_.max_drop; }

  /// As few as keep the limit, else those that lose least.
  std::size_t search() {
    const std::size_t most = order_.empty() ? 0 : order_.size() - 1;
    std::size_t below = 0, count = 0;
    for (;;) {
      try_with(count);
      if (met(count) || count == most) break;
      below = count;
      count = std::min(most, std::max<std::size_t>(1, 2 * count));
    }
    if (!met(count)) return best();
    while (count > below + 1) {
      const std::size_t middle = (below + count) / 2;
      try_with(middle);
      (met(middle) ? count : below) = middle;
    }
    return count;
  }

  json tries() const {
    json list = json::array();
    for (const auto& [count, drop] : drops_) list.push_back({{"layers", count}, {"drop", drop}});
    return list;
  }

  json reverted(std::size_t count) const {
    json list = json::array();
    for (std::size_t i = 0; i < count; ++i)
      list.push_back({{"node", order_[i].node}, {"snr_db", decibels(order_[i].noise)}, {"mac_share", order_[i].share}});
    return list;
  }

  double drop(std::size_t count) const { return drops_.at(count); }

 private:
  std::size_t best() const {
    return std::min_element(drops_.begin(), drops_.end(), [](const auto& a, const auto& b) {
             return a.second < b.second;
           })->first;
  }

  const ValMetric& metric_;
  double before_;
  std::vector<Injection> order_;  ///< worst first
  const AccuracyLimits& limits_;
  const QuantizeAll& all_;
  std::map<std::size_t, double> drops_;
};

std::vector<Injection> worst_first(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe,
                                   const AccuracyLimits& limits, const QuantizeOne& one, const StepContext& context) {
  std::vector<Layer> open = layers;
  std::erase_if(open, [&](const Layer& layer) { return limits.floats.count(layer.name) > 0; });
  std::vector<Injection> order = inject_layers(model, open, probe, one, context);
  std::stable_sort(order.begin(), order.end(), [](const Injection& a, const Injection& b) { return a.noise > b.noise; });
  return order;
}

}  // namespace

std::set<std::string> keep_accuracy(const ir::Model& before, const ir::Model& floats, const std::vector<Layer>& layers,
                                    const Probe& probe, const AccuracyLimits& limits, const QuantizeAll& all,
                                    const QuantizeOne& one, StepContext& context) {
  const ValMetric metric(context);
  const double start = metric.of(before, kSubject, "max_drop: before");
  Reverts whole(metric, start, {}, limits, all);
  whole.try_with(0);
  std::size_t count = 0;
  std::optional<Reverts> reverts;
  if (!whole.met(0)) {
    if (!probe.usable())
      throw Error(ErrorCode::kUnsupported, kSubject, probe.why_not() + ": it cannot be told which layers hurt most");
    reverts.emplace(metric, start, worst_first(floats, layers, probe, limits, one, context), limits, all);
    reverts->know(0, whole.drop(0));
    count = reverts->search();
  }
  const Reverts& done = reverts ? *reverts : whole;
  context.record["accuracy"] = {{"metric", metric.name()},      {"samples", metric.samples()},
                                {"before", start},              {"max_drop", limits.max_drop},
                                {"drop", done.drop(count)},     {"drop_of_all", whole.drop(0)},
                                {"met", done.met(count)},       {"reverted", done.reverted(count)},
                                {"tried", done.tries()}};
  return done.floats(count);
}

}  // namespace pare::compress
