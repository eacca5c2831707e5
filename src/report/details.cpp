// What a step says about each layer or group that it looked at: low-rank factors, removed filters.
#include "report/chart.h"
#include "report/format.h"
#include "report/html.h"
#include "report/parts.h"

namespace pare::report {

namespace {

std::string outcome(const Json& entry, const std::string& done) {
  const std::string reason = text(entry, {"reason"});
  return reason.empty() ? done : "<span class=\"wrap\">" + escape(reason) + "</span>";
}

std::string low_rank_table(const Json& step) {
  Table table({"Layer", "Operator", "Rank", "Full rank", "Energy", "Whole", "Factors", "Outcome"}, "Low-rank factors");
  for (const Json& layer : list(at(step, {"lowrank"}), "layers")) {
    const Figure energy = number(layer, {"energy"});
    table.row({escape(text(layer, {"node"})), escape(text(layer, {"op_type"})), plain(number(layer, {"rank"})),
               plain(number(layer, {"full_rank"})), energy ? percent(*energy * 100) : kAbsent,
               milliseconds(number(layer, {"whole_ms"})), milliseconds(number(layer, {"factors_ms"})),
               outcome(layer, "factorized")});
  }
  return table.empty() ? "" : table.html();
}

std::string filter_table(const Json& step) {
  Table table({"Group", "Layers", "Channels", "Kept", "Outcome"}, "Removed filters");
  for (const Json& group : list(at(step, {"filters"}), "groups"))
    table.row({escape(text(group, {"group"})), std::to_string(list(group, "layers").size()),
               count(number(group, {"channels"})), count(number(group, {"kept"})), outcome(group, "pruned")});
  return table.empty() ? "" : table.html();
}

/// Of what pruning ranked: all, and what stays, by importance.
std::string importance_chart(const Json& step) {
  const Json& histogram = at(step, {"importance"});
  const Figure high = number(step, {"importance", "high"});
  const Json &all = list(histogram, "all"), &kept = list(histogram, "kept");
  if (!high || all.empty() || all.size() != kept.size()) return "";
  std::vector<Bar> bars;
  const double width = *high / static_cast<double>(all.size());
  for (std::size_t bin = 0; bin < all.size(); ++bin)
    if (all[bin].is_number() && all[bin].get<double>() > 0)
      bars.push_back({fixed(width * static_cast<double>(bin), 4) + " … " + fixed(width * static_cast<double>(bin + 1), 4),
                      all[bin].get<double>(), kept[bin].is_number() ? kept[bin].get<double>() : 0});
  return "<div class=\"charts\">\n" + bar_chart("Importance: ranked → kept", bars, count) + "</div>\n";
}

}  // namespace

std::string step_details(const Json& run) {
  std::string out;
  for (const Json& step : list(run, "steps")) out += low_rank_table(step) + filter_table(step) + importance_chart(step) + quantization_details(step);
  return out;
}

}  // namespace pare::report
