#include "compress/targets.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace pare::compress {
namespace {

std::vector<std::string> names(const ir::Model& model, const nlohmann::json& include, const nlohmann::json& exclude) {
  std::vector<std::string> result;
  for (const Layer& layer : target_layers(model.graph, {{"include", include}, {"exclude", exclude}}, "prune"))
    result.push_back(layer.name);
  return result;
}

using Names = std::vector<std::string>;
const nlohmann::json none = nlohmann::json::array();

TEST(Targets, Selectors) {
  ir::Model model = residual_model();
  EXPECT_EQ(names(model, none, none), (Names{"stem", "body", "tail", "head"}));
  EXPECT_EQ(names(model, none, {"first", "last"}), (Names{"body", "tail"}));
  EXPECT_EQ(names(model, {"Conv"}, {"tail"}), (Names{"stem", "body"}));
  EXPECT_EQ(names(model, {"body.weight", "re:t.i."}, none), (Names{"body", "tail"}));
  EXPECT_EQ(names(model, {"?e*"}, none), (Names{"head"}));
}

TEST(Targets, NearMissIsSuggested) {
  ir::Model model = residual_model();
  Error error = error_of([&] { names(model, none, {"bodi"}); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_EQ(error.subject(), "prune.exclude");
  EXPECT_NE(std::string(error.what()).find("did you mean 'body'"), std::string::npos) << error.what();
}

TEST(Targets, BadExpressionsAndEmptySelections) {
  ir::Model model = residual_model();
  EXPECT_EQ(error_of([&] { names(model, {"re:(("}, none); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(error_of([&] { names(model, {"Conv"}, {"Conv"}); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(error_of([&] { names(model, {"MatMul"}, none); }).code(), ErrorCode::kUsage);
  Builder b;
  ir::Model empty = b.finish(b.add("Relu", "relu", {b.input("x", {2})}));
  EXPECT_EQ(error_of([&] { names(empty, none, none); }).code(), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace pare::compress
