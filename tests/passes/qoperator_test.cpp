// QDQ form → QOperator form: the same values by the scalar reference, and by the pass that goes back.
#include "passes/qoperator.h"

#include <gtest/gtest.h>

#include <set>

#include "base/float16.h"
#include "base/rng.h"
#include "ir/infer.h"
#include "passes/pass.h"
#include "passes/qdq.h"

namespace pare::passes {
namespace {

using ir::ValueId;

Tensor random(Dims dims, std::uint64_t seed) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  Rng rng(seed, kRngTest);
  for (float& x : tensor.mutable_data<float>()) x = 0.3F * static_cast<float>(rng.normal());
  return tensor;
}

struct Network {
  ir::Model model;
  QdqPlan plan;

  ValueId add(const char* type, const std::string& name, std::vector<ValueId> inputs,
              std::vector<std::pair<const char*, ir::AttributeValue>> attributes = {}) {
    ir::Node node;
    node.op_type = type;
    node.name = name;
    node.inputs = std::move(inputs);
    node.outputs = {model.graph.add_value(name + "_out")};
    for (const auto& [key, value] : attributes) node.set(key, value);
    const ValueId out = node.outputs[0];
    model.graph.add_node(std::move(node));
    return out;
  }
  ValueId weight(const std::string& name, Dims dims, int axis, std::uint64_t seed) {
    QuantParams params{.dtype = DType::kInt8, .axis = axis};
    for (std::int64_t i = 0; i < dims[static_cast<std::size_t>(axis)]; ++i)
      params.scale.push_back(0.008F + 0.0003F * static_cast<float>(i));
    params.zero_point.assign(params.scale.size(), 0);
    plan.weights[name] = params;
    return model.graph.add_initializer(name, random(std::move(dims), seed));
  }
  ValueId bias(const std::string& name, std::int64_t count, std::uint64_t seed) {
    return model.graph.add_initializer(name, random({count}, seed));
  }
  void quantize(const std::string& value, float scale, int zero_point, DType type = DType::kUint8) {
    plan.activations[value] = {.scale = {scale}, .zero_point = {zero_point}, .dtype = type};
  }
  void finish(ValueId output) {
    model.graph.outputs = {output};
    insert_qdq(model, plan);
    ir::infer_shapes(model);
  }
};

const std::vector<std::int64_t> kPads = {1, 1, 1, 1};

/// image → conv → relu → pool → conv2 ⊕ pool → clip → mean → flatten → head → matmul
Network network(float clip = 6.0F) {
  Network n;
  n.model.opsets = {{"", 17}};
  const ValueId x = n.model.graph.add_input("image", DType::kFloat32, ir::Shape({1, 2, 8, 8}));
  const ValueId stem = n.add("Relu", "relu", {n.add("Conv", "stem", {x, n.weight("w1", {4, 2, 3, 3}, 0, 1), n.bias("b1", 4, 2)},
                                                    {{"pads", kPads}})});
  const ValueId pool = n.add("MaxPool", "pool", {stem}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}},
                                                          {"strides", std::vector<std::int64_t>{2, 2}}});
  const ValueId body = n.add("Conv", "body", {pool, n.weight("w2", {4, 4, 3, 3}, 0, 3), n.bias("b2", 4, 4)}, {{"pads", kPads}});
  const ValueId sum = n.add("Add", "sum", {body, pool});
  const ValueId clipped = n.add("Clip", "clip", {sum, n.model.graph.add_initializer("low", Tensor::scalar(0.0F)),
                                                 n.model.graph.add_initializer("high", Tensor::scalar(clip))});
  const ValueId flat = n.add("Flatten", "flatten", {n.add("GlobalAveragePool", "mean", {clipped})});
  const ValueId head = n.add("Gemm", "head", {flat, n.weight("w3", {6, 4}, 0, 5), n.bias("b3", 6, 6)},
                             {{"transB", std::int64_t{1}}});
  const ValueId last = n.add("Add", "shift", {n.add("MatMul", "last", {head, n.weight("w4", {6, 3}, 1, 7)}), n.bias("b4", 3, 8)});
  n.quantize("image", 0.02F, 120);
  for (const char* value : {"relu_out", "pool_out"}) n.quantize(value, 0.01F, 0);
  n.quantize("body_out", 0.02F, 128);
  n.quantize("clip_out", 6.0F / 255, 0);
  for (const char* value : {"mean_out", "flatten_out"}) n.quantize(value, 0.005F, 0);
  n.quantize("head_out", 0.004F, 120);
  n.plan.nodes = {"stem", "body", "head", "last"};
  n.finish(last);
  return n;
}

std::multiset<std::string> types(const ir::Model& model) {
  std::multiset<std::string> found;
  for (ir::NodeId id : model.graph.nodes()) found.insert(model.graph.node(id).op_type);
  return found;
}

Tensor answer(const ir::Model& model) {
  return ir::evaluate(model, {{"image", random({1, 2, 8, 8}, 11)}}).begin()->second;
}

TEST(QOperators, TakeThePlaceOfEveryQuantizedOperator) {
  const Network n = network();
  ir::Model model = n.model;
  const QOperators done = to_qoperators(model);
  ir::infer_shapes(model);
  const std::multiset<std::string> found = types(model);
  EXPECT_EQ(found.count("QLinearConv"), 2u);
  EXPECT_EQ(found.count("QLinearAdd"), 1u);
  EXPECT_EQ(found.count("QLinearGlobalAveragePool"), 1u);
  EXPECT_EQ(found.count("QGemm"), 1u);
  EXPECT_EQ(found.count("MatMulIntegerToFloat"), 1u) << "its output is float, with the bias inside";
  EXPECT_EQ(found.count("MaxPool"), 1u) << "on integers";
  EXPECT_EQ(found.count("Relu") + found.count("Clip") + found.count("DequantizeLinear"), 0u);
  EXPECT_EQ(found.count("QuantizeLinear"), 1u) << "of the input";
  EXPECT_TRUE(done.kept.empty());
  EXPECT_TRUE(done.microsoft);
  EXPECT_EQ(model.opsets.at("com.microsoft"), 1);
  const Tensor a = answer(n.model), b = answer(model);
  for (std::int64_t i = 0; i < a.numel(); ++i)
    EXPECT_NEAR(element_as_double(a, i), element_as_double(b, i), 1e-5) << i;
}

TEST(QOperators, GoBackToQdqForm) {
  const Network n = network();
  ir::Model model = n.model;
  to_qoperators(model);
  simplify(model);
  EXPECT_EQ(types(model).count("Conv"), 2u);
  EXPECT_EQ(types(model).count("QLinearConv"), 0u);
  const Tensor a = answer(n.model), b = answer(model);
  for (std::int64_t i = 0; i < a.numel(); ++i)
    EXPECT_NEAR(element_as_double(a, i), element_as_double(b, i), 1e-5) << i;
}

TEST(QOperators, AClipThatCutsMoreStays) {
  const Network n = network(3.0F);
  ir::Model model = n.model;
  const QOperators done = to_qoperators(model);
  EXPECT_EQ(types(model).count("Clip"), 1u);
  EXPECT_EQ(types(model).count("QLinearAdd"), 0u);
  ASSERT_EQ(done.kept.size(), 1u);
  EXPECT_EQ(done.kept[0].node, "sum");
  EXPECT_NE(done.kept[0].reason.find("Clip"), std::string::npos);
  const Tensor a = answer(n.model), b = answer(model);
  for (std::int64_t i = 0; i < a.numel(); ++i)
    EXPECT_NEAR(element_as_double(a, i), element_as_double(b, i), 1e-5) << i;
}

TEST(QOperators, MatMulOfIntegersToIntegersIsOnnxsOwn) {
  Network n;
  n.model.opsets = {{"", 17}};
  const ValueId x = n.model.graph.add_input("image", DType::kFloat32, ir::Shape({1, 2, 8, 8}));
  const ValueId first = n.add("MatMul", "first", {x, n.weight("w1", {8, 6}, 1, 1)});
  const ValueId second = n.add("MatMul", "second", {first, n.weight("w2", {6, 5}, 1, 2)});
  n.quantize("image", 0.02F, 120);
  n.quantize("first_out", 0.03F, -3, DType::kInt8);
  n.plan.nodes = {"first", "second"};
  n.finish(second);
  ir::Model model = n.model;
  to_qoperators(model);
  EXPECT_EQ(types(model).count("QLinearMatMul"), 1u);
  const Tensor a = answer(n.model), b = answer(model);
  for (std::int64_t i = 0; i < a.numel(); ++i) EXPECT_NEAR(element_as_double(a, i), element_as_double(b, i), 1e-5) << i;
}

TEST(QOperators, LeaveFloatBiasesAndFloatModelsAlone) {
  Network n = network();
  ir::Model plain;
  plain.opsets = {{"", 17}};
  const ValueId x = plain.graph.add_input("image", DType::kFloat32, ir::Shape({1, 2, 8, 8}));
  ir::Node relu;
  relu.op_type = "Relu";
  relu.name = "relu";
  relu.inputs = {x};
  relu.outputs = {plain.graph.add_value("y")};
  plain.graph.outputs = relu.outputs;
  plain.graph.add_node(std::move(relu));
  EXPECT_EQ(to_qoperators(plain).converted, 0);
  EXPECT_EQ(plain.opsets.count("com.microsoft"), 0u);
}

}  // namespace
}  // namespace pare::passes
