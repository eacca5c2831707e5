#include "compress/prune/filter_rounds.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "../fakes.h"
#include "compress/prune/unit_selection.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::string recipe(const std::string& options) {
  return "steps: [{prune: {method: filters, round_to: 1, batch_size: 8, " + options + "}}]";
}

struct Rounds : World {
  explicit Rounds(const std::string& name) : World("filter_rounds_" + name) { model = residual_model(32); }
  json step(const std::string& options) { return run(recipe("epochs: 3, " + options)).run["steps"][0]; }
};

TEST(FilterRounds, ReachWhatOneRemovalReaches) {
  for (const char* scope : {"layer", "global"}) {
    Rounds world("reach");
    const json once = world.step(std::string("ratio: 0.5, scope: ") + scope),
               often = world.step(std::string("ratio: 0.5, rounds: 3, scope: ") + scope);
    EXPECT_FALSE(once.contains("rounds"));
    EXPECT_EQ(often["filters"]["channels_before"], once["filters"]["channels_before"]);
    EXPECT_EQ(often["filters"]["channels_after"], once["filters"]["channels_after"]) << scope;
    ASSERT_EQ(often["rounds"].size(), 3U);
    std::int64_t channels = often["filters"]["channels_before"];
    double macs = 1;
    for (const json& round : often["rounds"]) {
      EXPECT_EQ(round["filters"]["channels_before"], channels);
      channels = round["filters"]["channels_after"];
      EXPECT_LT(round["macs"].get<double>(), macs);
      macs = round["macs"];
      EXPECT_EQ(round["curve"].size(), 1U) << "an epoch each";
    }
    EXPECT_EQ(often["filters"]["channels_after"], channels);
    ASSERT_EQ(often["curve"].size(), 3U);
    EXPECT_EQ(often["curve"][2]["epoch"], 3);
    EXPECT_EQ(often["curve"][2]["step"], 15);
    for (const json& group : often["filters"]["groups"])
      EXPECT_EQ(group["kept"] < group["channels"], group["reason"].is_null()) << group.dump();
  }
}

TEST(FilterRounds, EachRemovesTheSameShareOfWhatIsLeft) {
  Rounds world("share");
  const json rounds = world.step("ratio: 0.75, rounds: 2, include: [body]")["rounds"];
  const auto removed = [&](std::size_t r) {
    return rounds[r]["filters"]["channels_before"].get<int>() - rounds[r]["filters"]["channels_after"].get<int>();
  };
  EXPECT_EQ(removed(0), 16) << "half of 32";
  EXPECT_EQ(removed(1), 8) << "and half of the rest";
}

TEST(FilterRounds, MeetBudgetsOfTheWholeModel) {
  Rounds world("budget");
  const PipelineResult result = world.run(recipe("epochs: 3, macs: 0.4, rounds: 2, scope: global"));
  EXPECT_TRUE(result.gate_passed);
  EXPECT_LE(result.run["after"]["macs"].get<double>(), 0.4 * result.run["before"]["macs"].get<double>());
  const json& rounds = result.run["steps"][0]["rounds"];
  EXPECT_LE(rounds[0]["macs"].get<double>(), std::sqrt(0.4));
  EXPECT_GT(rounds[0]["macs"].get<double>(), 0.4 + 0.1);
  EXPECT_NEAR(result.run["steps"][0]["budget"]["reached"].get<double>(), rounds[1]["macs"].get<double>(), 1e-12);
  EXPECT_FALSE(world.run(recipe("epochs: 3, macs: 0.001, rounds: 2")).gate_passed);
}

TEST(FilterRounds, WithoutTrainingEachJudgesAnew) {
  Rounds world("untrained");
  const json step = world.run(recipe("rounds: 2, ratio: 0.5, importance: wanda")).run["steps"][0];
  EXPECT_EQ(step["rounds"].size(), 2U);
  EXPECT_EQ(world.factory.created, 0);
}

TEST(FilterRounds, KilledInAnyRoundResumeToTheSameModel) {
  const std::string options = "epochs: 3, ratio: 0.5, rounds: 3";
  Rounds whole("whole");
  const PipelineResult wanted = whole.run(recipe(options));
  for (int stop : {1, 2, 3}) {
    Rounds world("killed");
    std::atomic<int> cancel = 0;
    const std::string stage = "prune round " + std::to_string(stop) + "/3";
    world.control.cancel = &cancel;
    world.control.progress = [&](const ProgressEvent& event) {
      if (event.stage.starts_with(stage) && event.done >= 2) cancel = 143;
    };
    EXPECT_EQ(error_of([&] { world.run(recipe(options)); }).code(), ErrorCode::kTerminated) << stop;
    world.control = {};
    world.resume = true;
    const int created = world.factory.created;
    const PipelineResult result = world.run(recipe(options));
    EXPECT_EQ(world.factory.created - created, 4 - stop) << "finished rounds are not trained again";
    EXPECT_EQ(world.store.serialize(result.model), whole.store.serialize(wanted.model)) << stop;
    EXPECT_EQ(result.run["steps"][0]["filters"], wanted.run["steps"][0]["filters"]) << stop;
    EXPECT_EQ(result.run["steps"][0]["curve"].size(), 3U) << stop;
    for (const auto& file : std::filesystem::directory_iterator(world.folder / "checkpoints"))
      EXPECT_EQ(file.path().filename().string().find("round"), std::string::npos) << file.path();
  }
}

TEST(FilterRounds, RefusesWhatCannotBeDivided) {
  Rounds world("refused");
  const auto refusal = [&](const std::string& options) {
    const Error error = error_of([&] { world.run("steps: [{prune: {method: filters, " + options + "}}]"); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
    return std::string(error.what());
  };
  EXPECT_NE(refusal("rounds: 9, epochs: 0.5").find("prune.rounds"), std::string::npos);
  EXPECT_NE(refusal("rounds: 2, threshold: 0.5").find("prune.threshold"), std::string::npos);
  EXPECT_NE(refusal("rounds: 2, importance: bn-scale").find("prune.rounds"), std::string::npos);
  EXPECT_NE(refusal("rounds: 0").find("rounds"), std::string::npos);
  world.dataset = {};
  EXPECT_NE(refusal("epochs: 1").find("train split"), std::string::npos);
}

TEST(UnitSelection, SharesAreOfWhatWasThereBefore) {
  ir::ChannelGroup group;
  group.units = 6;
  const std::vector<std::vector<double>> scores = {{6, 5, 4, 3, 2, 1}};
  UnitRule rule{.ratio = 0.5, .round_to = 1, .whole = {8}};
  EXPECT_EQ(select_units({group}, scores, rule), (RemovedUnits{{4, 5}})) << "two of the four are gone already";
  rule.global = true;
  EXPECT_EQ(select_units({group}, scores, rule), (RemovedUnits{{4, 5}}));
  rule.ratio = 0.9, rule.most = 0.75;
  EXPECT_EQ(select_units({group}, scores, rule), (RemovedUnits{{2, 3, 4, 5}})) << "a quarter of eight stays";
  rule.ratio = 0.1;
  EXPECT_EQ(select_units({group}, scores, rule), RemovedUnits(1));
}

}  // namespace
}  // namespace pare::compress
