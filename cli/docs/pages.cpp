#include "cli/docs/pages.h"

#include <algorithm>
#include <set>

#include "pare/recipe.h"

namespace pare::cli::docs {
namespace {

using Choices = std::map<std::string, std::vector<std::string>>;

void collect(const OptionInfo& option, const std::string& prefix, Choices& found) {
  std::string name = prefix + option.name;
  std::replace(name.begin(), name.end(), '_', '-');
  if (!option.choices.empty()) found["--" + name] = option.choices;
  for (const OptionInfo& child : option.children) collect(child, name + "-", found);
}

/// The words that a step's flags take, from the declarations of its methods.
Choices choices_of(const std::string& step) {
  Choices found;
  for (const MethodInfo& method : methods()) {
    if (method.step != step) continue;
    if (!method.name.empty()) found["--method"].push_back(method.name);
    for (const OptionInfo& option : method.options) collect(option, "", found);
  }
  return found;
}

/// "NAME" of CLI11's "NAME:{a,b}".
std::string value_name(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

Option describe(const CLI::Option& option, const Choices& choices) {
  Option out;
  out.positional = option.get_positional();
  out.required = option.get_required();
  out.everywhere = option.get_group() == "Everywhere";
  out.help = option.get_description();
  if (out.positional) {
    out.names = {option.get_single_name()};
    return out;
  }
  const std::vector<std::string> negations = option.get_fnames();
  if (!negations.empty()) out.negation = "--" + negations.front();
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames())
    if (std::find(negations.begin(), negations.end(), name) == negations.end()) out.names.push_back("--" + name);
  if (option.get_items_expected_max() > 0) out.value = value_name(option);
  if (const auto found = choices.find(out.names.back()); found != choices.end()) out.choices = found->second;
  return out;
}

}  // namespace

std::vector<Command> commands(CLI::App& app) {
  std::vector<Command> list;
  for (CLI::App* command : app.get_subcommands([](CLI::App* sub) { return !sub->get_group().empty(); })) {
    Command out{command->get_name(), command->get_description(), {}};
    const Choices choices = choices_of(out.name);
    for (const CLI::Option* option : command->get_options()) out.options.push_back(describe(*option, choices));
    std::stable_partition(out.options.begin(), out.options.end(), [](const Option& o) { return o.positional; });
    list.push_back(std::move(out));
  }
  return list;
}

}  // namespace pare::cli::docs
