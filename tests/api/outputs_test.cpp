#include "api/outputs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "base/file.h"
#include "onnx/onnx_file.h"

namespace pare::api {
namespace {

class Outputs : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("pare_outputs_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  pare::Outputs directory(const std::string& name) const { return {(folder_ / name).string(), "", ""}; }
  void write(const fs::path& path, const std::string& content) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << content;
  }
  std::vector<std::string> listing() const {
    std::vector<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      paths.push_back(fs::relative(entry.path(), folder_).string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  static ErrorCode code_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode{};
  }

  fs::path folder_;
};

/// Every save fails as on a full disk.
class FullDisk : public exec::ModelStore {
 public:
  ir::Model load(const std::string&) const override { return {}; }
  void save(const ir::Model&, const std::string& path) const override {
    throw Error(ErrorCode::kIo, path, "no space left on device");
  }
  void visit_content(const ir::Model&, const std::function<void(std::string_view)>&) const override {}
};

using Names = std::vector<std::string>;

TEST_F(Outputs, CommitWritesAllAndLeavesNoStage) {
  OutputGuard guard(directory("a/b"), false, false);
  guard.open();
  guard.commit(onnx::store(), ir::Model{}, "{}", "<html>", "steps: []");
  EXPECT_EQ(listing(), (Names{"a", "a/b", "a/b/model.onnx", "a/b/recipe.yaml", "a/b/report.html", "a/b/run.json"}));
  EXPECT_EQ(read_file(folder_ / "a/b/run.json"), "{}");
}

TEST_F(Outputs, AFolderThatVanishedMeanwhileIsMadeAgain) {
  OutputGuard guard(directory("a/b"), false, false);
  guard.open();
  fs::remove_all(folder_ / "a");
  guard.commit(onnx::store(), ir::Model{}, "{}", "<html>", "steps: []");
  EXPECT_EQ(listing(), (Names{"a", "a/b", "a/b/model.onnx", "a/b/recipe.yaml", "a/b/report.html", "a/b/run.json"}));
}

TEST_F(Outputs, AFullDiskKeepsOldResultsAndLeavesNothingNew) {
  write("out/model.onnx", "old");
  OutputGuard guard(directory("out"), false, true);
  guard.open();
  EXPECT_EQ(code_of([&] { guard.commit(FullDisk(), ir::Model{}, "{}", "", ""); }), ErrorCode::kIo);
  guard.abandon(ErrorCode::kIo);
  EXPECT_EQ(listing(), (Names{"out", "out/model.onnx"}));
  EXPECT_EQ(read_file(folder_ / "out/model.onnx"), "old");
}

TEST_F(Outputs, AbandonRemovesEveryFolderItMade) {
  OutputGuard guard(directory("a/b/c"), false, false);
  guard.open();
  EXPECT_EQ(listing(), (Names{"a", "a/b", "a/b/c"}));
  guard.abandon(ErrorCode::kInterrupted);
  EXPECT_EQ(listing(), Names{});
}

TEST_F(Outputs, CheckpointsStayAfterAnInterruptionOnly) {
  for (const ErrorCode code : {ErrorCode::kInterrupted, ErrorCode::kIo, ErrorCode::kBadInput}) {
    OutputGuard guard(directory("out"), false, false);
    guard.open();
    write("out/checkpoints/step", "state");
    guard.abandon(code);
    if (code == ErrorCode::kBadInput) {
      EXPECT_EQ(listing(), Names{});
    } else {
      EXPECT_EQ(listing(), (Names{"out", "out/checkpoints", "out/checkpoints/step"}));
    }
    fs::remove_all(folder_ / "out");
  }
}

TEST_F(Outputs, ARefusedResumeKeepsTheCheckpoints) {
  write("out/checkpoints/step", "state");
  OutputGuard guard(directory("out"), true, false);
  guard.open();
  guard.abandon(ErrorCode::kUsage);
  EXPECT_EQ(listing(), (Names{"out", "out/checkpoints", "out/checkpoints/step"}));
}

TEST_F(Outputs, RefusesBeforeTouchingAnything) {
  write("out/run.json", "old");
  write("half/checkpoints/step", "state");
  EXPECT_EQ(code_of([&] { OutputGuard(directory("out"), false, false); }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([&] { OutputGuard(directory("half"), false, false); }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([&] { OutputGuard(directory("new"), true, false); }), ErrorCode::kBadInput);
  EXPECT_EQ(code_of([&] { OutputGuard(directory("out/run.json"), false, false); }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([&] { OutputGuard({"d", "f.onnx", ""}, false, false); }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([&] { OutputGuard({"", "", "r"}, false, false); }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([&] { OutputGuard(directory("out"), false, true); }), ErrorCode{});
}

TEST_F(Outputs, ALoneModelFileLosesItsCheckpoints) {
  OutputGuard guard({"", (folder_ / "m.onnx").string(), ""}, false, false);
  guard.open();
  write("m.onnx.checkpoints/step", "state");
  guard.commit(onnx::store(), ir::Model{}, "{}", "", "");
  EXPECT_EQ(listing(), Names{"m.onnx"});
}

}  // namespace
}  // namespace pare::api
