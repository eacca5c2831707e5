#include "compress/prune/reconstruct.h"

#include <gtest/gtest.h>

#include "compress/fakes.h"

namespace pare::compress {
namespace {

using Ints = std::vector<std::int64_t>;

/// Removes units of groups, by the names of these, and reconstructs.
struct Removal {
  Removal(const std::string& folder, ir::Model model, const std::map<std::string, Ints>& units, const std::string& kind,
          double damping = 1e-7)
      : world(folder), original(std::move(model)), pruned(original) {
    data::Dataset data;
    data.train = ImageSplit::make(0, 64);
    const nlohmann::json options = {{"reconstruct", kind}, {"samples", 64}, {"damping", damping}};
    const StepContext context{options, original,      data,    world.backend, world.trainer,
                              {},      world.control, nullptr, record};
    const auto groups = ir::channel_groups(original);
    RemovedUnits removed(groups.size());
    for (std::size_t g = 0; g < groups.size(); ++g)
      if (const auto found = units.find(groups[g].name); found != units.end()) removed[g] = found->second;
    ir::remove_units(pruned, groups, removed);
    reconstruct(original, pruned, groups, removed, context);
  }
  /// Largest difference of the outputs on images that were not among the samples.
  double difference() const {
    const NamedTensors inputs = ImageSplit::make(500, 8)->batch(Ints{0, 1, 2, 3, 4, 5, 6, 7}, 0, 0).inputs;
    const std::string output = original.graph.value(original.graph.outputs[0]).name;
    const Tensor a = ir::evaluate(original, inputs).at(output), b = ir::evaluate(pruned, inputs).at(output);
    EXPECT_EQ(a.dims(), b.dims());
    double most = 0;
    for (std::size_t i = 0; i < a.data<float>().size(); ++i)
      most =
          std::max(most, std::fabs(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i])));
    return most;
  }
  World world;
  ir::Model original, pruned;
  nlohmann::json record;
};

/// a: 1 → 6 channels, b reads them, c reads b's. Channel 5 of a is 0.5·channel 0 − 2·channel 1 + 0.25.
ir::Model redundant(std::int64_t kernel) {
  Builder b;
  Tensor weight = random_tensor({6, 1, 3, 3}, 1), bias = random_tensor({6}, 2);
  auto w = weight.mutable_data<float>(), v = bias.mutable_data<float>();
  for (std::size_t i = 0; i < 9; ++i) w[45 + i] = 0.5F * w[i] - 2 * w[9 + i];
  v[5] = 0.5F * v[0] - 2 * v[1] + 0.25F;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId a = b.add("Conv", "a", {x, b.constant("a.w", weight), b.constant("a.b", bias)});
  const ir::ValueId second = b.add("Conv", "b", {a, b.constant("b.w", random_tensor({4, 6, kernel, kernel}, 3))},
                                   {{"strides", Ints{kernel, 1}}});
  const ir::ValueId mean = b.add("GlobalAveragePool", "mean", {b.add("Relu", "relu", {second})});
  return b.finish(
      b.add("Gemm", "head", {b.add("Flatten", "flat", {mean}), b.constant("h.w", random_tensor({4, 3}, 5))}));
}

TEST(Reconstruct, LeastSquaresRestoresWhatOthersCanSay) {
  // Taps see overlapping pixels, so that more damping is needed for a kernel of 3.
  const Removal wide("redundant_wide", redundant(3), {{"a", {5}}}, "least_squares", 1e-5);
  EXPECT_LT(wide.difference(), 1e-4);
  const Removal none("redundant_none", redundant(1), {{"a", {5}}}, "none"),
      solved("redundant", redundant(1), {{"a", {5}}}, "least_squares");
  EXPECT_GT(none.difference(), 0.02);
  EXPECT_LT(solved.difference(), 1e-5);
  EXPECT_TRUE(none.record.is_null());
  const auto& layers = solved.record.at("reconstruction").at("layers");
  ASSERT_EQ(layers.size(), 1U) << "only b reads what went";
  EXPECT_EQ(layers[0].at("layer"), "b");
  EXPECT_GT(layers[0].at("error_before").get<double>(), 0.05);
  EXPECT_LT(layers[0].at("error_after").get<double>(), 1e-3);
  EXPECT_EQ(solved.pruned.graph.node(solved.pruned.graph.find_node("b")).inputs.size(), 3U) << "a bias came to it";
}

/// Channel 2 of a is the constant 0.7.
ir::Model constant_channel(bool matrix) {
  Builder b;
  Tensor weight = random_tensor({5, 1, 1, 1}, 11), bias = random_tensor({5}, 12);
  weight.mutable_data<float>()[2] = 0;
  bias.mutable_data<float>()[2] = 0.7F;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId a =
      b.add("Relu", "relu", {b.add("Conv", "a", {x, b.constant("a.w", weight), b.constant("a.b", bias)})});
  if (!matrix)
    return b.finish(
        b.add("Conv", "b",
              {a, b.constant("b.w", random_tensor({4, 5, 3, 3}, 13)), b.constant("b.b", random_tensor({4}, 14))}));
  const ir::ValueId last = b.add("Transpose", "last", {a}, {{"perm", Ints{0, 2, 3, 1}}});
  const ir::ValueId product = b.add("MatMul", "b", {last, b.constant("b.w", random_tensor({5, 4}, 13))});
  return b.finish(b.add("Add", "sum", {product, b.constant("b.b", random_tensor({4}, 14))}));
}

TEST(Reconstruct, BiasRestoresConstantChannels) {
  for (const bool matrix : {false, true}) {
    const Removal none("constant_none", constant_channel(matrix), {{"a", {2}}}, "none"),
        bias("constant_bias", constant_channel(matrix), {{"a", {2}}}, "bias");
    EXPECT_GT(none.difference(), 0.02) << matrix;
    EXPECT_LT(bias.difference(), 1e-5) << matrix;
    const auto w = [](const ir::Model& model) {
      const Tensor& t = *model.graph.constant(model.graph.find_value("b.w"));
      return std::vector<float>(t.data<float>().begin(), t.data<float>().end());
    };
    EXPECT_EQ(w(none.pruned), w(bias.pruned)) << "weights stay";
  }
}

/// skip (of a's channels) + main (of c's). c's first nine channels are the nine pixels around, the tenth is a mixture.
ir::Model two_branches() {
  Builder b;
  Tensor pixels = random_tensor({10, 1, 3, 3}, 41);
  for (std::size_t i = 0; i < 81; ++i) pixels.mutable_data<float>()[i] = i % 10 == 0 ? 1.0F : 0.0F;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const auto bias = [&](const std::string& name) { return b.constant(name, random_tensor({2}, 44)); };
  const ir::ValueId a = b.add("Conv", "a", {x, b.constant("a.w", random_tensor({3, 1, 3, 3}, 42))});
  const ir::ValueId skip =
      b.add("Conv", "skip", {a, b.constant("skip.w", random_tensor({2, 3, 1, 1}, 43)), bias("skip.b")});
  const ir::ValueId c = b.add("Conv", "c", {x, b.constant("c.w", pixels)});
  const ir::ValueId main =
      b.add("Conv", "main", {c, b.constant("main.w", random_tensor({2, 10, 1, 1}, 45)), bias("main.b")});
  return b.finish(b.add("Relu", "out", {b.add("Add", "sum", {skip, main})}));
}

TEST(Reconstruct, TheLaterOfTwoSummedLayersTakesTheErrorOfBoth) {
  // Two of three channels cannot say what the third said to skip; main's nine pixels can.
  const Removal both("branches", two_branches(), {{"a", {2}}, {"c", {9}}}, "least_squares"),
      skip("branch", two_branches(), {{"a", {2}}}, "least_squares");
  EXPECT_GT(skip.difference(), 0.05);
  EXPECT_LT(both.difference(), 1e-4);
}

TEST(Reconstruct, EachReaderInGraphOrderSeesTheCorrectedOnesBefore) {
  const ir::Model model = residual_model();
  const Removal none("residual_none", model, {{"body", {0, 2, 4, 6}}}, "none"),
      bias("residual_bias", model, {{"body", {0, 2, 4, 6}}}, "bias"),
      solved("residual", model, {{"body", {0, 2, 4, 6}}}, "least_squares", 1e-4);
  EXPECT_LT(bias.difference(), none.difference());
  EXPECT_LT(solved.difference(), 0.5 * none.difference());
  for (const char* kind : {"bias", "least_squares"}) {
    // The stem's channels are those of tail and of the sum: tail loses outputs, body and head inputs.
    const Removal stem(std::string("stem_") + kind, model, {{"stem", {1, 5}}}, kind, 1e-4);
    const auto& layers = stem.record.at("reconstruction").at("layers");
    ASSERT_EQ(layers.size(), 2U) << kind;
    EXPECT_EQ(layers[0].at("layer"), "body");
    EXPECT_EQ(layers[1].at("layer"), "head");
    EXPECT_LT(layers[1].at("error_after").get<double>(), layers[1].at("error_before").get<double>());
  }
}

TEST(Reconstruct, GroupedConvolutionsAreLeftAndRecorded) {
  Builder b;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId a = b.add("Relu", "relu", {b.conv("a", x, 1, 6, 21)});
  const ir::ValueId deep =
      b.add("Conv", "deep", {a, b.constant("deep.w", random_tensor({6, 1, 3, 3}, 22))}, {{"group", std::int64_t{6}}});
  const ir::Model model = b.finish(b.conv("c", deep, 6, 3, 23));
  for (const char* kind : {"bias", "least_squares"}) {
    const Removal removal(std::string("grouped_") + kind, model, {{"a", {1, 4}}}, kind);
    const auto& layers = removal.record.at("reconstruction").at("layers");
    ASSERT_EQ(layers.size(), 2U) << kind;
    EXPECT_EQ(layers[0].at("layer"), "deep");
    EXPECT_EQ(layers[0].at("reason"), "it is a grouped convolution");
    EXPECT_TRUE(layers[1].at("reason").is_null()) << layers[1];
    const ir::Graph& graph = removal.pruned.graph;
    const Tensor& left = *graph.constant(graph.find_value("deep.w"));
    const Tensor& was = *model.graph.constant(model.graph.find_value("deep.w"));
    ASSERT_EQ(left.dims(), (Dims{4, 1, 3, 3}));
    for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(left.data<float>()[i], was.data<float>()[i]);
  }
}

TEST(Reconstruct, NeedsTrainingSamples) {
  World world("reconstruct_no_train");
  world.dataset.train = nullptr;
  const Error error =
      error_of([&] { world.run("steps: [{prune: {method: filters, ratio: 0.5, reconstruct: bias}}]"); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_NE(std::string(error.what()).find("prune.reconstruct"), std::string::npos) << error.what();
}

TEST(Reconstruct, RunsAsAnOptionOfFilters) {
  World world("reconstruct_option");
  const PipelineResult result = world.run(
      "steps: [{prune: {method: filters, ratio: 0.5, round_to: 1, samples: 16, reconstruct: least_squares}}]");
  const auto& made = result.run["steps"][0]["reconstruction"];
  EXPECT_EQ(made["by"], "least_squares");
  EXPECT_FALSE(made["layers"].empty());
  for (const auto& layer : made["layers"])
    EXPECT_LE(layer["error_after"].get<double>(), layer["error_before"].get<double>() + 1e-9) << layer;
}

}  // namespace
}  // namespace pare::compress
