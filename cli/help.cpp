#include "help.h"

#include <algorithm>

#include "table.h"

namespace pare::cli {
namespace {

std::string names_of(const CLI::Option& option) {
  const std::vector<std::string> negations = option.get_fnames();
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames())
    if (std::find(negations.begin(), negations.end(), name) == negations.end()) names.push_back("--" + name);
  return joined(names, ", ") + (negations.empty() ? "" : " / --" + negations.front());
}

/// "NAME" of CLI11's "NAME:{a,b}" or "N:NONNEGATIVE".
std::string value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  const std::string type = option.get_type_name();
  const std::string name = type.substr(0, type.find(':'));
  return name.empty() ? "" : " " + name;
}

}  // namespace

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string left = "  " + (is_positional ? option->get_single_name() : names_of(*option) + value_of(*option));
  if (option->get_required() && !is_positional) left += " (required)";
  const std::string help = option->get_description();
  if (help.empty()) return left + "\n";
  const std::size_t width = display_width(left);
  const std::string gap =
      width < column_width_ ? std::string(column_width_ - width, ' ') : "\n" + std::string(column_width_, ' ');
  return left + gap + help + "\n";
}

}  // namespace pare::cli
