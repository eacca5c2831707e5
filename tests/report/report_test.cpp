// run.json → HTML: well-formed, complete, escaped, and whole with anything absent.
#include "report/report.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "pare/error.h"
#include "report/chart.h"
#include "report/format.h"
#include "markup.h"
#include "rich_run.h"

namespace pare::test {
namespace {

using Json = nlohmann::json;
using report::render_html;

std::string render(const Json& run) {
  std::string page = render_html(run.dump());
  EXPECT_EQ(broken_markup(page), "");
  EXPECT_EQ(page.find("<script"), std::string::npos);
  for (const char* outside : {"src=", "href=", "@import", "url("})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  return page;
}

void expect_parts(const std::string& page, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST(Report, WhatQuantizationFoundOut) {
  Json run = rich_run();
  Json& step = run["steps"][0];
  step["accuracy"] = {{"metric", "top1"}, {"max_drop", 0.5}, {"drop_of_all", 3.25}, {"drop", 0.25}, {"met", true},
                      {"reverted", {{{"node", "stem<0>"}, {"snr_db", 12.34}, {"mac_share", 0.031}}}}};
  const Json spread = {{"least", 30.5}, {"most", 31.25}, {"mean", 31}, {"deviation", 0.5}, {"all", {30.5, 31.25}}};
  step["calibration_check"] = {{"subsets", 2}, {"samples", 64}, {"snr_db", spread}, {"metric", nullptr},
                               {"values", {{{"value", "relu_out"}, {"low", {0, 0}}, {"high", {5.5, 6.125}}, {"spread", 0.102}}}}};
  expect_parts(render(run), {"stem&lt;0&gt;", "12.3 dB", "3.10 %", "3.25 points", "0.50 are allowed", "relu_out",
                             "5.5000 … 6.1250", "10.20 %", "2 parts of 64 samples", "30.50 … 31.25, deviation 0.50"});
  for (const char* key : {"accuracy", "calibration_check"})
    for (const auto& [part, unused] : step[key].items()) {
      Json less = run;
      less["steps"][0][key].erase(part);
      render(less);
    }
}

TEST(Report, WhatQuantizationChose) {
  Json run = rich_run();
  Json& step = run["steps"][1];
  step["options"]["protect"] = {{"snr", 30}};
  step["calibration_seconds"] = 4.25;
  step["rounded_to_nearest"] = {{{"node", "far<1>"}, {"reason", "its input is 0 in all samples"}}};
  Json& quantized =
      step["quantized"] = {{"nodes", {"a", "b"}},
                           {"samples", 512},
                           {"skipped", {{{"node", "mask_fc"}, {"reason", "its input is made of constants alone"}}}}};
  quantized["choice"] = {
      {"outputs", {"boxes", "scores<0>"}},
      {"samples", 16},
      {"seconds", 72.0},
      {"rounding", "gptq"},
      {"calibrator", "mse"},
      {"calibrators", {{"min-max", 21.25}, {"mse", 24.5}, {"percentile", 23.0}}},
      {"biases_corrected", false},
      {"bias_correction", {{"with_db", 23.9}, {"without_db", 24.5}}},
      {"smooth",
       {{"off_db", 17.5},
        {"tried", {{{"alpha", 0.5}, {"snr_db", 24.1}}, {{"alpha", 0.65}, {"snr_db", 26.2}}}},
        {"alpha", 0.65},
        {"folded", {{"x", "into norm"}}},
        {"multiplied", Json::object()},
        {"left", {{"y", "others read it"}}}}},
      {"equalized", {"a → b"}},
      {"relu6", {{"opened", {"clip"}}, {"kept", Json::object()}, {"snr_db", 51.25}}},
      {"absorbed", {{"largest", {{"a → b", 1.5}}}, {"left", Json::object()}}},
      {"fitted", {{"values", 9}, {"with_db", 25.5}, {"without_db", 24.5}, {"seconds", 1}}},
      {"mixed",
       {{"average", 4.125}, {"layers", {{{"node", "c1"}, {"bits", 4}, {"snr_db", {{"4", 31.5}, {"8", 50.25}}}}}}}},
      {"protected",
       {{"nodes", {"stem", "wide"}},
        {"int16", {"wide"}},
        {"gptq", {"tail"}},
        {"mac_share", 0.042},
        {"before_db", 24.5},
        {"after_db", 31.75},
        {"float_db", 31.9},
        {"sensitivity",
         {{{"node", "stem"},
           {"snr_db", 19.25},
           {"mac_share", 0.03},
           {"float", true},
           {"int16", false},
           {"gptq_db", 20.5}},
          {{"node", "wide"},
           {"snr_db", 22.5},
           {"mac_share", 0.012},
           {"float", false},
           {"int16", true},
           {"int16_db", 44.5}},
          {{"node", "tail"},
           {"snr_db", 26.5},
           {"mac_share", 0.2},
           {"float", false},
           {"int16", false},
           {"gptq_db", 41.5}},
          {{"node", "other"}, {"snr_db", 50.5}, {"mac_share", 0.2}, {"float", false}, {"int16", false}}}}}},
      {"parts",
       {{"smooth", 30.5},
        {"calibrator", 7.5},
        {"bias_correction", 2.5},
        {"protect", 21.5},
        {"rounding", 9.5},
        {"mixed", 3.5},
        {"fit", 6.5},
        {"equalize", 1.5},
        {"calibration_check", 8.5}}}};
  const std::string page = render(run);
  expect_parts(page,
               {"What quantization chose",
                "SNR of boxes, scores&lt;0&gt; on 16 samples, in 1 min 12 s",
                "512 samples",
                "4.2 s",
                "strength 0.65: 1 value folded, 0 multiplied, 1 left",
                "17.5 dB → 26.2 dB",
                "30.5 s",
                ">mse<",
                "min-max 21.2 dB, mse 24.5 dB, percentile 23.0 dB",
                "7.5 s",
                "not kept",
                "24.5 dB → 23.9 dB",
                "2.5 s",
                "9 values",
                "24.5 dB → 25.5 dB",
                "1 pair, biases of 1 absorbed, 1 ReLU6 became ReLU (51.2 dB)",
                "4.12 bits of a weight on average",
                "gptq, 1 layer to the nearest",
                "weights of 1 layer rounded by GPTQ, 1 layer with 16-bit inputs, 1 layer in float, 4.20 % of the MACs",
                "24.5 dB → 31.8 dB",
                "21.5 s",
                "19.2 dB",
                "44.5 dB",
                "41.5 dB",
                "Bits by layer",
                "4: 31.5, 8: 50.25",
                "far&lt;1&gt;",
                "its input is 0 in all samples",
                "mask_fc",
                "made of constants alone"});
  EXPECT_EQ(page.find(">other<"), std::string::npos) << "only repaired layers";
  Json& choice = run["steps"][1]["quantized"]["choice"];
  for (const Json parts = choice; const auto& [part, unused] : parts.items()) {
    Json less = run;
    less["steps"][1]["quantized"]["choice"].erase(part);
    render(less);
  }
  choice = {{"note", "the model has no output of floats: nothing to choose by"}, {"calibrator", "min-max"}};
  expect_parts(render(run), {"no output of floats", ">min-max<"});
}

TEST(Report, WhatPruningFoundOut) {
  Json run = rich_run();
  Json& step = run["steps"][0];
  step["pruned"] = {{"pattern", "unstructured"}, {"sparsity", 0.5},
                    {"layers", {{{"weight", "w<1>"}, {"sparsity", 0.625}, {"threshold", 0.0125}}, {{"weight", "w2"}, {"sparsity", 0}}}}};
  step["filters"] = {{"groups", {{{"group", "conv<1>"}, {"layers", {"a", "b"}}, {"channels", 64}, {"kept", 40}, {"reason", nullptr}},
                                 {{"group", "last"}, {"layers", {"c"}}, {"channels", 10}, {"kept", 10}, {"reason", "it reaches the output"}}}}};
  step["blocks"] = {{"removed", {{{"block", "add_3"}, {"layers", {"d", "e"}}, {"score", 0.03125}, {"macs", 0.875}}}}};
  step["importance"] = {{"low", -1.0}, {"high", 1.0}, {"all", {4, 2}}, {"kept", {0, 2}}};
  run["layers"][0]["dims_after"] = {40, 64, 3, 3};
  const std::string page = render(run);
  expect_parts(page, {"Learned thresholds", "w&lt;1&gt;", "62.50 %", "0.012500", "conv&lt;1&gt;", "pruned", "it reaches the output",
                      "Removed blocks", "add_3", "0.0312", "87.50 %", "-1.0000 … 0.0000", "64×64×3×3 → 40×64×3×3"});
  EXPECT_EQ(page.find(">w2<"), std::string::npos) << "no threshold of its own";
  for (const char* key : {"pruned", "filters", "blocks", "importance"})
    for (const auto& [part, unused] : step[key].items()) {
      Json less = run;
      less["steps"][0][key].erase(part);
      render(less);
    }
}

TEST(Report, RichRun) {
  const std::string page = render(rich_run());
  if (const char* out = std::getenv("PARE_REPORT_OUT")) std::ofstream(out) << page;  // to look at
  expect_parts(page, {"24.1× smaller as gzip, 1.92× faster, −0.41 points (gate passed)", "fmnist_resnet10"});
  expect_parts(page, {"93.91 %", "93.50 %", "[93.44, 94.36]", "4.9 MB", "188.4 kB", "24.1×", "1.42 ms", "740 µs",
                      "2 threads, batch 1", "10000", "61.0 MB", "40.1 M"});
  expect_parts(page, {"✓ paid", "✗ did not pay", "Step prune did not pay", "latency is unchanged"});
  expect_parts(page,
               {"1.41 ms<br/><span class=\"soft\">1.25×"});  // a step against its own race, not against the final one
  expect_parts(page, {"Sparsity", "Bits per weight", "Measured latency", "spmm_u8s8s32__avx512vnni_vbmi_q64", "8:64",
                      "87.5 %", "64×64×3×3"});
  expect_parts(page, {"✗ no faster", "Importance: ranked → kept", "0.0000 … 0.5000", "1.5000 … 2.0000"});
  EXPECT_EQ(page.find("0.5000 … 1.0000"), std::string::npos) << "nothing scores that";
  expect_parts(page, {"Loss", "Top-1, %", "class=\"l-after\"", "class=\"l-third\"", "<svg", "aria-label"});
  expect_parts(page, {"max_drop: 0.9", "Debian 12", "Some CPU &lt;9000&gt;", "&quot;fm &amp; n.yaml&quot; -o out",
                      "prefers-color-scheme:dark"});
}

TEST(Report, MinimalRun) {
  const std::string page = render({{"format", "pare-run"}, {"version", 1}});
  expect_parts(page, {"Nothing to compare was measured", "—", "Before and after"});
  EXPECT_EQ(page.find("<section id=\"layers\""), std::string::npos);
  EXPECT_EQ(page.find("nan"), std::string::npos);
}

/// Sets every member to null in turn, at any depth.
void null_out_each(const Json& run, Json& part, int& pages) {
  if (!part.is_structured()) return;
  for (auto& [key, member] : part.items()) {
    if (key == "format" || key == "version") continue;
    const Json kept = member;
    if (!(part.is_array() && kept.is_object())) {  // entries of lists are objects by contract
      member = nullptr;
      EXPECT_EQ(broken_markup(render_html(run.dump())), "") << key;
      ++pages;
      member = kept;
    }
    null_out_each(run, member, pages);
  }
}

TEST(Report, AnyFigureMayBeAbsent) {
  Json run = rich_run(1);
  int pages = 0;
  null_out_each(run, run, pages);
  EXPECT_GT(pages, 100);
}

TEST(Report, TextIsEscapedEverywhere) {
  const std::string evil = "<script>alert('x')</script>\"&";
  Json run = rich_run(2);
  for (const char* key : {"command", "started", "recipe"}) run[key] = evil;
  run["metric"] = "top1";
  run["model"] = {{"name", evil}, {"path", evil}, {"hash", evil}};
  run["data"]["description"] = evil;
  run["environment"]["cpu"] = evil;
  run["environment"][evil] = 1;
  run["notes"] = {evil};
  run["gate"] = {{"passed", false}, {"split", evil}, {"drop", 2}, {"max_drop", 1}};
  run["layers"][0]["node"] = run["layers"][0]["op_type"] = evil;
  run["layers"][0]["after"]["kernel"] = run["layers"][0]["after"]["pattern"] = evil;
  run["layers"][0]["dims"] = {evil};
  run["steps"][0]["step"] = run["steps"][0]["method"] = evil;
  run["steps"][0]["options"] = {{evil, evil}};
  run["steps"][0]["notes"] = {evil};
  run["outputs"]["model"] = evil;
  const std::string page = render(run);  // render() looks for "<script"
  EXPECT_NE(page.find("&lt;script&gt;"), std::string::npos);
  Json odd = rich_run(1);
  odd["metric"] = evil;
  render(odd);
  std::string control = "a";
  control += '\1';
  odd["model"]["path"] = control + "b";
  EXPECT_NE(render(odd).find("a b"), std::string::npos);
}

TEST(Report, BadNewsIsLoud) {
  Json run = rich_run(2);
  run["gate"] = {{"passed", false}, {"split", "val"}, {"drop", 2.5}, {"max_drop", 0.5}};
  run["after"]["latency"]["median_ms"] = 2.84;
  run["after"]["gzip_bytes"] = 9082000;
  expect_parts(render(run), {"2.00× larger as gzip, 2.00× slower, −0.41 points (gate failed)",
                             "The quality gate failed.", "2.5 points", "0.5 were allowed", "The result is not faster",
                             "The result is not smaller", "class=\"verdict bad\""});
}

TEST(Report, AgreementWithoutLabels) {
  Json run = rich_run(1);
  run["metric"] = "agreement";
  run["before"]["test"]["agreement"] = 100.0;
  expect_parts(render(run), {"−1.30 points", "Agreement with the original"});
}

TEST(Report, HundredsOfLayersScroll) {
  const std::string page = render(rich_run(300));
  expect_parts(page, {"class=\"scroll tall\"", "/layer74/block3/conv/Conv"});
  EXPECT_LT(page.size(), 2u << 20);
}

void expect_refused(const std::string& text, const std::string& word) {
  try {
    render_html(text);
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
}

TEST(Report, MalformedRecords) {
  expect_refused("", "not JSON");
  expect_refused("{\"format\": \"pare-run\",", "not JSON");
  expect_refused("[1]", "not a JSON object");
  expect_refused("{}", "pare-run");
  expect_refused(R"({"format": "pare-run", "version": 2})", "version");
  expect_refused(R"({"format": "pare-run", "version": 1, "layers": {}})", "'layers'");
  expect_refused(R"({"format": "pare-run", "version": 1, "steps": [3]})", "'steps'");
  expect_refused(R"({"format": "pare-run", "version": 1, "before": []})", "'before'");
}

TEST(Report, Ticks) {
  EXPECT_EQ(report::round_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(report::round_ticks(1, 4, 6), (std::vector<double>{1, 1.5, 2, 2.5, 3, 3.5, 4}));
  EXPECT_EQ(report::round_ticks(3, 3, 6), (std::vector<double>{3}));
}

TEST(Report, Figures) {
  EXPECT_EQ(report::milliseconds(0.74), "740 µs");
  EXPECT_EQ(report::milliseconds(12.34), "12.3 ms");
  EXPECT_EQ(report::milliseconds(std::nullopt), "—");
  EXPECT_EQ(report::ratio(100.0, 0.0), "—");
  EXPECT_EQ(report::plain(10000.0), "10000");
  EXPECT_EQ(report::plain(0.18734), "0.1873");
  EXPECT_EQ(report::ratio(100.0, 8.0), "12.5×");
  EXPECT_EQ(report::difference(93.0, 93.0), "±0.00");
}

TEST(Report, ASingleEpochIsToldInWords) {
  Json run = rich_run();
  for (Json& step : run["steps"])
    if (step.contains("curve")) step["curve"] = {{{"epoch", 1}, {"train_loss", 0.25}, {"val_loss", 0.3125}}};
  const std::string page = render(run);
  EXPECT_NE(page.find("After the only epoch: Loss on train 0.25, Loss on val 0.3125."), std::string::npos);
  EXPECT_EQ(page.find("aria-label=\"Loss over epoch"), std::string::npos);
}

}  // namespace
}  // namespace pare::test
