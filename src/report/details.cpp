// What a step says about each layer or group that it looked at.
#include "report/format.h"
#include "report/html.h"
#include "report/parts.h"

namespace pare::report {

namespace {

std::string low_rank_table(const Json& step) {
  Table table({"Layer", "Operator", "Rank", "Full rank", "Energy", "Whole", "Factors", "Outcome"}, "Low-rank factors");
  for (const Json& layer : list(at(step, {"lowrank"}), "layers")) {
    const Figure energy = number(layer, {"energy"});
    table.row({escape(text(layer, {"node"})), escape(text(layer, {"op_type"})), plain(number(layer, {"rank"})),
               plain(number(layer, {"full_rank"})), energy ? percent(*energy * 100) : kAbsent,
               milliseconds(number(layer, {"whole_ms"})), milliseconds(number(layer, {"factors_ms"})),
               outcome_of(layer, "factorized")});
  }
  return table.empty() ? "" : table.html();
}

}  // namespace

std::string step_details(const Json& run) {
  std::string out;
  for (const Json& step : list(run, "steps"))
    out += low_rank_table(step) + pruning_details(step) + quantization_choice(step) + quantization_details(step);
  return out;
}

}  // namespace pare::report
