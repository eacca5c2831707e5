// quantize/codebook: what is written, and that it means what was chosen.
#include <gtest/gtest.h>

#include "compress/quantize/layer_codebook.h"
#include "fakes.h"
#include "ir/codebook.h"
#include "ir/sparsity.h"
#include "passes/pass.h"

namespace pare::compress {
namespace {

using nlohmann::json;

struct Written {
  PipelineResult result;
  double noise = 0;
};

Written write(const std::string& options, const std::string& before = "") {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  Written written{world.run("steps: [" + before + "{quantize: {method: codebook" + options + "}}]"), 0};
  const NamedTensors inputs = world.dataset.test->batch({0, 1, 2, 3, 4, 5, 6, 7}).inputs;
  const Tensor a = ir::evaluate(world.model, inputs).begin()->second,
               b = ir::evaluate(written.result.model, inputs).begin()->second;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i)
    written.noise += std::pow(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i]), 2);
  return written;
}

TEST(Codebook, MoreEntriesAndFinerGranularityDisturbLess) {
  const double coarse = write(", entries: 4").noise, fine = write(", entries: 16").noise;
  EXPECT_LT(fine, coarse);
  EXPECT_LT(write(", entries: 200, granularity: tensor").noise, fine);
  EXPECT_LT(fine, write(", entries: 16, granularity: tensor").noise);
  EXPECT_GT(fine, 0);
}

TEST(Codebook, IsAGatherWithSmallIndices) {
  for (const auto& [options, type] : {std::pair{", entries: 16", DType::kUint4}, {", entries: 17", DType::kUint8}}) {
    const ir::Model model = write(options).result.model;
    const Tensor& indices = *model.graph.constant(model.graph.find_value("body.weight_indices"));
    EXPECT_EQ(indices.dtype(), type);
    EXPECT_EQ(model.graph.find_value("body.weight"), ir::kNoValue) << "the weight itself is gone";
    const ir::NodeId gather = model.graph.value(model.graph.find_value("body.weight_gathered")).producer;
    EXPECT_TRUE(model.graph.node(gather).is("Gather"));
    EXPECT_EQ(model.opset(""), type == DType::kUint4 ? 21 : std::max<std::int64_t>(13, model.opset("")));
  }
}

TEST(Codebook, ALayerIsWhatItsIndicesSay) {
  Builder builder;
  const ir::ValueId x = builder.input("x", {1, 3, 6, 6});
  ir::Model model = builder.finish(builder.conv("body", x, 3, 5, 1));
  const Layer layer = find_layers(model.graph).at(0);
  const Tensor weight = *model.graph.constant(layer.weight.value);
  Rng rng(1, kRngTest);
  const LayerCodebook made =
      make_codebook(layer, weight, {.levels = &find_levels("kmeans"), .entries = 8, .sharing = CodebookSpec::Sharing::kChannels}, rng);
  EXPECT_EQ(made.parts, 5);
  double off = 0, power = 0;
  for (std::int64_t i = 0; i < weight.numel(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const float value = made.codebook[at / 27 * 8 + made.indices.data<std::uint8_t>()[at]];
    off += std::pow(static_cast<double>(value) - static_cast<double>(weight.data<float>()[at]), 2);
    power += std::pow(static_cast<double>(weight.data<float>()[at]), 2);
    for (std::size_t k = 0; k < 8; ++k)
      EXPECT_LE(std::fabs(value - weight.data<float>()[at]),
                std::fabs(made.codebook[at / 27 * 8 + k] - weight.data<float>()[at]) + 1e-6F);
  }
  EXPECT_NEAR(made.error, off / power, 1e-9);
}

TEST(Codebook, PrunedWeightsStayZero) {
  for (const Levels* kind : level_kinds()) {
    const Written written =
        write(", entries: 8, levels: " + std::string(kind->name), "{prune: {sparsity: 0.75}}, ");
    EXPECT_EQ(written.result.run.at("steps").at(1).at("codebook").at("levels"), std::string(kind->name));
    ir::Model folded = written.result.model;
    passes::simplify(folded);
    const ir::ValueId weight = folded.graph.find_value("body.weight_gathered");
    ASSERT_NE(weight, ir::kNoValue);
    EXPECT_GE(ir::sparsity(*folded.graph.constant(weight)), 0.75) << kind->name;
  }
}

TEST(Codebook, IsTheSameForTheSameSeed) {
  const auto indices = [](const char* options) {
    const ir::Model model = write(options).result.model;
    return model.graph.constant(model.graph.find_value("body.weight_indices"))->clone();
  };
  EXPECT_TRUE(indices(", start: random").identical(indices(", start: random")));
  EXPECT_FALSE(indices(", start: random").identical(indices(", start: linear")));
}

TEST(Codebook, CountsTheWeightsItStandsFor) {
  const Written written = write("");
  const ir::Model& model = written.result.model;
  EXPECT_TRUE(ir::has_codebooks(model.graph));
  const json& run = written.result.run;
  EXPECT_EQ(run.at("after").at("parameters"), run.at("before").at("parameters"));
}

TEST(Codebook, NoFurtherStepTakesIt) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  world.model = write("").result.model;
  for (const char* step : {"prune: {sparsity: 0.5}", "quantize", "finetune: {epochs: 1}"}) {
    const Error error = error_of([&] { world.run("steps: [" + std::string(step) + "]"); });
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << step;
    EXPECT_NE(std::string(error.what()).find(".weight_indices"), std::string::npos) << error.what();
  }
}

TEST(Codebook, ExpandsToTheSameWeightsWithoutTheGather) {
  const ir::Model model = write("").result.model;
  ir::Model expanded = model, folded = model;
  ir::expand_codebooks(expanded);
  passes::simplify(folded);
  const auto weight = [](const ir::Model& m) { return m.graph.constant(m.graph.find_value("body.weight_gathered")); };
  ASSERT_NE(weight(expanded), nullptr);
  EXPECT_TRUE(weight(expanded)->identical(*weight(folded)));
  EXPECT_FALSE(ir::has_codebooks(expanded.graph));
}

TEST(Codebook, RefusesWhatItCannotDo) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  for (const char* options : {"entries: 1", "entries: 257", "levels: kmean", "start: middle", "levels: log, entries: 2", "exclude: [nothing]",
                              "vector: 4, levels: log", "vector: 4, start: linear", "granularity: position",
                              "levels: log, weighting: inputs", "vector: 65"})
    EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {method: codebook, " + std::string(options) + "}}]"); }).code(),
              ErrorCode::kUsage)
        << options;
  EXPECT_NE(error_of([&] { world.run("steps: [{quantize: {method: codebook}}, {prune: {sparsity: 0.5}}]"); }).code(),
            ErrorCode::kInternal);
}

}  // namespace
}  // namespace pare::compress
