// Verdict, warnings and the before/after table.
#include <functional>

#include "report/format.h"
#include "report/html.h"
#include "report/parts.h"

namespace pare::report {

namespace {

struct Pair {
  Figure before, after;
  bool complete() const { return before && after && *before > 0 && *after > 0; }
};

Pair pair_of(const Json& run, std::initializer_list<const char*> keys) {
  return {number(at(run, {"before"}), keys), number(at(run, {"after"}), keys)};
}

Pair metric_pair(const Json& run, const std::string& split) {
  return {metric_of(run, at(run, {"before"}), split), metric_of(run, at(run, {"after"}), split)};
}

/// The size that compression is judged by: gzip bytes, or the file's when those were not measured.
Pair size_pair(const Json& run, std::string& name) {
  name = "as gzip";
  const Pair gzip = pair_of(run, {"gzip_bytes"});
  if (gzip.complete()) return gzip;
  name = "as a file";
  return pair_of(run, {"file_bytes"});
}

/// "1.90× faster" or "1.20× slower".
std::string gain(const Pair& pair, const char* better, const char* worse) {
  const std::string forward = ratio(pair.before, pair.after);
  if (forward == "1.00×") return std::string("not ") + better;
  return *pair.before >= *pair.after ? forward + " " + better : ratio(pair.after, pair.before) + " " + worse;
}

std::string gate_words(const Json& run) {
  const Json& passed = at(run, {"gate", "passed"});
  if (!passed.is_boolean()) return "";
  return passed.get<bool>() ? " (gate passed)" : " (gate failed)";
}

std::string with_interval(const Json& metrics, const std::string& metric) {
  const Figure value = number(metrics, {metric.c_str()});
  const Json& interval = at(metrics, {(metric + "_interval").c_str()});
  std::string cell = percent(value);
  if (interval.is_array() && interval.size() == 2 && interval[0].is_number() && interval[1].is_number())
    cell += " <span class=\"soft interval\">[" + fixed(interval[0].get<double>(), 2) + ", " +
            fixed(interval[1].get<double>(), 2) + "]</span>";
  return cell;
}

void metric_rows(const Json& run, const std::string& split, Table& table) {
  const Json &before = at(run, {"before", split.c_str()}), &after = at(run, {"after", split.c_str()});
  if (!before.is_object() && !after.is_object()) return;
  const std::string suffix = " <span class=\"soft\">(" + split + ")</span>";
  for (const char* metric : {"top1", "top5", "r2", "agreement"}) {
    const Pair pair{number(before, {metric}), number(after, {metric})};
    if (!pair.before && !pair.after) continue;
    const bool points = pair.before && pair.after;
    table.row({metric_title(metric) + suffix, with_interval(before, metric), with_interval(after, metric),
               points ? difference(pair.before, pair.after) + " points" : kAbsent});
  }
  const Pair loss{number(before, {"loss"}), number(after, {"loss"})};
  if (loss.before || loss.after)
    table.row({"Loss" + suffix, plain(loss.before), plain(loss.after),
               loss.before && loss.after ? signed_fixed(*loss.after - *loss.before, 4) : kAbsent});
  for (const auto& [metric, title] : {std::pair{"mse", "Mean squared error"}, {"mae", "Mean absolute error"}}) {
    const Pair error{number(before, {metric}), number(after, {metric})};
    if (error.before || error.after)
      table.row({title + suffix, plain(error.before), plain(error.after), ratio(error.before, error.after)});
  }
  if (const Figure snr = number(after, {"snr_db"}))
    table.row({"Output SNR" + suffix, kAbsent, fixed(*snr, 1) + " dB", kAbsent});
  table.row({"Samples" + suffix, plain(number(before, {"samples"})), plain(number(after, {"samples"})), ""});
}

void ratio_row(const Json& run, const std::string& title, std::initializer_list<const char*> keys,
               std::string (*show)(Figure), Table& table) {
  const Pair pair = pair_of(run, keys);
  table.row({title, show(pair.before), show(pair.after), ratio(pair.before, pair.after)});
}

std::string conditions(const Json& run) {
  const Json& latency =
      at(run, {"after", "latency"}).is_object() ? at(run, {"after", "latency"}) : at(run, {"before", "latency"});
  const Figure threads = number(latency, {"threads"}), batch = number(latency, {"batch"});
  std::string words;
  if (threads) words += plain(threads) + (*threads == 1 ? " thread" : " threads");
  if (batch) words += (words.empty() ? "" : ", ") + std::string("batch ") + plain(batch);
  return words.empty() ? "" : " <span class=\"soft\">(" + words + ")</span>";
}

}  // namespace

std::string verdict(const Json& run) {
  std::string size_name, words;
  const auto add = [&](const std::string& part) { words += (words.empty() ? "" : ", ") + part; };
  const Pair size = size_pair(run, size_name), latency = pair_of(run, {"latency", "median_ms"});
  const Pair metric = metric_pair(run, headline_split(run));
  if (size.complete()) add(gain(size, "smaller", "larger") + " " + size_name);
  if (latency.complete()) add(gain(latency, "faster", "slower"));
  if (metric.before && metric.after)
    add(difference(metric.before, metric.after) + " points");
  else if (metric.after)
    add(percent(metric.after) + " " + metric_title(text(run, {"metric"})));
  if (words.empty()) words = "Nothing to compare was measured";
  return words + gate_words(run);
}

std::string alerts(const Json& run) {
  std::string out;
  const auto alert = [&](const std::string& html) { out += "<p class=\"alert\">" + html + "</p>\n"; };
  if (at(run, {"gate", "passed"}) == false)
    alert("<strong>The quality gate failed.</strong> The metric fell by " + plain(number(run, {"gate", "drop"})) +
          " points on " + escape(text(run, {"gate", "split"})) + "; " + plain(number(run, {"gate", "max_drop"})) +
          " were allowed.");
  std::string size_name;
  const Pair size = size_pair(run, size_name), latency = pair_of(run, {"latency", "median_ms"});
  if (latency.complete() && *latency.after >= *latency.before)
    alert("<strong>The result is not faster</strong> on this machine: " + milliseconds(latency.before) + " before, " +
          milliseconds(latency.after) + " after.");
  if (size.complete() && *size.after >= *size.before)
    alert("<strong>The result is not smaller</strong> " + size_name + ": " + bytes(size.before) + " before, " +
          bytes(size.after) + " after.");
  for (const Json& step : list(run, "steps"))
    if (at(step, {"paid"}) == false) alert("<strong>Step " + escape(text(step, {"step"})) + " did not pay.</strong>");
  for (const Json& note : list(run, "notes"))
    out += paragraph(escape(note.is_string() ? note.get<std::string>() : note.dump()), "note");
  return out;
}

std::string tiles(const Json& run) {
  std::string out, size_name;
  const auto tile = [&](const std::string& figure, const std::string& words) {
    if (figure != kAbsent) out += "<div class=\"tile\"><b>" + figure + "</b>" + escape(words) + "</div>\n";
  };
  const Pair size = size_pair(run, size_name), latency = pair_of(run, {"latency", "median_ms"});
  const Pair metric = metric_pair(run, headline_split(run)), macs = pair_of(run, {"macs"});
  const Figure kept = number(run, {"after", "nonzero_parameters"}), all = number(run, {"after", "parameters"});
  tile(ratio(size.before, size.after), "size " + size_name);
  tile(ratio(latency.before, latency.after), "speed, median");
  tile(difference(metric.before, metric.after), "points of " + metric_title(text(run, {"metric"})));
  if (kept && all && *all > 0) tile(percent(100 - 100 * *kept / *all, 1), "of the parameters are zero");
  if (macs.complete() && *macs.before != *macs.after) tile(ratio(macs.before, macs.after), "fewer MACs");
  return out.empty() ? "" : "<div class=\"tiles\">\n" + out + "</div>\n";
}

std::string before_after(const Json& run) {
  Table table({"", "Before", "After", "Change"}, "Before and after");
  metric_rows(run, "test", table);
  metric_rows(run, "val", table);
  ratio_row(run, "File", {"file_bytes"}, bytes, table);
  ratio_row(run, "File as gzip", {"gzip_bytes"}, bytes, table);
  ratio_row(run, "Parameters", {"parameters"}, count, table);
  ratio_row(run, "Non-zero parameters", {"nonzero_parameters"}, count, table);
  ratio_row(run, "MACs", {"macs"}, count, table);
  ratio_row(run, "Latency, median" + conditions(run), {"latency", "median_ms"}, milliseconds, table);
  ratio_row(run, "Latency, 90th percentile", {"latency", "p90_ms"}, milliseconds, table);
  ratio_row(run, "Peak memory", {"peak_memory_bytes"}, bytes, table);
  return table.html() +
         paragraph("Brackets hold the 95 % interval. A change with × is before divided by after: above 1 is a gain.",
                   "soft");
}

}  // namespace pare::report
