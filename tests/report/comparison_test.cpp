// A comparison's JSON → SVG: well-formed, escaped, whole with anything absent.
#include "report/comparison.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "markup.h"
#include "pare/error.h"

namespace pare::test {
namespace {

using Json = nlohmann::json;

Json layer(const std::string& name) {
  return {{"layer", name},
          {"op_type", "Conv"},
          {"value", name + "_out"},
          {"identical", false},
          {"snr_db", 31.5},
          {"range_a", {-1, 4}},
          {"range_b", {-1.25, 3.5}},
          {"histogram", {{"low", -1.25}, {"high", 4}, {"a", {0, 10, 3}}, {"b", {1, 9, 3}}}},
          {"injected", {{"layer_snr_db", 35.0}, {"snr_db", 27.25}, {"agreement", 93.75}, {"harmless", false}}}};
}

Json comparison() {
  return {{"a", "models/a.onnx"}, {"b", "b.onnx"},      {"samples", 100},           {"random", false},
          {"agreement", 98.0},    {"snr_db", 25.0},     {"injection_samples", 16},
          {"layers", {layer("conv<1>"), layer("conv2")}}};
}

std::string render(const Json& json) {
  const std::string picture = report::render_comparison(json.dump());
  EXPECT_EQ(broken_markup(picture), "");
  for (const char* outside : {"<script", "href=", "@import", "url("})
    EXPECT_EQ(picture.find(outside), std::string::npos) << outside;
  return picture;
}

TEST(ComparisonPicture, TellsTheFiguresOfEveryLayer) {
  const std::string picture = render(comparison());
  for (const char* part : {"conv&lt;1&gt;", "conv2", "31.5 dB", "27.2 dB, 93.8 % agree", "agreement 98.00 %", "16 samples",
                           "A -1 … 4", "B -1.25 … 3.5", "xmlns="})
    EXPECT_NE(picture.find(part), std::string::npos) << part;
}

TEST(ComparisonPicture, TheWorstLayerStandsOut) {
  Json json = comparison();
  json["layers"][1]["snr_db"] = 12.0;
  const std::string picture = render(json);
  EXPECT_NE(picture.find("class=\"worst\" x=\"400.0\" y=\"228.0\" text-anchor=\"start\">12.0 dB"), std::string::npos)
      << picture;
}

TEST(ComparisonPicture, AnythingMayBeAbsent) {
  render({{"layers", Json::array()}});
  Json json = comparison();
  for (const char* key : {"histogram", "injected", "snr_db", "range_a"}) json["layers"][0][key] = nullptr;
  json["layers"][1]["identical"] = true;
  json["layers"][1]["injected"] = {{"harmless", true}, {"snr_db", nullptr}};
  const std::string picture = render(json);
  for (const char* part : {"identical", "no effect", "—"}) EXPECT_NE(picture.find(part), std::string::npos) << part;
}

TEST(ComparisonPicture, RefusesWhatIsNoComparison) {
  for (const char* json : {"", "{", "[]", "{}", "{\"layers\": 3}"})
    EXPECT_THROW(report::render_comparison(json), Error) << json;
}

}  // namespace
}  // namespace pare::test
