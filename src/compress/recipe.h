// A recipe: ordered steps and a quality gate.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compress/method.h"

namespace pare::compress {

struct Step {
  const Method* method;
  nlohmann::json options;  ///< resolved, without the key "method"
};

struct Recipe {
  std::vector<Step> steps;
  std::optional<double> max_drop;  ///< gate, in points
};

/// Parses YAML; unknown keys are Error(kUsage) with a suggestion, naming the step ("steps[1].finetune.epoch").
Recipe parse_recipe(const std::string& yaml, const std::string& subject);
/// One step from a flat option object (the shorthands). `max_drop` is the gate, and the option of that name where the
/// method declares one and it is not given.
Recipe single_step(const std::string& step, const nlohmann::json& options, std::optional<double> max_drop = std::nullopt);
/// The recipe as resolved, every option written out.
std::string to_yaml(const Recipe& recipe);

}  // namespace pare::compress
