// pare prune | quantize | finetune …: one step from flags. Every step that methods() lists becomes a subcommand, and
// every option that its methods declare a flag.
#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>

#include "job.h"
#include "pare/error.h"
#include "table.h"

namespace pare::cli {
namespace {

using nlohmann::json;

/// A flag as given on the command line, and where its value goes.
struct Flag {
  std::vector<std::string> path;  ///< {"distill", "alpha"}
  OptionInfo::Type type;
  std::vector<std::string> texts;
  bool on = false;
  CLI::Option* option = nullptr;
};

struct Options {
  Globals globals;
  std::string step, model, data, method;
  std::optional<double> max_drop;
  Outputs outputs;
  std::vector<std::unique_ptr<Flag>> flags;  // CLI11 keeps pointers into them
};

std::string flag_name(const std::vector<std::string>& path) {
  std::string name = "--" + joined(path, "-");
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string describe(const OptionInfo& option) {
  std::string text = option.help;
  if (!option.choices.empty()) text += " {" + joined(option.choices, ", ") + "}";
  const json fallback = json::parse(option.fallback, nullptr, false);
  if (!fallback.empty() && !fallback.is_object()) {  // null and [] say nothing
    text += " (default " + (fallback.is_string() ? fallback.get<std::string>() : fallback.dump()) + ")";
  }
  return text;
}

const char* type_name(OptionInfo::Type type) {
  switch (type) {
    case OptionInfo::Type::kInt:
      return "N";
    case OptionInfo::Type::kFloat:
      return "X";
    case OptionInfo::Type::kStrings:
      return "NAME,…";
    case OptionInfo::Type::kNumbers:
      return "X,…";
    default:
      return "TEXT";
  }
}

void add_flag(CLI::App& command, Options& options, const OptionInfo& option, std::vector<std::string> path) {
  path.push_back(option.name);
  const std::string name = flag_name(path);
  const bool group = option.type == OptionInfo::Type::kGroup;
  if (command.get_option_no_throw(name)) return;  // methods of one step share options
  auto flag = std::make_unique<Flag>(Flag{path, option.type, {}, false, nullptr});
  if (group || option.type == OptionInfo::Type::kBool) {
    const std::string both = name + ",!--no-" + name.substr(2);
    if (!group || option.fallback == "null") flag->option = command.add_flag(both, flag->on, describe(option));
  } else {
    flag->option = command.add_option(name, flag->texts, describe(option))->type_name(type_name(option.type));
    const bool list = option.type == OptionInfo::Type::kStrings || option.type == OptionInfo::Type::kNumbers;
    if (list) {
      flag->option->delimiter(',');
    } else {
      flag->option->expected(1);
    }
  }
  if (flag->option) options.flags.push_back(std::move(flag));
  for (const OptionInfo& child : option.children) add_flag(command, options, child, path);
}

json number(const std::string& text, const std::string& flag, bool integer) {
  const char* end = text.data() + text.size();
  if (integer) {
    std::int64_t value = 0;
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && rest == end) return value;
  } else {
    double value = 0;
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && rest == end) return value;
  }
  throw Error(ErrorCode::kUsage, flag, "not a number", integer ? "an integer" : "a number", text);
}

json value_of(const Flag& flag) {
  const std::string name = flag_name(flag.path);
  switch (flag.type) {
    case OptionInfo::Type::kBool:
      return flag.on;
    case OptionInfo::Type::kGroup:
      return flag.on ? json(true) : json();
    case OptionInfo::Type::kInt:
      return number(flag.texts.front(), name, true);
    case OptionInfo::Type::kFloat:
      return number(flag.texts.front(), name, false);
    case OptionInfo::Type::kString:
      return flag.texts.front();
    case OptionInfo::Type::kStrings:
      return flag.texts;
    case OptionInfo::Type::kNumbers:
      break;
  }
  json list = json::array();
  for (const std::string& text : flag.texts) list.push_back(number(text, name, false));
  return list;
}

/// Only the flags that were given: everything else keeps its declared default.
json given_options(const Options& options) {
  json object = json::object();
  if (!options.method.empty()) object["method"] = options.method;
  for (const auto& flag : options.flags) {
    if (flag->option->count() == 0) continue;
    json* slot = &object;
    for (const std::string& key : flag->path) {
      if (!slot->is_object()) *slot = json::object();  // --distill beside --distill-alpha
      slot = &(*slot)[key];
    }
    if (flag->type == OptionInfo::Type::kGroup && slot->is_object()) continue;
    *slot = value_of(*flag);
  }
  return object;
}

int run(const Options& options, const std::string& command) {
  const Recipe recipe = Recipe::single_step(options.step, given_options(options).dump(), options.max_drop);
  const Model model = load_model(options.model, options.globals);
  const Dataset data = options.data.empty() ? Dataset() : Dataset::open(options.data, model);
  return run_job(model, data, recipe, options.outputs, options.globals, command);
}

/// What a step with several methods is for; a step with one is for what its method does.
std::string summary_of(const std::string& step, const std::vector<MethodInfo>& rows) {
  static const std::map<std::string, std::string> kSummaries = {
      {"prune", "zeros weights, anywhere or in a pattern, or removes channels, heads, layers and blocks"},
      {"quantize", "weights, and activations, of few bits: after training or while training"}};
  const auto found = kSummaries.find(step);
  return found == kSummaries.end() ? rows.front().summary : found->second;
}

/// "Methods:", a line each.
std::string list_of(const std::vector<MethodInfo>& rows) {
  std::size_t width = 0;
  for (const MethodInfo& row : rows) width = std::max(width, row.name.size());
  std::string text = "Methods:";
  for (const MethodInfo& row : rows)
    text += "\n  " + row.name + std::string(width + 2 - row.name.size(), ' ') + row.summary;
  return text + "\nOptions that a method does not have are refused.";
}

void add_step(CLI::App& app, Invocation& invocation, const std::string& step, const std::vector<MethodInfo>& rows) {
  auto options = std::make_shared<Options>();
  options->step = step;
  std::vector<std::string> names;
  for (const MethodInfo& row : rows)
    if (!row.name.empty()) names.push_back(row.name);
  CLI::App* command = app.add_subcommand(step, summary_of(step, rows));
  add_model(*command, options->model);
  command->add_option("--data", options->data, "data description (docs/data.md)")->type_name("D.yaml");
  command->add_option("-o,--output", options->outputs.file, "the model written")->required()->type_name("OUT.onnx");
  command->add_option("--report", options->outputs.report, "folder that gets run.json, report.html, recipe.yaml")
      ->type_name("DIR");
  command
      ->add_option(
          "--max-drop", options->max_drop,
          "gate: exit 8 when the metric on val falls by more points; static quantization puts layers back to float to "
          "keep it")
      ->type_name("X");
  add_globals(*command, options->globals);
  if (!names.empty()) {
    command
        ->add_option("--method", options->method, "what does it, of the methods listed (default " + names.front() + ")")
        ->check(CLI::IsMember(names))
        ->type_name("NAME");
    command->footer(list_of(rows));
  }
  for (const MethodInfo& row : rows) {
    for (const OptionInfo& option : row.options) add_flag(*command, *options, option, {});
  }
  command->callback([options, &invocation] {
    invocation.action = [options, line = invocation.command] { return run(*options, line); };
  });
}

}  // namespace

void add_shorthands(CLI::App& app, Invocation& invocation) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<MethodInfo>> steps;
  for (MethodInfo& method : methods()) {
    if (!steps.contains(method.step)) order.push_back(method.step);
    steps[method.step].push_back(std::move(method));
  }
  for (const std::string& step : order) add_step(app, invocation, step, steps[step]);
}

}  // namespace pare::cli
