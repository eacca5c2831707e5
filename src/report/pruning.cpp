// What a pruning step did: zeros of each weight, channels and blocks that went, and the importance that decided.
#include "report/chart.h"
#include "report/format.h"
#include "report/html.h"
#include "report/parts.h"

namespace pare::report {

namespace {

std::string share(Figure value) { return value ? percent(*value * 100) : kAbsent; }

/// Only where a threshold was learned: the table of layers has the sparsity of each.
std::string threshold_table(const Json& step) {
  Table table({"Weight", "Sparsity", "Threshold"}, "Learned thresholds");
  for (const Json& layer : list(at(step, {"pruned"}), "layers"))
    if (const Figure threshold = number(layer, {"threshold"}))
      table.row({escape(text(layer, {"weight"})), share(number(layer, {"sparsity"})), fixed(*threshold, 6)});
  return table.empty() ? "" : table.html();
}

std::string filter_table(const Json& step) {
  Table table({"Group", "Layers", "Channels", "Kept", "Outcome"}, "Removed filters");
  for (const Json& group : list(at(step, {"filters"}), "groups"))
    table.row({escape(text(group, {"group"})), std::to_string(list(group, "layers").size()),
               count(number(group, {"channels"})), count(number(group, {"kept"})), outcome_of(group, "pruned")});
  return table.empty() ? "" : table.html();
}

std::string block_table(const Json& step) {
  Table table({"Block", "Layers", "Score", "MACs left"}, "Removed blocks");
  for (const Json& block : list(at(step, {"blocks"}), "removed")) {
    const Figure score = number(block, {"score"});
    table.row({escape(text(block, {"block"})), std::to_string(list(block, "layers").size()),
               score ? fixed(*score, 4) : kAbsent, share(number(block, {"macs"}))});
  }
  return table.empty() ? "" : table.html();
}

/// Of what pruning ranked: all, and what stays, by importance.
std::string importance_chart(const Json& step) {
  const Json& histogram = at(step, {"importance"});
  const Figure high = number(step, {"importance", "high"});
  const Json &all = list(histogram, "all"), &kept = list(histogram, "kept");
  if (!high || all.empty() || all.size() != kept.size()) return "";
  const double low = number(step, {"importance", "low"}).value_or(0);
  const double width = (*high - low) / static_cast<double>(all.size());
  std::vector<Bar> bars;
  for (std::size_t bin = 0; bin < all.size(); ++bin) {
    if (!all[bin].is_number() || all[bin].get<double>() == 0) continue;
    const double begin = low + width * static_cast<double>(bin);
    bars.push_back({fixed(begin, 4) + " … " + fixed(begin + width, 4), all[bin].get<double>(),
                    kept[bin].is_number() ? kept[bin].get<double>() : 0});
  }
  return "<div class=\"charts\">\n" + bar_chart("Importance: ranked → kept", bars, count) + "</div>\n";
}

}  // namespace

std::string outcome_of(const Json& entry, const std::string& done) {
  const std::string reason = text(entry, {"reason"});
  return reason.empty() ? done : "<span class=\"wrap\">" + escape(reason) + "</span>";
}

std::string pruning_details(const Json& step) {
  return threshold_table(step) + filter_table(step) + block_table(step) + importance_chart(step);
}

}  // namespace pare::report
