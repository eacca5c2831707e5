// The whole page.
#include "base/text.h"
#include "report/format.h"
#include "report/html.h"
#include "report/parts.h"
#include "report/report.h"

namespace pare::report {

namespace {

/// The file's name: exporters call every graph "torch_jit" or "main_graph".
std::string model_name(const Json& run) {
  std::string path = text(run, {"model", "path"});
  path.erase(0, path.find_last_of('/') + 1);
  if (!path.empty()) return path;
  const std::string name = text(run, {"model", "name"});
  return name.empty() ? "model" : name;
}

std::string run_line(const Json& run) {
  std::vector<std::string> parts;
  if (const std::string path = text(run, {"model", "path"}); !path.empty()) parts.push_back(path);
  if (const std::string data = text(run, {"data", "description"}); !data.empty()) parts.push_back(data);
  if (const std::string started = text(run, {"started"}); !started.empty()) parts.push_back(started);
  if (const auto seconds = number(run, {"seconds"})) parts.push_back("took " + format_duration(*seconds));
  return parts.empty() ? "" : paragraph(escape(join(parts, " · ")), "soft");
}

std::string command(const Json& run) {
  const std::string line = text(run, {"command"});
  return line.empty() ? "" : preformatted(line);
}

std::string recipe(const Json& run) {
  const std::string yaml = text(run, {"recipe"});
  return yaml.empty() ? "" : preformatted(yaml);
}

}  // namespace

std::string environment(const Json& run) {
  Table table({"", ""}, "Environment", false);
  const auto row = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) table.row({escape(name), escape(value)});
  };
  const Json& environment = at(run, {"environment"});
  if (environment.is_object())
    for (const auto& [key, unused] : environment.items()) row(key, text(environment, {key.c_str()}));
  row("seed", text(run, {"seed"}));
  row("model hash", text(run, {"model", "hash"}));
  row("data", text(run, {"data", "description"}));
  row("data fingerprint", text(run, {"data", "fingerprint"}));
  for (const char* split : {"train", "val", "test"}) row(std::string(split) + " samples", text(run, {"data", split}));
  row("output", text(run, {"outputs", "model"}));
  return table.empty() ? "" : table.html();
}

std::string render_html(std::string_view run_json) {
  const Json run = parse_record(run_json);
  const std::string name = escape(model_name(run));
  const bool failed = at(run, {"gate", "passed"}) == false;
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
         name + " — Pare report</title>\n<style>" + style() +
         "</style></head>\n<body><main>\n<header><p class=\"soft\">Pare report</p>\n<h1>" + name +
         "</h1>\n<p class=\"verdict" + (failed ? " bad" : "") + "\">" + escape(verdict(run)) + "</p>\n" +
         run_line(run) + "</header>\n" + alerts(run) + tiles(run) +
         section("summary", "Before and after", before_after(run)) + section("steps", "Steps", steps(run)) +
         section("details", "What the steps did", step_details(run)) +
         section("training", "Training", training_curves(run)) + section("charts", "Layers", layer_charts(run)) +
         section("layers", "Layer by layer", layer_table(run)) + section("recipe", "Recipe, as resolved", recipe(run)) +
         section("environment", "Environment", environment(run)) +
         section("reproduce", "To reproduce it", command(run)) + "</main></body></html>\n";
}

}  // namespace pare::report
