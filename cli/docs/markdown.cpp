#include <nlohmann/json.hpp>

#include "cli/docs/pages.h"
#include "pare/recipe.h"

namespace pare::cli::docs {
namespace {

constexpr const char* kNotice =
    "<!-- Written by `make docs` from the declarations in the program; edit those instead. -->\n\n";

/// Text in a cell of a table.
std::string cell(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '|' ? std::string("\\|") : c == '<' ? std::string("&lt;") : std::string(1, c);
  return out;
}

std::string sentence(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text + ".";
}

std::string code(const std::string& text) { return "`" + text + "`"; }

std::string synopsis(const Command& command) {
  std::string line = "pare " + command.name;
  for (const Option& option : command.options)
    if (option.positional) line += " " + option.names[0];
  for (const Option& option : command.options)
    if (!option.positional && option.required) line += " " + option.names[0] + " " + option.value;
  return line + " [OPTIONS]";
}

std::string flag_text(const Option& option) {
  std::string text;
  for (const std::string& name : option.names) text += (text.empty() ? "" : ", ") + code(name);
  if (!option.negation.empty()) text += ", " + code(option.negation);
  if (!option.value.empty()) text += " " + option.value;
  return text;
}

std::vector<const MethodInfo*> methods_of(const std::vector<MethodInfo>& all, const std::string& step) {
  std::vector<const MethodInfo*> found;
  for (const MethodInfo& method : all)
    if (method.step == step) found.push_back(&method);
  return found;
}

std::string title(const MethodInfo& method) {
  return method.name.empty() ? method.step : method.step + ": " + method.name;
}
std::string page_name(const MethodInfo& method) {
  return (method.name.empty() ? method.step : method.step + "-" + method.name) + ".md";
}

std::string command_page(const Command& command, const std::vector<MethodInfo>& all) {
  std::string page = kNotice + ("# pare " + command.name + "\n\n" + sentence(command.summary) + "\n\n```\n") +
                     synopsis(command) + "\n```\n\n";
  if (const auto rows = methods_of(all, command.name); !rows.empty()) {
    page += "Methods:";
    for (const MethodInfo* method : rows)
      page += std::string(method == rows.front() ? " " : ", ") + "[" + title(*method) + "](../methods/" +
              page_name(*method) + ")";
    page += ". The first is the default. Options that a method does not have are refused.\n\n";
  }
  page += "| flag | meaning |\n|---|---|\n";
  for (const Option& option : command.options) {
    if (option.everywhere) continue;
    page += "| " + (option.positional ? code(option.names[0]) : flag_text(option)) + " | " + cell(option.help) +
            (option.required ? " (required)" : "") + " |\n";
  }
  return page + "\nFlags that every command has, and what the commands do in detail: [command line](../cli.md).\n";
}

std::string number_text(double value) { return nlohmann::json(value).dump(); }

std::string allowed(const OptionInfo& option) {
  std::string text;
  for (const std::string& choice : option.choices) text += (text.empty() ? "" : ", ") + code(choice);
  if (!text.empty()) return text;
  const auto bound = [](double value) {
    return value == static_cast<double>(static_cast<long long>(value)) ? std::to_string(static_cast<long long>(value))
                                                                       : number_text(value);
  };
  if (option.min && option.max) return bound(*option.min) + " – " + bound(*option.max);
  if (option.min) return "from " + bound(*option.min);
  return option.max ? "to " + bound(*option.max) : "";
}

void option_rows(const OptionInfo& option, const std::string& prefix, std::string& page) {
  static const std::map<OptionInfo::Type, const char*> kTypes = {
      {OptionInfo::Type::kBool, "true/false"}, {OptionInfo::Type::kInt, "integer"},
      {OptionInfo::Type::kFloat, "number"},    {OptionInfo::Type::kString, "text"},
      {OptionInfo::Type::kStrings, "names"},   {OptionInfo::Type::kNumbers, "numbers"},
      {OptionInfo::Type::kGroup, "group"}};
  const std::string key = prefix + option.name;
  const bool group = option.type == OptionInfo::Type::kGroup;
  page += "| " + code(key) + " | " + kTypes.at(option.type) + " | " +
          (group ? option.fallback == "null" ? "off" : "" : code(option.fallback)) + " | " + allowed(option) + " | " +
          cell(option.help) + " |\n";
  for (const OptionInfo& child : option.children) option_rows(child, key + ".", page);
}

std::string method_page(const MethodInfo& method) {
  std::string page = kNotice + ("# " + title(method) + "\n\n" + sentence(method.summary) + "\n\n");
  if (!method.paper.empty()) page += "Source: " + method.paper + ".\n\n";
  const std::string inside = method.name.empty() ? "" : "method: " + method.name;
  page += "```yaml\nsteps:\n  - " + method.step + ": {" + inside + "}\n```\n\n";
  page +=
      "As a command: [pare " + method.step + "](../commands/" + method.step +
      ".md); a key `a.b` is the flag `--a-b`.\n\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n";
  for (const OptionInfo& option : method.options) option_rows(option, "", page);
  return page;
}

}  // namespace

Files markdown(const std::vector<Command>& commands) {
  const std::vector<MethodInfo> all = methods();
  Files files;
  std::string index = kNotice + std::string("# Commands\n\n| command | |\n|---|---|\n");
  for (const Command& command : commands) {
    files["commands/" + command.name + ".md"] = command_page(command, all);
    index += "| [pare " + command.name + "](" + command.name + ".md) | " + cell(command.summary) + " |\n";
  }
  files["commands/README.md"] = index;
  index = kNotice + std::string("# Methods\n\n| step | what it does | source |\n|---|---|---|\n");
  for (const MethodInfo& method : all) {
    files["methods/" + page_name(method)] = method_page(method);
    index += "| [" + title(method) + "](" + page_name(method) + ") | " + cell(method.summary) + " | " +
             cell(method.paper) + " |\n";
  }
  files["methods/README.md"] = index;
  return files;
}

}  // namespace pare::cli::docs
