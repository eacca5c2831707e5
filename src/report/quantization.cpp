// What quantization found out about accuracy: layers that went back to float for the metric's sake, and how calibration
// spreads.
#include "report/format.h"
#include "report/html.h"
#include "report/parts.h"

namespace pare::report {

namespace {

std::string figure(Figure value, int digits) { return value ? fixed(*value, digits) : kAbsent; }

std::string reverted_table(const Json& step) {
  Table table({"Layer", "SNR alone", "Share of MACs"}, "Back to float, to keep max_drop");
  for (const Json& layer : list(at(step, {"accuracy"}), "reverted")) {
    const Figure share = number(layer, {"mac_share"});
    table.row({escape(text(layer, {"node"})), figure(number(layer, {"snr_db"}), 1) + " dB",
               share ? percent(*share * 100) : kAbsent});
  }
  if (table.empty()) return "";
  const auto accuracy = [&](const char* key) { return figure(number(step, {"accuracy", key}), 2); };
  return paragraph("All layers on integers lose " + accuracy("drop_of_all") + " points of " +
                   escape(text(step, {"accuracy", "metric"})) + " on val, these left out " + accuracy("drop") + "; " +
                   accuracy("max_drop") + " are allowed.") +
         table.html();
}

std::string ends(const Json& value, const char* key) {
  const Json& both = list(value, key);
  if (both.size() != 2 || !both[0].is_number() || !both[1].is_number()) return kAbsent;
  return fixed(both[0].get<double>(), 4) + " … " + fixed(both[1].get<double>(), 4);
}

std::string spread_row(const Json& check, const char* key, const std::string& name) {
  const auto of = [&](const char* what) { return figure(number(check, {key, what}), 2); };
  return number(check, {key, "mean"}) ? name + " " + of("least") + " … " + of("most") + ", deviation " + of("deviation") : "";
}

std::string calibration_table(const Json& step) {
  const Json& check = at(step, {"calibration_check"});
  Table table({"Value", "Lower end", "Upper end", "Spread"}, "Calibration on parts of the samples");
  for (const Json& value : list(check, "values")) {
    const Figure spread = number(value, {"spread"});
    table.row({escape(text(value, {"value"})), ends(value, "low"), ends(value, "high"),
               spread ? percent(*spread * 100) : kAbsent});
  }
  if (table.empty()) return "";
  std::string told = "Calibrated on " + plain(number(check, {"subsets"})) + " parts of " + plain(number(check, {"samples"})) +
                     " samples.";
  for (const std::string& row : {spread_row(check, "snr_db", "SNR in dB"), spread_row(check, "metric", "Metric on val")})
    if (!row.empty()) told += " " + row + ".";
  return paragraph(told) + table.html(true);
}

}  // namespace

std::string quantization_details(const Json& step) { return reverted_table(step) + calibration_table(step); }

}  // namespace pare::report
