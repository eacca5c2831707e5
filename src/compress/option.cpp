#include "compress/option.h"

#include <cmath>

#include "base/text.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::string join_choices(const std::vector<std::string_view>& choices) {
  std::vector<std::string> words(choices.begin(), choices.end());
  return join(words, ", ");
}

[[noreturn]] void fail(const std::string& key, const std::string& problem, const std::string& expected,
                       const json& got) {
  throw Error(ErrorCode::kUsage, key, problem, expected, got.is_string() ? got.get<std::string>() : got.dump());
}

std::string as_text(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// "8", "0.5"
std::string bound(double value) {
  const bool whole = value == std::nearbyint(value) && std::abs(value) < 1e15;
  return whole ? json(static_cast<std::int64_t>(value)).dump() : json(value).dump();
}

void check_range(const Option& option, const std::string& key, const json& value) {
  double number = value.get<double>();
  bool low = option.min && !(number >= *option.min), high = option.max && !(number <= *option.max);
  if (!low && !high && std::isfinite(number)) return;
  std::string expected = option.min && option.max ? bound(*option.min) + " to " + bound(*option.max)
                         : option.min             ? "at least " + bound(*option.min)
                         : option.max             ? "at most " + bound(*option.max)
                                                  : "a finite number";
  fail(key, "out of range", expected, value);
}

json check_int(const Option& option, const std::string& key, const json& value) {
  if (!value.is_number_integer()) fail(key, "wrong type", "an integer", value);
  check_range(option, key, value);
  return value;
}

json check_float(const Option& option, const std::string& key, const json& value) {
  if (!value.is_number()) fail(key, "wrong type", "a number", value);
  check_range(option, key, value);
  return value.get<double>();
}

json check_string(const Option& option, const std::string& key, const json& value) {
  if (!value.is_string() && !value.is_number()) fail(key, "wrong type", "a string", value);
  std::string text = as_text(value);
  if (option.choices.empty()) return text;
  std::vector<std::string> known(option.choices.begin(), option.choices.end());
  for (const std::string& choice : known)
    if (choice == text) return text;
  throw Error(ErrorCode::kUsage, key, "unknown value" + did_you_mean(text, known), join_choices(option.choices), text);
}

json check_strings(const Option& option, const std::string& key, const json& value) {
  if (!value.is_array()) return json::array({check_string(option, key, value)});
  json list = json::array();
  for (std::size_t i = 0; i < value.size(); ++i)
    list.push_back(check_string(option, key + "[" + std::to_string(i) + "]", value[i]));
  return list;
}

json check(const Option& option, const std::string& key, const json& value) {
  if (value.is_null() && option.fallback == "null") return value;
  switch (option.type) {
    case OptionType::kBool:
      if (!value.is_boolean()) fail(key, "wrong type", "true or false", value);
      return value;
    case OptionType::kInt:
      return check_int(option, key, value);
    case OptionType::kFloat:
      return check_float(option, key, value);
    case OptionType::kString:
      return check_string(option, key, value);
    case OptionType::kStrings:
      return check_strings(option, key, value);
    case OptionType::kNumbers: {
      if (!value.is_array()) return json::array({check_float(option, key, value)});
      json list = json::array();
      for (std::size_t i = 0; i < value.size(); ++i)
        list.push_back(check_float(option, key + "[" + std::to_string(i) + "]", value[i]));
      return list;
    }
    case OptionType::kGroup:
      if (value.is_boolean())  // `distill: true` takes the defaults, `distill: false` switches an optional group off
        return value.get<bool>()           ? resolve_options(json::object(), option.children, key)
               : option.fallback == "null" ? json(nullptr)
                                           : (fail(key, "cannot be switched off", "a map of options", value), json());
      return resolve_options(value, option.children, key);
  }
  throw Error(ErrorCode::kInternal, key, "option of unknown type");
}

}  // namespace

json resolve_options(const json& given, std::span<const Option> options, const std::string& subject) {
  if (!given.is_object() && !given.is_null()) fail(subject, "wrong type", "a map of options", given);
  std::vector<std::string> known;
  for (const Option& option : options) known.emplace_back(option.name);
  for (const auto& [key, value] : given.items()) {
    bool found = false;
    for (const std::string& name : known) found = found || name == key;
    if (!found)
      throw Error(ErrorCode::kUsage, subject + "." + key, "unknown key" + did_you_mean(key, known), join(known, ", "));
  }
  json resolved = json::object();
  for (const Option& option : options) {
    std::string name(option.name), key = subject + "." + name;
    json fallback = json::parse(option.fallback);
    bool present = given.is_object() && given.contains(name);
    if (!present && fallback.is_null())
      resolved[name] = nullptr;
    else
      resolved[name] = check(option, key, present ? given.at(name) : fallback);
  }
  return resolved;
}

}  // namespace pare::compress
