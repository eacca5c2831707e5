#include "pare/recipe.h"

#include <nlohmann/json.hpp>

#include "api/model_impl.h"
#include "base/file.h"
#include "compress/method.h"
#include "pare/error.h"

namespace pare {
namespace {

OptionInfo::Type type_of(compress::OptionType type) {
  switch (type) {
    case compress::OptionType::kBool:
      return OptionInfo::Type::kBool;
    case compress::OptionType::kInt:
      return OptionInfo::Type::kInt;
    case compress::OptionType::kFloat:
      return OptionInfo::Type::kFloat;
    case compress::OptionType::kString:
      return OptionInfo::Type::kString;
    case compress::OptionType::kStrings:
      return OptionInfo::Type::kStrings;
    case compress::OptionType::kNumbers:
      return OptionInfo::Type::kNumbers;
    case compress::OptionType::kGroup:
      return OptionInfo::Type::kGroup;
  }
  throw Error(ErrorCode::kInternal, "option", "unknown type");
}

OptionInfo describe(const compress::Option& option) {
  OptionInfo info;
  info.name = option.name;
  info.type = type_of(option.type);
  info.fallback = option.fallback;
  info.help = option.help;
  info.choices.assign(option.choices.begin(), option.choices.end());
  info.min = option.min;
  info.max = option.max;
  for (const compress::Option& child : option.children) info.children.push_back(describe(child));
  return info;
}

}  // namespace

Recipe Recipe::parse(const std::string& yaml, const std::string& subject) {
  return Recipe(std::make_shared<const Impl>(Impl{compress::parse_recipe(yaml, subject)}));
}

Recipe Recipe::load(const std::string& path) { return parse(read_file(path), path); }

Recipe Recipe::single_step(const std::string& step, const std::string& options_json, std::optional<double> max_drop) {
  nlohmann::json options = nlohmann::json::parse(options_json, nullptr, false);
  if (!options.is_object()) throw Error(ErrorCode::kUsage, step, "options are not a JSON object");
  return Recipe(std::make_shared<const Impl>(Impl{compress::single_step(step, options, max_drop)}));
}

std::string Recipe::to_yaml() const { return compress::to_yaml(impl_->recipe); }

std::vector<std::string> Recipe::steps() const {
  std::vector<std::string> names;
  for (const compress::Step& step : impl_->recipe.steps) {
    std::string name(step.method->step);
    if (!step.method->name.empty()) name.append(": ").append(step.method->name);
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<MethodInfo> methods() {
  std::vector<MethodInfo> infos;
  for (const compress::Method* method : compress::methods()) {
    MethodInfo info{std::string(method->step),
                    std::string(method->name),
                    std::string(method->summary),
                    std::string(method->paper),
                    {}};
    for (const compress::Option& option : method->options()) info.options.push_back(describe(option));
    infos.push_back(std::move(info));
  }
  return infos;
}

}  // namespace pare
