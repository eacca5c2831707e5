// SmoothQuant and cross-layer equalization: rewrites that keep what the model computes.
#include <gtest/gtest.h>

#include "compress/quantize/equalize.h"
#include "compress/quantize/smooth.h"
#include "fakes.h"

namespace pare::compress {
namespace {

/// x [N, 3, 8] → LayerNormalization → {q, k} → sum → LeakyRelu → + c → out → Relu → head
ir::Model norm_model() {
  Builder b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 3, 8});
  ir::ValueId norm = b.add("LayerNormalization", "norm",
                           {x, b.constant("gamma", random_tensor({8}, 1, 1.0f)), b.constant("beta", random_tensor({8}, 2))});
  ir::ValueId q = b.add("MatMul", "q", {norm, b.constant("q.weight", random_tensor({8, 6}, 3))});
  ir::ValueId k = b.add("MatMul", "k", {norm, b.constant("k.weight", random_tensor({8, 6}, 4))});
  ir::ValueId sum = b.add("Sigmoid", "sigmoid", {b.add("Add", "sum", {q, k})});
  ir::ValueId out = b.add("MatMul", "out", {sum, b.constant("out.weight", random_tensor({6, 5}, 5))});
  ir::ValueId biased = b.add("Add", "bias", {out, b.constant("out.bias", random_tensor({5}, 6))});
  ir::ValueId leaky = b.add("LeakyRelu", "leaky", {biased}, {{"alpha", 0.1f}});
  ir::Model model = b.finish(b.add("MatMul", "head", {leaky, b.constant("head.weight", random_tensor({5, 4}, 7))}));
  model.opsets[""] = 17;
  return model;
}

void expect_same_outputs(const ir::Model& before, const ir::Model& after, const NamedTensors& inputs) {
  const auto wanted = ir::evaluate(before, inputs).begin()->second, got = ir::evaluate(after, inputs).begin()->second;
  ASSERT_EQ(wanted.dims(), got.dims());
  for (std::size_t i = 0; i < wanted.data<float>().size(); ++i)
    ASSERT_NEAR(wanted.data<float>()[i], got.data<float>()[i], 2e-5) << i;
}

std::map<std::string, InputChannels> made_up(const ir::Graph& graph, const std::vector<Layer>& layers) {
  std::map<std::string, InputChannels> inputs;
  for (const ChannelSite& site : channel_sites(graph, layers)) {
    InputChannels seen;
    for (std::int64_t c = 0; c < site.channels; ++c) {
      seen.largest.push_back(c == 1 ? 50.0 : 0.5 + 0.1 * static_cast<double>(c));
      seen.power.push_back(seen.largest.back() * seen.largest.back() / 9);
      seen.mean.push_back(0);
    }
    for (const Layer& layer : site.readers) inputs[layer.name] = seen;
  }
  return inputs;
}

const nlohmann::json kAll = {{"include", nlohmann::json::array()}, {"exclude", nlohmann::json::array()}};

TEST(Smooth, ScalesByHand) {
  const std::vector<double> x = {16, 4, 0, 1}, w = {0.25, 1, 1, 0};
  EXPECT_EQ(smoothing_scales(x, w, 0.5), (std::vector<double>{8, 2, 1, 1}));
  EXPECT_EQ(smoothing_scales(x, w, 1), (std::vector<double>{16, 4, 1, 1}));
  EXPECT_EQ(smoothing_scales(x, w, 0), (std::vector<double>{4, 1, 1, 1}));
}

TEST(Smooth, FoldsWhereItCanAndComputesTheSame) {
  const ir::Model before = norm_model();
  ir::Model after = before;
  const Placement placement = place_integers(after.graph, kAll, "quantize");
  const Smoothed done = smooth(after, placement, made_up(after.graph, placement.layers), 0.6);
  EXPECT_EQ(done.folded.at("norm_out"), "norm");
  EXPECT_EQ(done.folded.at("leaky_out"), "out") << "past LeakyRelu and the bias";
  EXPECT_TRUE(done.multiplied.count("sigmoid_out")) << "a sigmoid does not scale along";
  EXPECT_EQ(after.graph.nodes().size(), before.graph.nodes().size() + 1);
  EXPECT_FALSE(after.graph.constant(after.graph.find_value("gamma"))
                   ->identical(*before.graph.constant(before.graph.find_value("gamma"))));
  expect_same_outputs(before, after, {{"x", random_tensor({2, 3, 8}, 9, 1.0f)}});
}

TEST(Smooth, AReaderBesidesTheLayersForbidsFolding) {
  ir::Model model = norm_model();
  model.graph.outputs.push_back(model.graph.find_value("norm_out"));
  const auto sites = channel_sites(model.graph, find_layers(model.graph));
  EXPECT_TRUE(sites[0].parts.empty());
  EXPECT_NE(sites[0].why_not.find("others read"), std::string::npos);
}

/// Brute force: rounding of scaled activations and weights, drawn at random, makes the noise that is predicted.
TEST(Smooth, ThePredictedStrengthIsTheOneThatMeasuresBest) {
  Builder b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 16});
  Tensor weight = random_tensor({16, 8}, 3);
  ir::Model model = b.finish(b.add("MatMul", "m", {x, b.constant("w", weight)}));
  Tensor samples = random_tensor({400, 16}, 4, 1.0f);
  for (std::size_t i = 0; i < 400; ++i) samples.mutable_data<float>()[i * 16 + 3] *= 40;
  InputChannels seen{std::vector<double>(16), std::vector<double>(16), std::vector<double>(16)};
  for (std::size_t i = 0; i < 400 * 16; ++i) {
    const auto v = static_cast<double>(samples.data<float>()[i]);
    seen.power[i % 16] += v * v / 400;
    seen.largest[i % 16] = std::max(seen.largest[i % 16], std::fabs(v));
  }
  const ChannelSite site = channel_sites(model.graph, find_layers(model.graph))[0];
  const auto measured = [&](double alpha) {
    const auto s = smoothing_scales(seen.largest, largest_by_input(model.graph, site), alpha);
    double dx = 0, noise = 0;
    std::vector<double> dw(8, 0.0);
    for (std::size_t j = 0; j < 16; ++j) {
      dx = std::max(dx, seen.largest[j] / s[j] / 127);
      for (std::size_t o = 0; o < 8; ++o)
        dw[o] = std::max(dw[o], std::fabs(static_cast<double>(weight.data<float>()[j * 8 + o])) * s[j] / 127);
    }
    for (std::size_t i = 0; i < 400; ++i)
      for (std::size_t o = 0; o < 8; ++o) {
        double off = 0;
        for (std::size_t j = 0; j < 16; ++j) {
          const double v = static_cast<double>(samples.data<float>()[i * 16 + j]) / s[j];
          const double w = static_cast<double>(weight.data<float>()[j * 8 + o]) * s[j];
          off += std::nearbyint(v / dx) * dx * std::nearbyint(w / dw[o]) * dw[o] - v * w;
        }
        noise += off * off;
      }
    return noise;
  };
  const double chosen = predicted_strength(model.graph, site, seen);
  EXPECT_GT(chosen, 0.2);
  EXPECT_LT(measured(chosen), 0.2 * measured(0)) << "an outlier of 40 costs";
  for (double alpha : {0.2, 0.35, 0.5, 0.65, 0.8, 1.0}) EXPECT_LT(measured(chosen), 1.15 * measured(alpha)) << alpha;
}

TEST(Equalize, RangesBecomeEqualAndTheModelComputesTheSame) {
  Builder b;
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 2, 8, 8});
  ir::ValueId one = b.add("Relu", "relu", {b.conv("one", x, 2, 6, 1)});
  ir::ValueId two = b.add("Relu", "relu2",
                          {b.add("Conv", "two",
                                 {one, b.constant("two.weight", random_tensor({6, 1, 3, 3}, 2)),
                                  b.constant("two.bias", random_tensor({6}, 3))},
                                 {{"group", std::int64_t{6}}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}})});
  ir::Model before = b.finish(b.conv("three", two, 6, 4, 5));
  auto skewed = before.graph.constant(before.graph.find_value("one.weight"))->clone();
  for (std::size_t i = 0; i < 18; ++i) skewed.mutable_data<float>()[i] *= 100;
  before.graph.set_constant(before.graph.find_value("one.weight"), skewed);
  ir::Model after = before;
  EXPECT_EQ(equalize(after, find_layers(after.graph)), (std::vector<std::string>{"one → two", "two → three"}));
  const auto layers = find_layers(after.graph);
  for (const ChannelSite& site : channel_sites(after.graph, layers)) {
    if (site.parts.empty()) continue;
    const auto maker = std::find_if(layers.begin(), layers.end(), [&](const Layer& l) { return l.name == site.maker; });
    const auto first = largest_by_output(after.graph, *maker), second = largest_by_input(after.graph, site);
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_NEAR(first[i] / second[i], 1, 0.01) << site.maker << i;
  }
  expect_same_outputs(before, after, {{"image", random_tensor({2, 2, 8, 8}, 9, 1.0f)}});
}

}  // namespace
}  // namespace pare::compress
