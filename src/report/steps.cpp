// Steps and training curves.
#include "base/text.h"
#include "report/chart.h"
#include "report/format.h"
#include "report/html.h"
#include "report/parts.h"

namespace pare::report {

namespace {

std::string with_change(const std::string& value, const std::string& change) {
  return change == kAbsent ? value : value + "<br/><span class=\"soft\">" + change + "</span>";
}

std::string paid_mark(const Json& step) {
  const Json& paid = at(step, {"paid"});
  if (!paid.is_boolean()) return kAbsent;
  return paid.get<bool>() ? "<span class=\"mark good\">✓ paid</span>" : "<span class=\"mark bad\">✗ did not pay</span>";
}

std::string notes_of(const Json& step) {
  std::string out;
  for (const Json& note : list(step, "notes"))
    out += "<span class=\"wrap\">" + escape(note.is_string() ? note.get<std::string>() : note.dump()) + "</span>";
  return out;
}

std::string title_of(const Json& step) {
  const std::string name = text(step, {"step"}), method = text(step, {"method"});
  return method.empty() || method == name ? name : name.empty() ? method : name + ": " + method;
}

Line curve_line(const Json& step, const char* name, const char* key) {
  Line line{name, {}};
  for (const Json& point : list(step, "curve")) {
    const Figure x = number(point, {"epoch"}) ? number(point, {"epoch"}) : number(point, {"step"});
    if (const Figure y = number(point, {key}); x && y) line.points.emplace_back(*x, *y);
  }
  return line;
}

/// One epoch makes no curve: its figures in words.
std::string single_epoch(const std::vector<std::pair<const char*, std::vector<Line>>>& charts) {
  std::string words;
  for (const auto& [title, lines] : charts)
    for (const Line& line : lines) {
      if (line.points.size() > 1) return "";
      for (const auto& [x, y] : line.points)
        words += (words.empty() ? "After the only epoch: " : ", ") + std::string(title) + " on " + line.name + " " + plain(y);
    }
  return words.empty() ? "" : paragraph(escape(words + "."));
}

}  // namespace

std::string steps(const Json& run) {
  Table table({"Step", "Metric", "Gzip", "Non-zero", "Latency", "Time", "", "Notes"}, "Steps");
  table.words_in(7);
  const std::string split = headline_split(run);
  const auto summary_metric = [&](const Json& summary) {
    const Figure wanted = metric_of(run, summary, split);
    return wanted ? wanted : metric_of(run, summary, "val");
  };
  const Json* previous = &at(run, {"before"});
  for (const Json& step : list(run, "steps")) {
    // Deltas compare with the state before the step, which is the last one that was measured.
    const Json& now = at(step, {"summary"});
    const auto cell = [&](std::initializer_list<const char*> keys, std::string (*show)(Figure)) {
      return with_change(show(number(now, keys)), ratio(number(*previous, keys), number(now, keys)));
    };
    table.row({escape(title_of(step)),
               with_change(percent(summary_metric(now)), difference(summary_metric(*previous), summary_metric(now))),
               cell({"gzip_bytes"}, bytes), cell({"nonzero_parameters"}, count),
               with_change(milliseconds(number(now, {"latency", "median_ms"})),
                           ratio(number(step, {"latency_before", "median_ms"}), number(now, {"latency", "median_ms"}))),
               number(step, {"seconds"}) ? format_duration(*number(step, {"seconds"})) : kAbsent, paid_mark(step),
               notes_of(step)});
    if (now.is_object()) previous = &step.at("summary");
  }
  return table.empty() ? "" : table.html();
}

std::string training_curves(const Json& run) {
  std::string out;
  for (const Json& step : list(run, "steps")) {
    const std::vector<std::pair<const char*, std::vector<Line>>> all = {
        {"Loss", {curve_line(step, "train", "train_loss"), curve_line(step, "val", "val_loss")}},
        {"Top-1, %", {curve_line(step, "train", "train_top1"), curve_line(step, "val", "val_top1")}}};
    if (const std::string words = single_epoch(all); !words.empty()) {
      out += "<h3>" + escape(title_of(step)) + "</h3>\n" + words;
      continue;
    }
    std::string charts;
    for (const auto& [title, lines] : all) charts += line_chart(title, "epoch", lines);
    if (!charts.empty())
      out += "<h3>" + escape(title_of(step)) + "</h3>\n<div class=\"charts\">\n" + charts + "</div>\n";
  }
  return out;
}

}  // namespace pare::report
