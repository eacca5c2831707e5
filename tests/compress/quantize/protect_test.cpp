// What sensitive layers become: 16-bit inputs where that serves and costs little, else float.
#include "compress/quantize/protect.h"

#include <gtest/gtest.h>

#include "compress/fakes.h"
#include "compress/quantize/static_options.h"
#include "compress/quantize/static_writer.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::string test_name() { return ::testing::UnitTest::GetInstance()->current_test_info()->name(); }

void scale_part(Tensor& weight, std::size_t begin, std::size_t count, std::size_t stride, std::size_t times, float by) {
  auto w = weight.mutable_data<float>();
  for (std::size_t t = 0; t < times; ++t)
    for (std::size_t i = 0; i < count; ++i) w[begin + t * stride + i] *= by;
}

/// image → wide → relu → narrow (`taps` × `taps`) → relu → mean → head. Channel 0 of wide is 300 times the others and counts
/// for nothing in narrow, but 8 bits of its input hold nothing else.
ir::Model outlier_model(std::int64_t taps) {
  Builder b;
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  Tensor first = random_tensor({8, 1, 3, 3}, 1), second = random_tensor({8, 8, taps, taps}, 2);
  const auto area = static_cast<std::size_t>(taps * taps);
  scale_part(first, 0, 9, 0, 1, 300);
  scale_part(second, 0, area, 8 * area, 8, 0);
  const std::vector<std::int64_t> pads(4, taps / 2);
  const ir::ValueId wide = b.add("Relu", "wide_relu",
                                 {b.add("Conv", "wide", {x, b.constant("wide.weight", first)},
                                        {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}})});
  const ir::ValueId narrow =
      b.add("Relu", "narrow_relu", {b.add("Conv", "narrow", {wide, b.constant("narrow.weight", second)}, {{"pads", pads}})});
  const ir::ValueId flat = b.add("Flatten", "flatten", {b.add("GlobalAveragePool", "mean", {narrow})});
  return b.finish(b.add("Gemm", "head", {flat, b.constant("head.weight", random_tensor({4, 8}, 4, 1.0F))},
                        {{"transB", std::int64_t{1}}}));
}

json quantized(std::int64_t taps, const std::string& options, ir::Model* written = nullptr) {
  World world(test_name());
  world.dataset = image_data(false);
  world.model = outlier_model(taps);
  const PipelineResult result =
      world.run("steps: [{quantize: {bias_correction: false, activations: {calibrator: min-max}, " + options + "}}]");
  if (written) *written = result.model;
  return result.run.at("steps").at(0).at("quantized").at("choice");
}

const char* const kOnlyWorst = "protect: {snr: 35, macs: 0.95}";

TEST(Protect, AnOutlierOfActivationsGets16Bits) {
  ir::Model model;
  const json choice = quantized(3, kOnlyWorst, &model);
  const json& kept = choice.at("protected");
  EXPECT_EQ(kept.at("int16"), json({"narrow"})) << choice.dump(1);
  EXPECT_GT(kept.at("after_db").get<double>(), kept.at("before_db").get<double>() + 6);
  EXPECT_GE(kept.at("after_db").get<double>(), std::min(35.0, kept.at("float_db").get<double>() - 0.5));
  const ir::ValueId stored = model.graph.find_value("wide_relu_out_quantized");
  ASSERT_NE(stored, ir::kNoValue);
  EXPECT_EQ(model.graph.value(stored).dtype, DType::kUint16);
  EXPECT_GE(model.opsets.at(""), 21);
}

TEST(Protect, ALayerOfLittleWorkStaysFloat) {
  const json choice = quantized(1, kOnlyWorst);  // 8 MACs an input element
  const json& kept = choice.at("protected");
  EXPECT_TRUE(kept.at("int16").empty());
  const auto nodes = kept.at("nodes").get<std::vector<std::string>>();
  EXPECT_NE(std::find(nodes.begin(), nodes.end(), "narrow"), nodes.end());
}

TEST(Protect, ATargetWithout16BitsGetsFloat) {
  ir::Model model;
  const json choice = quantized(3, std::string(kOnlyWorst) + ", target: openvino", &model);
  EXPECT_TRUE(choice.at("protected").at("int16").empty());
  EXPECT_FALSE(choice.at("protected").at("nodes").empty());
  const json plain = quantized(3, "protect: {snr: 35, macs: 0.95, as: float}");
  EXPECT_TRUE(plain.at("protected").at("int16").empty());
}

TEST(Protect, RoundingComesFirstAndIsToldOf) {
  const auto tried = [](const json& choice) {
    int count = 0;
    for (const json& layer : choice.at("protected").at("sensitivity")) count += layer.contains("gptq_db");
    return count;
  };
  const json choice = quantized(3, kOnlyWorst);
  EXPECT_GE(tried(choice), 1);
  for (const json& layer : choice.at("protected").at("sensitivity")) {
    if (!layer.contains("gptq_db")) continue;
    const bool enough = layer.at("gptq_db").get<double>() >= layer.at("snr_db").get<double>() + 6.03;
    EXPECT_EQ(enough, !layer.at("float").get<bool>() && !layer.at("int16").get<bool>()) << layer.dump();
  }
  EXPECT_EQ(tried(quantized(3, std::string(kOnlyWorst) + ", weights: {rounding: nearest}")), 0);
}

TEST(Protect, ALayerThatRoundingMendsNeedsNoMore) {
  World world(test_name());
  const json options = resolve_options(json::object(), static_options(), "quantize");
  json record;
  const StepContext context{options,        world.model,   world.dataset, world.backend, world.trainer,
                            {.threads = 1}, world.control, nullptr,       record};
  const Probe probe(world.model, 8, context);
  const std::vector<Layer> layers = find_layers(world.model.graph);
  // As a model of a layer's noise, its weight times 1.1; mended, times 1.01.
  std::set<std::string> mended;
  const auto disturbed = [&](const std::set<std::string>& names) {
    ir::Model model = world.model;
    for (const Layer& layer : layers) {
      if (!names.count(layer.name)) continue;
      Tensor weight = model.graph.constant(layer.weight.value)->clone();
      for (float& w : weight.mutable_data<float>()) w *= mended.count(layer.name) ? 1.01F : 1.1F;
      model.graph.set_constant(layer.weight.value, weight);
    }
    return model;
  };
  Repairers make;
  make.all = [&](const Repairs& repairs) {
    std::set<std::string> names;
    for (const Layer& layer : layers)
      if (!repairs.floats.count(layer.name)) names.insert(layer.name);
    return disturbed(names);
  };
  make.one = [&](const Layer& layer, bool) { return disturbed({layer.name}); };
  make.round = [&](const std::vector<Layer>& some) {
    for (const Layer& layer : some)
      if (layer.name == "head") mended.insert(layer.name);
  };
  make.unround = [&](const Layer& layer) { mended.erase(layer.name); };
  const double noise = probe.noise(make.all({}));
  const Protection done = protect_layers(world.model, layers, probe, noise, {.target_db = 200, .mac_share = 1}, make, context);
  EXPECT_EQ(done.rounded, std::set<std::string>{"head"});
  EXPECT_FALSE(done.repairs.floats.count("head"));
  EXPECT_FALSE(done.repairs.floats.empty());
  EXPECT_TRUE(mended.count("head"));
  EXPECT_GT(done.after_db, done.before_db);
}

TEST(Protect, WidenedNamesWhoElseWouldRead16Bits) {
  World world(test_name());  // the pool's output is body's input and a summand
  const json options = resolve_options(json::object(), static_options(), "quantize");
  json record;
  const StepContext context{options,        world.model,   world.dataset, world.backend, world.trainer,
                            {.threads = 1}, world.control, nullptr,       record};
  const Statistics none;
  const StaticWriter writer(world.model, none, context);
  std::map<std::string, std::optional<std::set<std::string>>> along;
  for (const Layer& layer : writer.place({}).layers) along[layer.name] = writer.widened(layer);
  ASSERT_TRUE(along.at("tail"));
  EXPECT_EQ(*along.at("tail"), std::set<std::string>{"tail"});
  EXPECT_FALSE(along.at("body"));
}

}  // namespace
}  // namespace pare::compress
