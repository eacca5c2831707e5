// What a step says about each layer or group that it looked at: low-rank factors, removed filters.
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

}  // namespace

std::string step_details(const Json& run) {
  std::string out;
  for (const Json& step : list(run, "steps")) out += low_rank_table(step) + filter_table(step);
  return out;
}

}  // namespace pare::report
