// The trained student and the integers that are written compute the same.
#include "compress/quantize/qat/student.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/float16.h"
#include "compress/fakes.h"
#include "compress/option.h"
#include "ir/infer.h"

namespace pare::compress {
namespace {

using nlohmann::json;

json resolved(json given) {
  std::vector<Option> options = quantizer_options();
  for (const Option& option : target_options()) options.push_back(option);
  return resolve_options(given, options, "quantize");
}

NamedTensors images() {
  return {{"image", image_data().test->batch({0, 1, 2, 3, 4, 5, 6, 7}, 0, 0).inputs.at("image")}};
}

QatPlan planned(World& world, const json& options) {
  const StatisticsRequest request = quantizer_request(world.model, options);
  json record;
  const StepContext context{options,        world.model,   world.dataset, world.backend, world.trainer,
                            {.threads = 1}, world.control, nullptr,       record};
  return plan_quantizers(world.model, gather_statistics(world.model, {request}, context), options);
}

std::string test_name() {
  std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::replace(name.begin(), name.end(), '/', '_');
  return "qat_" + name;
}

/// As training would: parameters a little away from where they started, where they stand for any scale.
void shake(ir::Model& model) {
  Rng rng(5, kRngTest);
  for (const ir::ValueId id : model.graph.values()) {
    const ir::Value& value = model.graph.value(id);
    if (!value.constant || value.constant->dtype() != DType::kFloat32 || value.constant->rank() == 0) continue;
    Tensor moved = value.constant->clone();
    for (float& x : moved.mutable_data<float>()) x *= 1 + 0.1F * static_cast<float>(rng.uniform() - 0.5);
    model.graph.set_constant(id, moved);
  }
}

/// The weights of body and head take five values a channel, 0 among them.
void share_values(ir::Model& model) {
  for (const char* name : {"body.weight", "head.weight"}) {
    const ir::ValueId id = model.graph.find_value(name);
    Tensor weight = model.graph.constant(id)->clone();
    const std::size_t each = static_cast<std::size_t>(weight.numel() / weight.dim(0));
    for (std::size_t i = 0; i < weight.data<float>().size(); ++i)
      weight.mutable_data<float>()[i] = (static_cast<float>(i * 7 % 5) - 2) * (0.1F + 0.01F * static_cast<float>(i / each));
    model.graph.set_constant(id, weight);
  }
}

struct Case {
  std::string name;
  json options;
};

/// Activations stay float; first and last layers take the same bits, so that the matrix has them.
json weights_only(int bits, std::int64_t group) {
  return {{"weights", {{"bits", bits}, {"group_size", group}}}, {"activations", {{"quantizer", "none"}}}, {"edge_bits", 0}};
}

class Students : public ::testing::TestWithParam<Case> {};

TEST_P(Students, ExportedIntegersAreTheTrainedOnes) {
  World world(test_name());
  if (GetParam().name.find("clusters") != std::string::npos) share_values(world.model);
  const QatPlan plan = planned(world, resolved(GetParam().options));
  const ir::Model floats = world.model;
  QatStudent student(floats, plan);
  shake(student.model);
  const NamedTensors trained = ir::evaluate(student.model, images());
  int raised = 0;
  ir::Model written = student.floats();
  passes::insert_qdq(written, student.integers(raised));
  ir::infer_shapes(written);
  EXPECT_EQ(raised, 0);
  const Tensor a = trained.begin()->second, b = ir::evaluate(written, images()).begin()->second;
  for (std::int64_t i = 0; i < a.numel(); ++i)
    EXPECT_NEAR(a.data<float>()[i], b.data<float>()[i], 1e-5 * (1 + std::fabs(a.data<float>()[i])));
  // The weights' integers times their scales are what the student multiplies by, bit for bit.
  for (const Layer& layer : plan.placement.layers) {
    ir::Model probe = student.model;
    probe.graph.outputs = {probe.graph.node(probe.graph.find_node(layer.name)).input(1)};
    const ir::Node& stored =
        written.graph.node(written.graph.producer(written.graph.node(written.graph.find_node(layer.name)).input(1)));
    EXPECT_EQ(stored.op_type, "DequantizeLinear");
    ir::Model weights = written;
    weights.graph.outputs = {stored.output(0)};
    EXPECT_TRUE(
        ir::evaluate(probe, images()).begin()->second.identical(ir::evaluate(weights, images()).begin()->second))
        << layer.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Quantizers, Students,
                         ::testing::Values(Case{"w4a8", json::object()}, Case{"w4a4", {{"activations", {{"bits", 4}}}}},
                                           Case{"w2a2", {{"weights", {{"bits", 2}}}, {"activations", {{"bits", 2}}}}},
                                           Case{"w8a8", {{"weights", {{"bits", 8}}}}},
                                           Case{"w3_tensor", {{"weights", {{"bits", 3}, {"granularity", "tensor"}}}}},
                                           Case{"binary", {{"weights", {{"bits", 1}}}}},
                                           Case{"ternary", {{"weights", {{"quantizer", "ternary"}}}}},
                                           Case{"dorefa", {{"weights", {{"quantizer", "dorefa"}, {"bits", 3}}}}},
                                           Case{"pact", {{"activations", {{"bits", 4}, {"quantizer", "pact"}}}}},
                                           Case{"lsq_signed", {{"activations", {{"bits", 4}, {"quantizer", "lsq"}}}}},
                                           Case{"lsq_plus", {{"activations", {{"bits", 4}, {"quantizer", "lsq+"}}}}},
                                           Case{"clusters_w8", {{"weights", {{"bits", 8}}}}},
                                           Case{"clusters_w2a2", {{"weights", {{"bits", 2}}}, {"activations", {{"bits", 2}}}}},
                                           Case{"clusters_weights_only", weights_only(3, 0)},
                                           Case{"clusters_groups", weights_only(4, 4)},
                                           Case{"weights_only", weights_only(4, 0)},
                                           Case{"groups_w4", weights_only(4, 4)},
                                           Case{"groups_w2", weights_only(2, 2)},
                                           Case{"groups_binary", weights_only(1, 4)},
                                           Case{"edges_too", {{"edge_bits", 0}, {"activations", {{"bits", 3}}}}}),
                         [](const auto& info) { return info.param.name; });

TEST(QatPlan, FirstAndLastLayersTakeEdgeBits) {
  World world(test_name());
  const QatPlan plan = planned(world, resolved({{"weights", {{"bits", 1}}}, {"activations", {{"bits", 3}}}}));
  EXPECT_EQ(plan.weights.at("stem.weight").bits, 8);
  EXPECT_EQ(plan.weights.at("stem.weight").how.low, -127);
  EXPECT_EQ(plan.weights.at("head.weight").how.scheme, ir::FakeScheme::kLsq);
  EXPECT_EQ(plan.weights.at("body.weight").how.scheme, ir::FakeScheme::kBinary);
  for (std::size_t g = 0; g < plan.activations.size(); ++g) {
    const std::set<std::string> group(plan.placement.groups[g].begin(), plan.placement.groups[g].end());
    EXPECT_EQ(plan.activations[g].bits, group.count("image") || group.count("flatten_out") ? 8 : 3);
    EXPECT_EQ(plan.activations[g].offset.has_value(), group.count("image") || group.count("tail_out"))
        << *group.begin();
  }
}

TEST(QatPlan, IntegersStayWithinTheirBits) {
  World world(test_name());
  const QatPlan plan = planned(world, resolved({{"weights", {{"bits", 2}}}, {"activations", {{"bits", 2}}}}));
  const ir::Model floats = world.model;
  QatStudent student(floats, plan);
  int raised = 0;
  ir::Model written = student.floats();
  const passes::QdqPlan integers = student.integers(raised);
  const Tensor body = cast(integers.integers.at("body.weight"), DType::kFloat32);
  for (const float q : body.data<float>()) EXPECT_TRUE(q >= -2 && q <= 1) << q;
  passes::insert_qdq(written, integers);
  // Behind the Relu, which clips: no node more.
  const ir::ValueId value = written.graph.find_value("body_relu_out");
  EXPECT_EQ(written.graph.node(written.graph.producer(value)).op_type, "Clip");
  EXPECT_EQ(written.graph.node(written.graph.producer(value)).name, "body_relu");
  written.graph.outputs.push_back(written.graph.find_value("body_relu_out_quantized"));
  written.graph.outputs.push_back(written.graph.find_value("tail_out_quantized"));
  ir::infer_shapes(written);
  const NamedTensors seen = ir::evaluate(written, images());
  for (const char* name : {"body_relu_out_quantized", "tail_out_quantized"}) {
    std::set<int> levels;
    for (const std::uint8_t q : seen.at(name).data<std::uint8_t>()) levels.insert(q);
    EXPECT_LE(*levels.rbegin(), 3) << name;
    EXPECT_GE(levels.size(), 3u) << name;
  }
}

TEST(QatPlan, OneRoundingServesWhatIsOnlyMovedOn) {
  World world(test_name());
  const QatPlan plan = planned(world, resolved(json::object()));
  const ir::Model floats = world.model;
  const QatStudent student(floats, plan);
  std::set<std::string> rounded;
  for (const ir::NodeId id : student.model.graph.nodes()) {
    const ir::Node& node = student.model.graph.node(id);
    if (node.op_type == "FakeQuantize") rounded.insert(student.model.graph.value(node.input(0)).name);
  }
  EXPECT_TRUE(rounded.count("stem_relu_out") && rounded.count("mean_out"));
  EXPECT_FALSE(rounded.count("pool_out") || rounded.count("flatten_out"));
}

const char* const kRecipe = "steps:\n  - quantize: {method: qat, epochs: 1, batch_size: 8, schedule: constant, ";

TEST(Qat, ZerosStayAndLayersBecomeIntegers) {
  World world(test_name());
  ir::Value& weight = world.model.graph.value(world.model.graph.find_value("body.weight"));
  Tensor pruned = weight.constant->clone();
  for (std::size_t i = 0; i < 576; i += 2) pruned.mutable_data<float>()[i] = 0;
  world.model.graph.set_constant(world.model.graph.find_value("body.weight"), pruned);
  const PipelineResult result = world.run(std::string(kRecipe) + "weights: {bits: 2}}\n");
  EXPECT_TRUE(world.factory.had_teacher);
  EXPECT_EQ(world.factory.last_options.loss.alpha, 0.9);
  const ir::Graph& graph = result.model.graph;
  const Tensor stored = cast(*graph.constant(graph.find_value("body.weight_quantized")), DType::kFloat32);
  for (std::size_t i = 0; i < 576; i += 2) EXPECT_EQ(stored.data<float>()[i], 0);
  const json& told = result.run["steps"][0]["quantized"];
  EXPECT_EQ(told["nodes"].size(), 4u);
  EXPECT_EQ(told["weights"]["body.weight"]["bits"], 2);
  EXPECT_EQ(told["activations"]["image"]["quantizer"], "lsq+");
  EXPECT_EQ(result.run["steps"][0]["curve"].size(), 1u);
}

TEST(Qat, WithoutLabelsTheOriginalTeachesAlone) {
  World world(test_name());
  world.dataset = image_data(false);
  world.run(std::string(kRecipe) + "weights: {bits: 2}}\n");
  EXPECT_EQ(world.factory.last_options.loss.alpha, 1);
}

TEST(Qat, AlphaZeroNeedsNoTeacher) {
  World world(test_name());
  world.run(std::string(kRecipe) + "distill: {alpha: 0}}\n");
  EXPECT_FALSE(world.factory.had_teacher);
}

TEST(Qat, WeightsAloneAreStoredAsWeightOnlyStoresThem) {
  World world(test_name());
  const PipelineResult result =
      world.run(std::string(kRecipe) + "weights: {bits: 4, group_size: 4}, activations: {quantizer: none}}\n");
  const ir::Graph& graph = result.model.graph;
  for (const ir::NodeId id : graph.nodes()) EXPECT_FALSE(graph.node(id).is("QuantizeLinear"));
  const ir::Node& head = graph.node(graph.producer(graph.node(graph.find_node("head")).input(1)));
  ASSERT_TRUE(head.is("DequantizeLinear"));
  EXPECT_EQ(head.int_or("block_size", 0), 4);
  EXPECT_EQ(head.int_or("axis", -1), 1);  // [4, 8], transB
  EXPECT_EQ(graph.constant(head.input(1))->dims(), (Dims{4, 2}));
  EXPECT_EQ(graph.constant(head.input(0))->dtype(), DType::kInt8);  // the last layer: edge_bits
  const ir::Node& body = graph.node(graph.producer(graph.node(graph.find_node("body")).input(1)));
  EXPECT_EQ(graph.constant(body.input(0))->dtype(), DType::kInt4);
  EXPECT_EQ(body.int_or("block_size", 0), 0);
  EXPECT_TRUE(result.run["steps"][0]["quantized"]["activations"].empty());
  EXPECT_TRUE(graph.constant(graph.node(graph.find_node("body")).input(2)) != nullptr);  // its bias stays float
}

TEST(Qat, AStepOfAGroupIsTheBestOfItsWeights) {
  World world(test_name());
  json options = resolved(weights_only(3, 2));
  const QatPlan plan = planned(world, options);
  const Tensor& weight = *world.model.graph.constant(world.model.graph.find_value("head.weight"));  // [4, 8]
  const auto& scale = plan.weights.at("head.weight").scale;
  ASSERT_EQ(scale.size(), 16u);
  for (std::size_t g = 0; g < 16; ++g) {
    const auto error = [&](double step) {
      double sum = 0;
      for (std::size_t i = 2 * g; i < 2 * g + 2; ++i) {
        const double w = static_cast<double>(weight.data<float>()[i]);
        const double off = std::min(std::max(std::nearbyint(w / step), -4.0), 3.0) * step - w;
        sum += off * off;
      }
      return sum;
    };
    const double own = error(static_cast<double>(scale[g]));
    for (int k = 1; k <= 100; ++k) {
      const double low = static_cast<double>(weight.data<float>()[2 * g]), high = static_cast<double>(weight.data<float>()[2 * g + 1]);
      const double largest = std::max({low / 3, high / 3, -low / 4, -high / 4});
      EXPECT_LE(own, error(largest * k / 100) * (1 + 1e-4) + 1e-12) << g << " " << k;
    }
  }
}

TEST(Qat, RefusesGroupsThatDoNotFit) {
  World world(test_name());
  const auto refused = [&](const std::string& options) {
    return error_of([&] { world.run(std::string(kRecipe) + options + "}\n"); });
  };
  const Error product = refused("weights: {group_size: 4}");
  EXPECT_EQ(product.code(), ErrorCode::kUsage);
  EXPECT_NE(std::string(product.what()).find("activations.quantizer none"), std::string::npos) << product.what();
  const Error tensor = refused("weights: {group_size: 4, granularity: tensor}, activations: {quantizer: none}");
  EXPECT_EQ(tensor.code(), ErrorCode::kUsage);
  const Error divisor = refused("weights: {group_size: 3}, activations: {quantizer: none}");
  EXPECT_EQ(divisor.code(), ErrorCode::kUnsupported);
  EXPECT_NE(std::string(divisor.what()).find("node 'head'"), std::string::npos) << divisor.what();
}

TEST(Qat, RefusesWhatDoesNotGoTogether) {
  const auto refused = [](const std::string& options) {
    World world(test_name());
    return error_of([&] { world.run(std::string(kRecipe) + options + "}\n"); });
  };
  for (const char* options : {"weights: {quantizer: binary, bits: 2}", "weights: {quantizer: ternary, bits: 3}",
                              "weights: {quantizer: dorefa, bits: 8}", "weights: {quantizer: lsq, bits: 1}",
                              "weights: {bits: 9}", "activations: {bits: 1}", "edge_bits: 1"}) {
    const Error error = refused(options);
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << options;
    EXPECT_NE(std::string(error.what()).find("bits"), std::string::npos) << error.what();
  }
  EXPECT_NE(std::string(refused("weights: {quantizer: lsg}").what()).find("did you mean 'lsq'"), std::string::npos);
}

}  // namespace
}  // namespace pare::compress
