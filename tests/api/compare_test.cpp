// pare::compare on small models, changed in known ways.
#include "pare/compare.h"

#include <gtest/gtest.h>

#include <cmath>

#include "api/model_impl.h"
#include "ir/infer.h"
#include "onnx/onnx_file.h"
#include "pare/error.h"
#include "pare/session.h"
#include "passes/pass.h"
#include "passes/qdq.h"

namespace pare {
namespace {

const std::string kModels = std::string(PARE_SOURCE_DIR) + "/examples/models/";

Model changed(const std::string& file, const std::function<void(ir::Model&)>& change) {
  ir::Model model = onnx::read_model(kModels + file);
  ir::infer_shapes(model);
  passes::simplify(model);
  change(model);
  return Model::parse(onnx::serialize_model(model), "changed");
}

const LayerComparison& layer_of(const Comparison& result, const std::string& node) {
  for (const LayerComparison& layer : result.layers)
    if (layer.layer == node) return layer;
  throw std::runtime_error("no layer " + node);
}

/// Names of the nodes with weights, in order.
std::vector<std::string> products(const Model& model) {
  std::vector<std::string> names;
  const ir::Graph& graph = model.impl().prepared().graph;
  for (ir::NodeId id : graph.nodes())
    if (graph.node(id).is("Conv") || graph.node(id).is("Gemm") || graph.node(id).is("MatMul"))
      names.push_back(graph.node(id).name);
  return names;
}

TEST(ApiCompare, AModelIsIdenticalToItself) {
  for (const char* file : {"fmnist_convnet.onnx", "fmnist_mlp.onnx", "fmnist_resnet10.onnx"}) {
    const Model model = Model::load(kModels + file);
    const Comparison result = compare(model, model, Dataset());
    EXPECT_TRUE(result.random);
    EXPECT_EQ(result.samples, 8);
    EXPECT_EQ(result.b.agreement, 100);
    EXPECT_EQ(result.b.snr_db, std::nullopt);
    EXPECT_EQ(result.damage, std::nullopt);
    EXPECT_TRUE(result.uncompared.empty());
    EXPECT_GE(result.layers.size(), products(model).size());
    for (const LayerComparison& layer : result.layers) EXPECT_TRUE(layer.difference.identical) << layer.layer;
  }
}

TEST(ApiCompare, DamageIsWhereAWeightWasChanged) {
  const Model model = Model::load(kModels + "fmnist_resnet10.onnx");
  const std::vector<std::string> names = products(model);
  const std::string victim = names[names.size() / 2];
  const Model damaged = changed("fmnist_resnet10.onnx", [&](ir::Model& copy) {
    const ir::ValueId weight = copy.graph.node(copy.graph.find_node(victim)).input(1);
    Tensor tensor = copy.graph.constant(weight)->clone();
    const auto values = tensor.mutable_data<float>();
    for (std::size_t i = 0; i < values.size(); i += 2) values[i] = 0;
    copy.graph.set_constant(weight, tensor);
  });
  const Comparison result = compare(model, damaged, Dataset());
  ASSERT_TRUE(result.damage);
  EXPECT_EQ(result.layers[*result.damage].layer, victim);
  EXPECT_TRUE(layer_of(result, names[0]).difference.identical);
  EXPECT_FALSE(layer_of(result, names.back()).difference.identical);
  EXPECT_LT(*result.b.snr_db, 30);
}

TEST(ApiCompare, QuantizedValuesAreComparedDequantized) {
  const Model model = Model::load(kModels + "fmnist_mlp.onnx");
  const ir::Graph& graph = model.impl().prepared().graph;
  const ir::Node& first = graph.node(graph.find_node(products(model)[0]));
  const ir::NodeId relu = graph.sole_consumer(first.output(0));
  const std::string value = graph.value(graph.node(relu).output(0)).name;
  const Model quantized = changed("fmnist_mlp.onnx", [&](ir::Model& copy) {
    passes::QdqPlan plan;
    plan.activations[value] = {.scale = {0.05f}, .zero_point = {0}, .dtype = DType::kUint8};
    passes::insert_qdq(copy, plan);
  });
  CompareOptions options;
  const Comparison result = compare(model, quantized, Dataset(), options);
  const LayerComparison& layer = layer_of(result, first.name);
  EXPECT_EQ(layer.value, value);
  EXPECT_EQ(layer.other_value, value + "_dequantized");
  EXPECT_EQ(layer.matched_by, "name");
  EXPECT_GT(layer.difference.max_error, 0.01);
  EXPECT_LE(layer.difference.max_error, 0.025 + 1e-6 + std::max(0.0, layer.difference.max_a - 255 * 0.05));
}

TEST(ApiCompare, RenamedValuesMatchByPosition) {
  const Model model = Model::load(kModels + "fmnist_convnet.onnx");
  const Model renamed = changed("fmnist_convnet.onnx", [](ir::Model& copy) {
    for (ir::ValueId id : copy.graph.values())
      if (!copy.graph.is_input(id) && !copy.graph.is_output(id) && !copy.graph.constant(id))
        copy.graph.rename(id, "renamed_" + copy.graph.value(id).name);
  });
  const Comparison result = compare(model, renamed, Dataset());
  int by_position = 0;
  for (const LayerComparison& layer : result.layers) {
    EXPECT_TRUE(layer.difference.identical) << layer.layer;
    by_position += layer.matched_by == "position" ? 1 : 0;
  }
  EXPECT_GE(by_position, 2);
  EXPECT_TRUE(result.uncompared.empty());
}

/// y = Relu(x·factor + mask), where the mask drowns half of the elements.
Model masked(float factor) {
  ir::Model model;
  ir::Graph& graph = model.graph;
  ir::ValueId last = graph.add_input("x", DType::kFloat32, ir::Shape::of({1, 4}));
  const auto add = [&](const std::string& op, const std::string& output, std::optional<Tensor> constant) {
    ir::Node node;
    node.op_type = node.name = op;
    node.inputs = {last};
    if (constant) node.inputs.push_back(graph.add_initializer(op + "_c", *constant));
    node.outputs = {last = graph.add_value(output)};
    graph.add_node(std::move(node));
  };
  add("Mul", "scaled", Tensor::scalar(factor));
  add("Add", "masked", Tensor::from({4}, std::vector<float>{0, -3e38f, 0, -3e38f}));
  add("Relu", "y", std::nullopt);
  graph.outputs = {last};
  ir::infer_shapes(model);
  return Model::parse(onnx::serialize_model(model), "masked");
}

TEST(ApiCompare, AMaskOfHugeNumbersIsNoBaseline) {
  const Comparison result = compare(masked(1), masked(1.01f), Dataset());
  ASSERT_GE(result.layers.size(), 2u);
  for (const LayerComparison& layer : result.layers) {
    if (layer.drop_db) {
      EXPECT_LT(*layer.drop_db, 1) << layer.layer;
    }
  }
  EXPECT_NEAR(*result.layers.back().difference.snr_db, 40, 0.1);
}

TEST(ApiCompare, PortsThatDifferAreRefusedByName) {
  const Model model = Model::load(kModels + "fmnist_convnet.onnx");
  const Model other = changed("fmnist_convnet.onnx", [](ir::Model& copy) {
    copy.graph.value(copy.graph.inputs[0]).shape = ir::Shape::of({1, 1, 32, 32});
    for (ir::ValueId id : copy.graph.values())
      if (!copy.graph.is_input(id) && !copy.graph.constant(id)) copy.graph.value(id).shape = {};
    copy.graph.erase_node(copy.graph.producer(copy.graph.outputs[0]));
    copy.graph.outputs = {copy.graph.node(copy.graph.nodes().back()).output(0)};
  });
  try {
    compare(model, other, Dataset());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_EQ(error.subject(), "image");
    EXPECT_NE(std::string(error.what()).find("32"), std::string::npos);
  }
}

TEST(ApiCompare, BatchesAddUpToTheSameFigures) {
  const Model model = Model::load(kModels + "fmnist_mlp.onnx");
  const Model other = changed("fmnist_mlp.onnx", [](ir::Model& copy) {
    for (ir::ValueId id : copy.graph.values()) {
      const Tensor* constant = copy.graph.constant(id);
      if (!constant || constant->rank() != 2) continue;
      Tensor tensor = constant->clone();
      tensor.mutable_data<float>()[0] += 1;
      copy.graph.set_constant(id, tensor);
    }
  });
  CompareOptions whole, parts;
  whole.batch = whole.random = parts.random = 4;
  parts.batch = 4;
  const Comparison a = compare(model, other, Dataset(), whole), b = compare(model, other, Dataset(), parts);
  ASSERT_EQ(a.layers.size(), b.layers.size());
  parts.batch = 3;
  const Comparison uneven = compare(model, other, Dataset(), parts);
  EXPECT_EQ(uneven.samples, 4);
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    EXPECT_EQ(a.layers[i].difference.snr_db, b.layers[i].difference.snr_db);
    EXPECT_EQ(a.layers[i].difference.elements, uneven.layers[i].difference.elements);
  }
}

}  // namespace
}  // namespace pare
