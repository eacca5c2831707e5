#include "compress/recipe.h"

#include <algorithm>

#include "base/text.h"
#include "compress/yaml_json.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<std::string> step_names() {
  std::vector<std::string> names;
  for (const Method* method : methods())
    if (std::find(names.begin(), names.end(), method->step) == names.end()) names.emplace_back(method->step);
  return names;
}

void require_keys(const json& map, const std::vector<std::string>& known, const std::string& subject) {
  for (const auto& [key, value] : map.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw Error(ErrorCode::kUsage, subject + key, "unknown key" + did_you_mean(key, known), join(known, ", "));
}

/// `options` may hold "method", which picks the row and is taken out.
Step make_step(const std::string& step, json options, const std::string& path) {
  if (options.is_null()) options = json::object();
  if (!options.is_object()) throw Error(ErrorCode::kUsage, path, "wrong type", "a map of options", options.dump());
  std::string name;
  if (options.contains("method") && !options["method"].is_null()) {
    if (!options["method"].is_string())
      throw Error(ErrorCode::kUsage, path + ".method", "wrong type", "a string", options["method"].dump());
    name = options["method"];
  }
  options.erase("method");
  const Method& method = find_method(step, name, path);
  return {&method, resolve_options(options, method.options(), path)};
}

Step parse_step(const json& entry, const std::string& path) {
  if (entry.is_string()) return parse_step(json{{entry.get<std::string>(), json::object()}}, path);
  if (!entry.is_object() || entry.size() != 1)
    throw Error(ErrorCode::kUsage, path, "malformed step", "one of " + join(step_names(), ", ") + " with its options",
                entry.dump());
  const std::string step = entry.begin().key();
  require_keys(entry, step_names(), path + ".");
  return make_step(step, entry.begin().value(), path + "." + step);
}

/// Options of groups given as "group-child", "group_child" or "group.child" become nested maps; '-' and '_' are one in
/// names.
json nest(const json& flat, const Method& method) {
  json nested = json::object();
  for (const auto& [given, value] : flat.items()) {
    std::string key = given;
    std::replace(key.begin(), key.end(), '-', '_');
    std::replace(key.begin(), key.end(), '.', '_');
    const Option* group = nullptr;
    bool direct = false;
    for (const Option& option : method.options()) {
      direct = direct || option.name == key;
      if (option.type == OptionType::kGroup && key.rfind(std::string(option.name) + "_", 0) == 0) group = &option;
    }
    std::string child = group ? key.substr(group->name.size() + 1) : "";
    json& slot = direct || !group ? nested[direct ? key : given] : nested[std::string(group->name)];
    if (direct && slot.is_object() && value.is_object())
      slot.update(value);
    else if (direct || !group)
      slot = value;
    else {
      if (!slot.is_object()) slot = json::object();
      slot[child] = value;
    }
  }
  return nested;
}

void write_options(std::string& text, const json& options, std::span<const Option> declared,
                   const std::string& indent) {
  for (const Option& option : declared) {
    const json& value = options.at(std::string(option.name));
    if (option.type == OptionType::kGroup && value.is_object()) {
      text += indent + std::string(option.name) + ":\n";
      write_options(text, value, option.children, indent + "  ");
    } else {
      text += indent + std::string(option.name) + ": " + yaml_flow(value) + "\n";
    }
  }
}

}  // namespace

Recipe parse_recipe(const std::string& yaml, const std::string& subject) {
  const json document = yaml_to_json(yaml, subject);
  if (!document.is_object()) throw Error(ErrorCode::kUsage, subject, "not a recipe", "a map with the key 'steps'");
  require_keys(document, {"steps", "gate"}, subject + ": ");
  if (!document.contains("steps") || !document["steps"].is_array() || document["steps"].empty())
    throw Error(ErrorCode::kUsage, subject + ": steps", "no steps", "a list of steps");
  Recipe recipe;
  for (std::size_t i = 0; i < document["steps"].size(); ++i)
    recipe.steps.push_back(parse_step(document["steps"][i], subject + ": steps[" + std::to_string(i) + "]"));
  if (document.contains("gate") && !document["gate"].is_null()) {
    static const Option gate[] = {
        {"max_drop", OptionType::kFloat, "null", "largest loss of the metric on val, points", {}, 0, 100}};
    json resolved = resolve_options(document["gate"], gate, subject + ": gate");
    if (!resolved["max_drop"].is_null()) recipe.max_drop = resolved["max_drop"].get<double>();
  }
  return recipe;
}

Recipe single_step(const std::string& step, const json& options, std::optional<double> max_drop) {
  if (!options.is_object() && !options.is_null())
    throw Error(ErrorCode::kInternal, step, "options of a step must be a map");
  json rest = options.is_null() ? json::object() : options;
  std::string name = rest.contains("method") && rest["method"].is_string() ? rest["method"].get<std::string>() : "";
  rest.erase("method");
  const Method& method = find_method(step, name);
  const auto declared = method.options();
  const bool aware = std::any_of(declared.begin(), declared.end(), [](const Option& o) { return o.name == "max_drop"; });
  if (max_drop && aware && !rest.contains("max_drop")) rest["max_drop"] = *max_drop;
  Recipe recipe;
  recipe.max_drop = max_drop;
  recipe.steps.push_back({&method, resolve_options(nest(rest, method), declared, step)});
  return recipe;
}

std::string to_yaml(const Recipe& recipe) {
  std::string text = "steps:\n";
  for (const Step& step : recipe.steps) {
    text += "  - " + std::string(step.method->step) + ":\n";
    if (!step.method->name.empty()) text += "      method: " + yaml_flow(std::string(step.method->name)) + "\n";
    write_options(text, step.options, step.method->options(), "      ");
  }
  if (recipe.max_drop) text += "gate: {max_drop: " + yaml_flow(*recipe.max_drop) + "}\n";
  return text;
}

}  // namespace pare::compress
