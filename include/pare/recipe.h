// What compress_model() does: ordered steps and a quality gate; and the methods that steps may name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pare {

class Recipe {
 public:
  /// Parses YAML. Throws Error(kUsage) naming step and key, with a suggestion: "steps[1].finetune.epoch".
  static Recipe parse(const std::string& yaml, const std::string& subject);
  static Recipe load(const std::string& path);
  /// One step; `options_json` is an object of its options ("{}": all defaults), `max_drop` the gate in points.
  static Recipe single_step(const std::string& step, const std::string& options_json,
                            std::optional<double> max_drop = std::nullopt);

  std::string to_yaml() const;             ///< every option written out
  std::vector<std::string> steps() const;  ///< "prune: magnitude", "finetune", …

  struct Impl;
  const Impl& impl() const noexcept { return *impl_; }

 private:
  explicit Recipe(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// One option of a method, from its declaration.
struct OptionInfo {
  enum class Type { kBool, kInt, kFloat, kString, kStrings, kNumbers, kGroup };
  std::string name;
  Type type = Type::kString;
  std::string fallback;  ///< JSON text
  std::string help;
  std::vector<std::string> choices;  ///< of a string; empty: any
  std::optional<double> min, max;
  std::vector<OptionInfo> children;  ///< of a group
};

struct MethodInfo {
  std::string step;  ///< key in a recipe, and the subcommand: "prune"
  std::string name;  ///< value of `method`; "" when the step has a single method
  std::string summary, paper;
  std::vector<OptionInfo> options;
};

/// Every method, in the order of its table.
std::vector<MethodInfo> methods();

}  // namespace pare
