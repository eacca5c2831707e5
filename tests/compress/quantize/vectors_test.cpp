// k-means over vectors against trying every clustering, and codebooks of vectors as they are written.
#include "compress/quantize/vectors.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "../fakes.h"
#include "base/float16.h"
#include "compress/quantize/layer_codebook.h"
#include "ir/codebook.h"
#include "passes/pass.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// Σ h·(x − mean)² of the best of all clusterings into `count`.
double least_error(const std::vector<float>& points, const std::vector<float>& counts, std::size_t length, int count) {
  const std::size_t n = points.size() / length;
  std::vector<int> of(n, 0);
  double least = std::numeric_limits<double>::infinity();
  const std::function<void(std::size_t)> next = [&](std::size_t i) {
    if (i < n) {
      for (of[i] = 0; of[i] < count; ++of[i]) next(i + 1);
      return;
    }
    double sum = 0;
    for (int k = 0; k < count; ++k)
      for (std::size_t j = 0; j < length; ++j) {
        double mass = 0, total = 0, squares = 0;
        for (std::size_t p = 0; p < n; ++p) {
          if (of[p] != k) continue;
          const double h = counts.empty() ? 1 : static_cast<double>(counts[p * length + j]);
          const auto x = static_cast<double>(points[p * length + j]);
          mass += h, total += h * x, squares += h * x * x;
        }
        if (mass > 0) sum += squares - total * total / mass;
      }
    least = std::min(least, sum);
  };
  next(0);
  return least;
}

double error_of_rows(const std::vector<float>& points, const std::vector<float>& counts, std::int64_t length,
                     const std::vector<float>& rows) {
  std::vector<double> error;
  nearest_vectors(points, counts, length, rows, &error);
  double sum = 0;
  for (const double one : error) sum += one;
  return sum;
}

TEST(Vectors, FindTheBestClusteringOfFewPoints) {
  const Tensor data = random_tensor({9, 2}, 3, 1.0F), weights = random_tensor({9, 2}, 4, 1.0F);
  const std::vector<float> points(data.data<float>().begin(), data.data<float>().end());
  std::vector<float> counts;
  for (const float w : weights.data<float>()) counts.push_back(w * w + 0.1F);
  for (const auto& importance : {std::vector<float>(), counts}) {
    double best = std::numeric_limits<double>::infinity();
    for (std::uint64_t seed = 0; seed < 20; ++seed) {  // Lloyd's iteration ends where it starts near
      Rng rng(seed, kRngTest);
      const std::vector<float> rows =
          choose_vectors({.points = points, .importance = importance, .length = 2, .entries = 3, .rng = rng});
      EXPECT_EQ(rows.size(), 6u);
      best = std::min(best, error_of_rows(points, importance, 2, rows));
    }
    EXPECT_NEAR(best, least_error(points, importance, 2, 3), 1e-4);
  }
}

TEST(Vectors, AsManyRowsAsPointsLoseNothing) {
  const Tensor data = random_tensor({16, 4}, 3);
  const std::vector<float> points(data.data<float>().begin(), data.data<float>().end());
  Rng rng(1, kRngTest);
  const std::vector<float> rows = choose_vectors({.points = points, .length = 4, .entries = 16, .rng = rng});
  EXPECT_NEAR(error_of_rows(points, {}, 4, rows), 0, 1e-10);
}

TEST(Vectors, ZeroIsTheFirstRowAndMovesNoOther) {
  std::vector<float> points(40, 0.0F);
  for (std::size_t i = 20; i < 40; ++i) points[i] = i % 4 < 2 ? 1.0F : 2.0F;
  Rng rng(1, kRngTest);
  const std::vector<float> rows =
      choose_vectors({.points = points, .length = 2, .entries = 3, .with_zero = true, .rng = rng});
  EXPECT_EQ(rows[0], 0);
  EXPECT_EQ(rows[1], 0);
  EXPECT_NEAR(error_of_rows(points, {}, 2, rows), 0, 1e-10);
  const std::vector<std::int32_t> nearest = nearest_vectors(points, {}, 2, rows);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(nearest[i], 0);
}

struct Written {
  PipelineResult result;
  double noise = 0, power = 0;
};

Written write(const std::string& options, const std::string& before = "") {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  Written written{world.run("steps: [" + before + "{quantize: {method: codebook, exclude: [stem]" + options + "}}]"), 0, 0};
  const NamedTensors inputs = world.dataset.test->batch({0, 1, 2, 3, 4, 5, 6, 7}).inputs;
  const Tensor a = ir::evaluate(world.model, inputs).begin()->second,
               b = ir::evaluate(written.result.model, inputs).begin()->second;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i) {
    const auto x = static_cast<double>(a.data<float>()[i]);
    written.noise += std::pow(x - static_cast<double>(b.data<float>()[i]), 2);
    written.power += x * x;
  }
  return written;
}

TEST(VectorCodebook, MoreRowsLoseLess) {
  const Written few = write(", vector: 4, entries: 8"), many = write(", vector: 4, entries: 64");
  EXPECT_LT(many.noise, few.noise);
  EXPECT_GT(many.noise, 0);
  EXPECT_LT(few.noise, few.power);
  EXPECT_LT(write(", vector: 4, entries: 8, granularity: position").noise, few.noise) << "a codebook at each position";
  EXPECT_LT(write(", vector: 4, entries: 8, granularity: group, channels: 2").noise, few.noise);
}

TEST(VectorCodebook, IsRowsBehindAGather) {
  const Written written = write(", vector: 4, entries: 16");
  const ir::Graph& graph = written.result.model.graph;
  const Tensor& book = *graph.constant(graph.find_value("body.weight_codebook"));
  EXPECT_EQ(book.dims(), (Dims{16, 4}));
  const Tensor& indices = *graph.constant(graph.find_value("body.weight_indices"));
  EXPECT_EQ(indices.dims(), (Dims{8, 18}));
  EXPECT_EQ(indices.dtype(), DType::kUint4);
  ir::Model expanded = written.result.model;
  ir::expand_codebooks(expanded);
  const Tensor& weight = *expanded.graph.constant(expanded.graph.find_value("body.weight_gathered"));
  ASSERT_EQ(weight.dims(), (Dims{8, 8, 3, 3}));
  for (std::int64_t i = 0; i < weight.numel(); ++i) {
    const auto row = static_cast<std::int64_t>(element_as_double(indices, i / 4));
    EXPECT_EQ(element_as_double(weight, i), element_as_double(book, row * 4 + i % 4)) << i;
  }
  EXPECT_FALSE(ir::has_codebooks(expanded.graph));
  const json& layer = written.result.run.at("steps").at(0).at("codebook").at("layers").at(0);
  EXPECT_EQ(layer.at("vector"), 4);
  EXPECT_NEAR(layer.at("bits").get<double>(), 1 + 64.0 * 32 / 576, 1e-9);
}

TEST(VectorCodebook, LayersAreListedAsTheyAreStored) {
  const Written written = write(", vector: 4, entries: 16");
  const json& layers = written.result.run.at("layers");
  const auto body = std::find_if(layers.begin(), layers.end(), [](const json& l) { return l.at("node") == "body"; });
  ASSERT_NE(body, layers.end());
  const json& after = body->at("after");
  EXPECT_EQ(after.at("pattern"), "codebook 16×4");
  EXPECT_EQ(after.at("bits"), 1);
  EXPECT_EQ(after.at("bytes"), 72 + 16 * 4 * 4 + 8 * 4) << "indices, codebook and bias";
  EXPECT_EQ(after.at("parameters"), body->at("before").at("parameters"));
}

TEST(VectorCodebook, MatricesOfInputsFirstAreTurned) {
  Builder b;
  const ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 8});
  ir::Model model = b.finish(b.add("MatMul", "product", {x, b.constant("w", random_tensor({8, 6}, 1))}));
  const Layer layer = find_layers(model.graph).at(0);
  const Tensor weight = *model.graph.constant(layer.weight.value);
  Rng rng(1, kRngTest);
  for (const auto sharing : {CodebookSpec::Sharing::kTensor, CodebookSpec::Sharing::kPosition}) {
    const LayerCodebook made = make_codebook(
        layer, weight, {.levels = &find_levels("kmeans"), .entries = 12, .sharing = sharing, .vector = 4}, rng);
    ir::Model written = model;
    insert_codebook(written, layer, made);
    ir::infer_shapes(written);
    ir::expand_codebooks(written);
    const Tensor& got = *written.graph.constant(written.graph.node(written.graph.find_node("product")).input(1));
    ASSERT_EQ(got.dims(), (Dims{8, 6}));
    double worst = 0;
    for (std::int64_t i = 0; i < 48; ++i)
      worst = std::max(worst, std::fabs(element_as_double(got, i) - element_as_double(weight, i)));
    EXPECT_LT(worst, 1e-6) << "12 vectors, 12 rows";
  }
}

TEST(VectorCodebook, PrunedVectorsAreIndexZero) {
  Builder builder;
  const ir::ValueId x = builder.input("x", {ir::Dim::symbol("N"), 8});
  Tensor weight = random_tensor({6, 8}, 1);
  for (const std::size_t at : {0u, 5u, 7u})
    for (std::size_t j = 0; j < 4; ++j) weight.mutable_data<float>()[at * 4 + j] = 0;
  ir::Model model = builder.finish(builder.add("Gemm", "product", {x, builder.constant("w", weight)}, {{"transB", std::int64_t{1}}}));
  Rng rng(1, kRngTest);
  const LayerCodebook made =
      make_codebook(find_layers(model.graph).at(0), weight, {.levels = &find_levels("kmeans"), .entries = 4, .vector = 4}, rng);
  for (const std::size_t at : {0u, 5u, 7u}) EXPECT_EQ(made.indices.data<std::uint8_t>()[at], 0) << at;
  for (std::size_t j = 0; j < 4; ++j) EXPECT_EQ(made.codebook[j], 0);
}

TEST(Codebook, ZeroIsTheFirstEntry) {
  const Written written = write(", entries: 16", "{prune: {sparsity: 0.75, exclude: [stem]}}, ");
  const ir::Graph& graph = written.result.model.graph;
  const Tensor& indices = *graph.constant(graph.find_value("body.weight_indices"));
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < indices.numel(); ++i) zeros += element_as_double(indices, i) == 0;
  EXPECT_GE(zeros, indices.numel() / 2);
  const Tensor& book = *graph.constant(graph.find_value("body.weight_codebook"));
  EXPECT_EQ(element_as_double(book, 0), 0);
}

TEST(Codebook, ImportanceMovesCentroidsToWhatCounts) {
  const std::vector<float> weights = {0.0F, 1.0F, 10.0F}, counts = {1.0F, 3.0F, 100.0F};
  Rng rng(1, kRngTest);
  const std::vector<float> levels = find_levels("kmeans").choose(
      {.weights = weights, .importance = counts, .entries = 2, .start = "auto", .rng = rng});
  ASSERT_EQ(levels.size(), 2u);
  EXPECT_FLOAT_EQ(levels[0], 0.75F);
  EXPECT_FLOAT_EQ(levels[1], 10.0F);
}

TEST(Codebook, WeightingByInputsLowersTheOutputsNoise) {
  double plain = 0, weighted = 0;
  for (const char* entries : {"3", "4", "6", "8"}) {
    plain += write(std::string(", granularity: tensor, entries: ") + entries).noise;
    weighted += write(std::string(", granularity: tensor, weighting: inputs, entries: ") + entries).noise;
  }
  EXPECT_LT(weighted, plain);
}

TEST(VectorCodebook, RefusesWhatItCannotDo) {
  const Error divides = error_of([] { write(", vector: 5"); });
  EXPECT_EQ(divides.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(divides.subject(), "node 'body'");
  const Error zeros = error_of([] { write(", vector: 4", "{prune: {sparsity: 0.5, exclude: [stem]}}, "); });
  EXPECT_EQ(zeros.code(), ErrorCode::kUnsupported);
  EXPECT_NE(std::string(zeros.what()).find("zeros"), std::string::npos) << zeros.what();
}

}  // namespace
}  // namespace pare::compress
