// Per-layer charts and table.
#include "report/chart.h"
#include "report/format.h"
#include "report/html.h"
#include "report/parts.h"

namespace pare::report {

namespace {

std::string fraction(Figure value) { return value ? fixed(*value * 100, 1) + " %" : kAbsent; }

std::vector<Bar> bars_of(const Json& run, const char* key) {
  std::vector<Bar> bars;
  for (const Json& layer : list(run, "layers"))
    bars.push_back({text(layer, {"node"}), number(layer, {"before", key}), number(layer, {"after", key})});
  return bars;
}

std::string dims_of(const Json& layer, const char* key) {
  std::string words;
  for (const Json& dim : list(layer, key)) words += (words.empty() ? "" : "×") + dim.dump();
  return words.empty() ? kAbsent : words;
}

/// "64×64×3×3 → 32×40×3×3" where channels went.
std::string weight_of(const Json& layer) {
  const std::string before = dims_of(layer, "dims"), after = dims_of(layer, "dims_after");
  return after == kAbsent || before == after ? before : before + " → " + after;
}

std::string arrow(const Json& layer, const char* key, std::string (*show)(Figure)) {
  const std::string before = show(number(layer, {"before", key})), after = show(number(layer, {"after", key}));
  return before == after ? after : before + " → " + after;
}

std::string kernels(const Json& layer) {
  const std::string before = text(layer, {"before", "kernel"}), after = text(layer, {"after", "kernel"});
  if (before.empty() && after.empty()) return kAbsent;
  const std::string first = before.empty() ? kAbsent : escape(before), second = after.empty() ? kAbsent : escape(after);
  return "<code>" + (first == second ? second : first + "<br/>→ " + second) + "</code>";
}

/// A layer that became smaller and no faster is said to be one.
std::string latency_of(const Json& layer) {
  const std::string times = arrow(layer, "latency_ms", milliseconds);
  const Json& paid = at(layer, {"paid"});
  return paid.is_boolean() && !paid.get<bool>() ? times + "<br/><span class=\"mark bad\">✗ no faster</span>" : times;
}

}  // namespace

std::string layer_charts(const Json& run) {
  std::string charts = bar_chart("Sparsity", bars_of(run, "sparsity"), fraction, 1.0) +
                       bar_chart("Bits per weight", bars_of(run, "bits"), plain) +
                       bar_chart("Bytes", bars_of(run, "bytes"), bytes) +
                       bar_chart("MACs", bars_of(run, "macs"), count) +
                       bar_chart("Measured latency", bars_of(run, "latency_ms"), milliseconds);
  return charts.empty() ? "" : "<div class=\"charts\">\n" + charts + "</div>\n";
}

std::string layer_table(const Json& run) {
  Table table({"Layer", "Operator", "Weight", "Pattern", "Sparsity", "Bits", "Bytes", "MACs", "Latency", "Kernels"},
              "Layers");
  for (const Json& layer : list(run, "layers")) {
    const std::string pattern = text(layer, {"after", "pattern"});
    table.row({escape(text(layer, {"node"})), escape(text(layer, {"op_type"})), escape(weight_of(layer)),
               pattern.empty() ? kAbsent : escape(pattern), arrow(layer, "sparsity", fraction),
               arrow(layer, "bits", plain), arrow(layer, "bytes", bytes), arrow(layer, "macs", count),
               latency_of(layer), kernels(layer)});
  }
  return table.empty() ? "" : table.html(list(run, "layers").size() > 25);
}

}  // namespace pare::report
