#include <gtest/gtest.h>

#include "compress/provenance.h"
#include "fakes.h"

namespace pare::compress {
namespace {

/// A world whose folder holds a teacher of the given model.
struct School : World {
  explicit School(const std::string& name, const ir::Model& teacher = residual_model(16)) : World(name) {
    std::filesystem::create_directories(folder);
    path = (folder / "teacher.onnx").string();
    store.save(teacher, path);
  }
  PipelineResult learn(const std::string& options) {
    return run("steps: [{distill: {teacher: '" + path + "', batch_size: 8, epochs: 1" + options + "}}]");
  }
  std::string path;
};

ir::Model with_input(const std::string& name, std::int64_t channels, std::int64_t outputs) {
  Builder b;
  ir::ValueId x = b.input(name, {ir::Dim::symbol("N"), channels, 8, 8});
  ir::ValueId flat =
      b.add("Flatten", "flat", {b.add("GlobalAveragePool", "mean", {b.conv("conv", x, channels, 4, 1)})});
  return b.finish(b.add("Gemm", "head",
                        {flat, b.constant("head.weight", random_tensor({outputs, 4}, 4)),
                         b.constant("head.bias", random_tensor({outputs}, 5))},
                        {{"transB", std::int64_t{1}}}));
}

TEST(Distill, TheTeacherIsTheOtherModel) {
  School world("distill");
  const PipelineResult result = world.learn(", temperature: 3");
  EXPECT_TRUE(world.factory.had_teacher);
  EXPECT_EQ(world.factory.last_options.loss.alpha, 0.9);
  EXPECT_EQ(world.factory.last_options.loss.temperature, 3);
  const nlohmann::json& step = result.run["steps"][0];
  EXPECT_EQ(step["curve"].size(), 1u);
  EXPECT_FALSE(step["teacher"]["hash"].get<std::string>().empty());
  const std::string provenance = provenance_of(result.model).dump();
  EXPECT_EQ(provenance.find(world.path), std::string::npos) << "paths do not travel with the model";
  EXPECT_NE(provenance.find(step["teacher"]["hash"].get<std::string>()), std::string::npos);
}

TEST(Distill, WithoutLabelsTheTeacherIsAll) {
  School world("distill_unlabelled");
  world.dataset = image_data(false);
  world.learn("");
  EXPECT_EQ(world.factory.last_options.loss.alpha, 1);
  EXPECT_EQ(error_of([&] { world.learn(", alpha: 0.5"); }).code(), ErrorCode::kUsage);
}

TEST(Distill, ASingleInputMayHaveAnotherName) {
  School world("distill_name", with_input("picture", 1, 4));
  EXPECT_NO_THROW(world.learn(""));
}

TEST(Distill, RefusesOtherInputsAndOutputs) {
  School colour("distill_colour", with_input("image", 3, 4));
  Error error = error_of([&] { colour.learn(""); });
  EXPECT_EQ(error.code(), ErrorCode::kBadInput);
  EXPECT_NE(std::string(error.what()).find("input of another type"), std::string::npos) << error.what();
  School classes("distill_classes", with_input("image", 1, 7));
  error = error_of([&] { classes.learn(""); });
  EXPECT_EQ(error.code(), ErrorCode::kBadInput);
  EXPECT_NE(std::string(error.what()).find("another output"), std::string::npos) << error.what();
  EXPECT_EQ(classes.factory.created, 0);
}

TEST(Distill, ComparesTheFeaturesThatAreNamed) {
  School world("distill_features", residual_model(8));
  const nlohmann::json step = world.learn(", features: [Relu], feature_weight: 2").run["steps"][0];
  const exec::LossOptions& loss = world.factory.last_options.loss;
  EXPECT_FALSE(loss.features.empty());
  EXPECT_EQ(loss.feature_weight, 2);
  EXPECT_EQ(step["distill"]["features"], nlohmann::json(loss.features));
  EXPECT_EQ(step["distill"]["feature_weight"], 2);
  world.learn("");
  EXPECT_TRUE(world.factory.last_options.loss.features.empty());
}

TEST(Distill, RefusesFeaturesThatAreNotShared) {
  School world("distill_features_of_none");
  Error error = error_of([&] { world.learn(", features: [Reluu]"); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_NE(std::string(error.what()).find("Reluu"), std::string::npos) << error.what();
  error = error_of([&] { world.learn(", features: [Relu]"); });
  EXPECT_NE(std::string(error.what()).find("differs in shape"), std::string::npos) << error.what();
  EXPECT_EQ(std::string(error.what()).find("distill.distill"), std::string::npos) << error.what();
  School other("distill_features_of_another", with_input("image", 1, 4));
  error = error_of([&] { other.learn(", features: [conv]"); });
  EXPECT_NE(std::string(error.what()).find("distill.features"), std::string::npos) << error.what();
  EXPECT_EQ(other.factory.created, 0);
}

TEST(Distill, NeedsATeacher) {
  World world("distill_alone");
  EXPECT_EQ(error_of([&] { world.run("steps: [distill]"); }).code(), ErrorCode::kUsage);
}

TEST(Distill, AnotherTeacherUnderTheSameNameIsNotResumed) {
  School world("distill_resume");
  const Recipe recipe =
      parse_recipe("steps: [{distill: {teacher: '" + world.path + "', batch_size: 8, epochs: 1}}]", "r.yaml");
  PipelineInputs inputs = world.inputs(recipe);
  inputs.checkpoints = world.folder / "checkpoints";
  run_pipeline(inputs);
  world.store.save(residual_model(12), world.path);
  inputs.resume = true;
  EXPECT_EQ(error_of([&] { run_pipeline(inputs); }).code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace pare::compress
