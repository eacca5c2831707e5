#include "passes/qdq.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/float16.h"
#include "ir/infer.h"
#include "ir/verify.h"
#include "pare/error.h"

namespace pare::passes {
namespace {

/// x [2,3] → Gemm(w [3,3], bias) → Relu → y
ir::Model gemm_model() {
  ir::Model model;
  ir::Graph& graph = model.graph;
  ir::ValueId x = graph.add_input("x", DType::kFloat32, ir::Shape::of({2, 3}));
  ir::ValueId w = graph.add_initializer(
      "w", Tensor::from({3, 3}, std::vector<float>{0.5f, -0.25f, 1, 0, 0.75f, -1, 0.1f, 0.2f, -0.3f}));
  ir::ValueId b = graph.add_initializer("b", Tensor::from({3}, std::vector<float>{0.1f, -0.2f, 0.3f}));
  ir::Node gemm;
  gemm.op_type = gemm.name = "Gemm";
  gemm.inputs = {x, w, b};
  gemm.outputs = {graph.add_value("h")};
  graph.add_node(gemm);
  ir::Node relu;
  relu.op_type = relu.name = "Relu";
  relu.inputs = gemm.outputs;
  relu.outputs = {graph.add_value("y")};
  graph.add_node(relu);
  graph.outputs = {graph.find_value("y")};
  ir::infer_shapes(model);
  return model;
}

QdqPlan gemm_plan() {
  QdqPlan plan;
  plan.activations["x"] = {.scale = {0.02f}, .zero_point = {100}, .dtype = DType::kUint8};
  plan.weights["w"] = {.scale = {0.01f, 0.01f, 0.01f}, .zero_point = {0, 0, 0}, .dtype = DType::kInt8, .axis = 1};
  plan.nodes = {"Gemm"};
  return plan;
}

Tensor input() { return Tensor::from({2, 3}, std::vector<float>{1, -0.5f, 0.33f, 2, 0, -2}); }

TEST(Qdq, GraphIsValidAndNamedReadably) {
  ir::Model model = gemm_model();
  insert_qdq(model, gemm_plan());
  EXPECT_TRUE(ir::verify(model).empty()) << ir::verify(model)[0];
  for (const char* name : {"x_quantized", "x_scale", "x_zero_point", "x_dequantized", "w_quantized", "w_scale",
                           "w_dequantized", "b_quantized"})
    EXPECT_NE(model.graph.find_value(name), ir::kNoValue) << name;
  EXPECT_EQ(model.graph.find_value("w"), ir::kNoValue) << "the float weight must not stay in the file";
  EXPECT_EQ(model.graph.find_value("b"), ir::kNoValue);
  EXPECT_EQ(model.graph.constant(model.graph.find_value("b_quantized"))->dtype(), DType::kInt32);
}

TEST(Qdq, MeansTheFloatGraphWithinTheSteps) {
  ir::Model model = gemm_model(), quantized = gemm_model();
  insert_qdq(quantized, gemm_plan());
  auto expected = ir::evaluate(model, {{"x", input()}}), got = ir::evaluate(quantized, {{"x", input()}});
  auto a = expected.at("y").data<float>(), b = got.at("y").data<float>();
  // Three terms, each off by half a step of x times |w| ≤ 1 and half a step of w times |x| ≤ 2, and the bias by half a
  // step.
  const float bound = 3 * (0.01f * 1 + 0.005f * 2) + 0.0001f;
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], bound);
}

TEST(Qdq, BiasIsInt32AtInputTimesWeightScaleAndSaturates) {
  ir::Model model = gemm_model();
  auto bias = model.graph.value(model.graph.find_value("b")).constant->mutable_data<float>();
  bias[2] = 1e9f;
  insert_qdq(model, gemm_plan());
  auto stored = model.graph.constant(model.graph.find_value("b_quantized"))->data<std::int32_t>();
  EXPECT_EQ(stored[0], 500);  // 0.1 / (0.02 · 0.01)
  EXPECT_EQ(stored[1], -1000);
  EXPECT_EQ(stored[2], std::numeric_limits<std::int32_t>::max());
}

TEST(Qdq, OnePairServesAllConsumersAndOutputsStayFloat) {
  ir::Model model = gemm_model();
  ir::Node second;
  second.op_type = "Neg";
  second.name = "Neg";
  second.inputs = {model.graph.find_value("y")};
  second.outputs = {model.graph.add_value("z")};
  model.graph.add_node(second);
  ir::Node third = second;
  third.name = "Neg2";
  third.outputs = {model.graph.add_value("z2")};
  model.graph.add_node(third);
  model.graph.outputs.push_back(model.graph.find_value("z"));
  model.graph.outputs.push_back(model.graph.find_value("z2"));
  QdqPlan plan;
  plan.activations["y"] = {.scale = {0.02f}, .zero_point = {0}, .dtype = DType::kUint8};
  insert_qdq(model, plan);
  int quantizers = 0;
  for (ir::NodeId id : model.graph.nodes()) quantizers += model.graph.node(id).is("QuantizeLinear");
  EXPECT_EQ(quantizers, 1);
  EXPECT_EQ(model.graph.value(model.graph.find_value("y_dequantized")).consumers.size(), 2u);
  EXPECT_EQ(model.graph.value(model.graph.outputs[0]).name, "y");
  EXPECT_TRUE(ir::verify(model).empty());
}

TEST(Qdq, RoundsHalfToEvenAndSaturates) {
  QuantParams params{.scale = {1}, .zero_point = {0}, .dtype = DType::kInt8};
  Tensor out = quantize_tensor(Tensor::from({6}, std::vector<float>{0.5f, 1.5f, -0.5f, -2.5f, 300, -300}), params);
  EXPECT_EQ(std::vector<int>(out.data<std::int8_t>().begin(), out.data<std::int8_t>().end()),
            (std::vector<int>{0, 2, 0, -2, 127, -128}));
}

TEST(Qdq, TheNarrowestTypeHoldsTheIntegers) {
  EXPECT_EQ(narrowest_type(-8, 7), DType::kInt4);
  EXPECT_EQ(narrowest_type(-8, 8), DType::kInt8);
  EXPECT_EQ(narrowest_type(-9, 7), DType::kInt8);
  EXPECT_EQ(narrowest_type(0, 15), DType::kUint4);
  EXPECT_EQ(narrowest_type(0, 16), DType::kUint8);
}

TEST(Qdq, IntegersPackLowBitsFirst) {
  const std::vector<std::int32_t> values = {-2, -1, 0, 1, 1};
  for (const DType type : {DType::kInt2, DType::kInt4, DType::kInt8}) {
    const Tensor packed = pack_integers(values, {5}, type);
    for (std::int64_t i = 0; i < 5; ++i)
      EXPECT_EQ(element_as_double(packed, i), values[static_cast<std::size_t>(i)]) << name(type) << i;
  }
}

TEST(Qdq, ScalesFollowTheAxis) {
  QuantParams params{.scale = {1, 10}, .zero_point = {0, 1}, .dtype = DType::kInt8, .axis = 1};
  Tensor out = quantize_tensor(Tensor::from({2, 2, 2}, std::vector<float>{1, 2, 30, 40, 5, 6, 70, 80}), params);
  EXPECT_EQ(std::vector<int>(out.data<std::int8_t>().begin(), out.data<std::int8_t>().end()),
            (std::vector<int>{1, 2, 4, 5, 5, 6, 8, 9}));
}

/// x → op → y at an old opset.
ir::Model old_model(const std::string& op, std::int64_t opset, const Dims& dims,
                    std::vector<std::pair<std::string, ir::AttributeValue>> attributes) {
  ir::Model model;
  model.opsets[""] = opset;
  ir::Node node;
  node.op_type = op;
  node.name = "the_node";
  node.inputs = {model.graph.add_input("x", DType::kFloat32, ir::Shape::of(dims))};
  node.outputs = {model.graph.add_value("y")};
  for (auto& [name, value] : attributes) node.set(name, std::move(value));
  model.graph.add_node(node);
  model.graph.outputs = {model.graph.find_value("y")};
  return model;
}

TEST(RaiseOpset, AttributesBecomeInputs) {
  ir::Model clip = old_model("Clip", 7, {3}, {{"min", 0.0f}, {"max", 6.0f}});
  raise_opset(clip, 13);
  EXPECT_EQ(clip.opset(), 13);
  NamedTensors out = ir::evaluate(clip, {{"x", Tensor::from({3}, std::vector<float>{-1, 3, 9})}});
  EXPECT_EQ(std::vector<float>(out.at("y").data<float>().begin(), out.at("y").data<float>().end()),
            (std::vector<float>{0, 3, 6}));
  ir::Model squeeze = old_model("Squeeze", 11, {1, 3, 1}, {{"axes", std::vector<std::int64_t>{2}}});
  raise_opset(squeeze, 13);
  EXPECT_EQ(ir::evaluate(squeeze, {{"x", Tensor(DType::kFloat32, {1, 3, 1})}}).at("y").dims(), (Dims{1, 3}));
  EXPECT_TRUE(ir::verify(squeeze).empty());
}

TEST(RaiseOpset, ClipWithOnlyAnUpperBound) {
  ir::Model clip = old_model("Clip", 7, {2}, {{"max", 6.0f}});
  raise_opset(clip, 13);
  NamedTensors out = ir::evaluate(clip, {{"x", Tensor::from({2}, std::vector<float>{-100, 9})}});
  EXPECT_EQ(out.at("y").data<float>()[0], -100);
  EXPECT_EQ(out.at("y").data<float>()[1], 6);
}

TEST(RaiseOpset, RefusesWhatWouldChangeItsMeaning) {
  for (const char* op : {"Upsample"}) {
    ir::Model model = old_model(op, 9, {2, 3, 4}, {});
    try {
      raise_opset(model, 13);
      ADD_FAILURE() << op;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_NE(error.subject().find("the_node"), std::string::npos);
      EXPECT_EQ(model.opset(), 9) << "a refused model must stay as it was";
    }
  }
  ir::Model last = old_model("Softmax", 9, {2, 3}, {});
  EXPECT_NO_THROW(raise_opset(last, 13));
  ir::Model newer = old_model("Softmax", 17, {2, 3, 4}, {});
  raise_opset(newer, 13);
  EXPECT_EQ(newer.opset(), 17);
}

}  // namespace
}  // namespace pare::passes
