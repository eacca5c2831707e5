// Options declared once: help, docs, validation, recipe parsing and command-line flags come from the declaration.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pare::compress {

enum class OptionType { kBool, kInt, kFloat, kString, kStrings, kNumbers, kGroup };

/// One option. `fallback` is JSON text ("0.01", "\"cubic\"", "null" for none). Choices restrict strings; min/max
/// numbers. A list option (kStrings, kNumbers) also takes a single element; the fallback "null" makes null a legal
/// value. A kGroup option holds nested options (`children`), written as a map in YAML and as --name-child on the
/// command line; with the fallback "null" it is off unless given (`true` gives the defaults of its children).
struct Option {
  std::string_view name;
  OptionType type;
  std::string_view fallback;
  std::string_view help;
  std::vector<std::string_view> choices = {};
  std::optional<double> min = std::nullopt, max = std::nullopt;
  std::vector<Option> children = {};
};

/// Fills defaults and checks names, types, choices and ranges. Error(kUsage) names `subject`.key with expected, got and
/// the nearest known key.
nlohmann::json resolve_options(const nlohmann::json& given, std::span<const Option> options,
                               const std::string& subject);

}  // namespace pare::compress
