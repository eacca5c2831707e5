#include "compress/recipe.h"

#include <gtest/gtest.h>

#include "compress/training/loop.h"
#include "compress/yaml_json.h"
#include "fakes.h"

namespace pare::compress {
namespace {

Error parse_error(const std::string& yaml) {
  return error_of([&] { parse_recipe(yaml, "r.yaml"); });
}

TEST(Recipe, FillsEveryOption) {
  Recipe recipe = parse_recipe(
      "steps:\n  - prune: {pattern: 8:64, epochs: 2, distill: {alpha: 0.5}}\n  - quantize\ngate: {max_drop: 0.5}\n",
      "r.yaml");
  ASSERT_EQ(recipe.steps.size(), 2u);
  EXPECT_EQ(recipe.steps[0].method->name, "magnitude");
  EXPECT_EQ(recipe.steps[0].options.at("pattern"), "8:64");
  EXPECT_EQ(recipe.steps[0].options.at("epochs"), 2.0);
  EXPECT_EQ(recipe.steps[0].options.at("distill").at("temperature"), 4.0);
  EXPECT_EQ(recipe.steps[0].options.at("distill").at("alpha"), 0.5);
  EXPECT_EQ(recipe.steps[1].options.at("activations").at("samples"), 512);
  EXPECT_EQ(recipe.max_drop, 0.5);
}

TEST(Recipe, WrittenOutParsesBackToTheSame) {
  Recipe recipe = parse_recipe(
      "steps:\n  - prune: {sparsity: 0.3, exclude: [first, 're:a\\.b|c', \"x y: 'z'\", '007', 'true'], lr: 1.0e-05}\n"
      "  - finetune: {distill: true, milestones: 0.25}\n  - quantize: {activations: {calibrator: percentile}}\ngate: "
      "{max_drop: 1}\n",
      "r.yaml");
  Recipe again = parse_recipe(to_yaml(recipe), "again");
  ASSERT_EQ(again.steps.size(), recipe.steps.size());
  for (std::size_t i = 0; i < recipe.steps.size(); ++i) {
    EXPECT_EQ(again.steps[i].method, recipe.steps[i].method);
    EXPECT_EQ(again.steps[i].options, recipe.steps[i].options);
  }
  EXPECT_EQ(again.max_drop, recipe.max_drop);
  EXPECT_EQ(to_yaml(again), to_yaml(recipe));
}

TEST(Recipe, UnknownKeyNamesPathAndSuggests) {
  Error error = parse_error("steps:\n  - prune: {}\n  - finetune: {epoch: 2}\n");
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_EQ(error.subject(), "r.yaml: steps[1].finetune.epoch");
  EXPECT_NE(std::string(error.what()).find("did you mean 'epochs'"), std::string::npos) << error.what();
}

TEST(Recipe, NestedUnknownKeyNamesPath) {
  EXPECT_EQ(parse_error("steps: [{quantize: {activations: {sample: 3}}}]").subject(),
            "r.yaml: steps[0].quantize.activations.sample");
}

TEST(Recipe, WrongTypesRangesAndChoices) {
  for (const char* options : {"{epochs: two}", "{epochs: -1}", "{optimizer: sdg}", "{augment: 1}", "{batch_size: 0}",
                              "{batch_size: 1.5}", "{lr: .nan}", "{distill: 3}", "{epochs: null}"}) {
    Error error = parse_error(std::string("steps: [{finetune: ") + options + "}]");
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << options << ": " << error.what();
    EXPECT_EQ(error.subject().rfind("r.yaml: steps[0].finetune.", 0), 0u) << error.what();
  }
  EXPECT_NE(std::string(parse_error("steps: [{finetune: {optimizer: sdg}}]").what()).find("did you mean 'sgd'"),
            std::string::npos);
}

TEST(Recipe, UnknownStepAndMethod) {
  Error step = parse_error("steps: [{prunee: {}}]");
  EXPECT_EQ(step.subject(), "r.yaml: steps[0].prunee");
  EXPECT_NE(std::string(step.what()).find("'prune'"), std::string::npos) << step.what();
  Error method = parse_error("steps: [{prune: {method: magnitud}}]");
  EXPECT_EQ(method.subject(), "r.yaml: steps[0].prune.method");
  EXPECT_NE(std::string(method.what()).find("'magnitude'"), std::string::npos) << method.what();
}

TEST(Recipe, MalformedDocuments) {
  for (const char* yaml : {"", "steps: []", "steps: 3", "[1, 2]", "steps: [{prune: {}, quantize: {}}]",
                           "steps: [prune, {a", "step: [prune]", "steps: [prune]\ngate: {max_dorp: 1}",
                           "steps: [prune]\nsteps: [prune]", "steps: [prune]\ngate: {max_drop: -1}"})
    EXPECT_EQ(parse_error(yaml).code(), ErrorCode::kUsage) << yaml;
}

TEST(Recipe, ShorthandTakesFlatNames) {
  Recipe recipe =
      single_step("finetune", {{"epochs", 1}, {"batch-size", 8}, {"distill-temperature", 2}, {"distill_alpha", 1.0}});
  EXPECT_EQ(recipe.steps[0].options.at("batch_size"), 8);
  EXPECT_EQ(recipe.steps[0].options.at("distill"),
            (nlohmann::json{
                {"temperature", 2.0}, {"alpha", 1.0}, {"features", nlohmann::json::array()}, {"feature_weight", 1.0}}));
  EXPECT_EQ(single_step("quantize", nlohmann::json::object()).steps[0].method->name, "static");
  EXPECT_EQ(error_of([] { single_step("quantize", {{"activations-bit", 8}}); }).subject(), "quantize.activations.bit");
  EXPECT_EQ(error_of([] { single_step("prune", {{"sparsty", 0.5}}); }).subject(), "prune.sparsty");
}

TEST(Recipe, ScalarsKeepTheirTypes) {
  nlohmann::json value = yaml_to_json("{a: 8:64, b: '3', c: 3, d: 3.5, e: true, f: ~, g: 1e-3, h: no, i: -2}", "x");
  EXPECT_EQ(value,
            nlohmann::json::parse(R"({"a":"8:64","b":"3","c":3,"d":3.5,"e":true,"f":null,"g":0.001,"h":"no","i":-2})"));
}

TEST(Recipe, EveryMethodHasDefaultsThatResolve) {
  for (const Method* method : methods()) {
    EXPECT_NO_THROW(resolve_options({}, method->options(), "x")) << method->step;
    for (const Option& option : method->options()) EXPECT_FALSE(option.help.empty()) << option.name;
  }
}

}  // namespace
}  // namespace pare::compress
