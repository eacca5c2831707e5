// Inference with a free batch, merging with declarations, concrete shapes, MACs.
#include "ir/infer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "ir/op_case.h"
#include "onnx/onnx_file.h"
#include "pare/error.h"

namespace pare::testing {
namespace {

using ir::Dim;
using ir::Shape;

const Dim kBatch = Dim::symbol("batch");
const Shape kImage({kBatch, Dim(3), Dim(8), Dim(6)});

/// A graph under construction: one call a node, values by id.
struct Builder {
  ir::Model model;
  ir::ValueId add(const std::string& type, std::vector<ir::ValueId> inputs,
                  std::map<std::string, ir::AttributeValue> attributes = {}) {
    ir::Node node;
    node.name = type + std::to_string(model.graph.nodes().size());
    node.op_type = type;
    node.inputs = std::move(inputs);
    for (const auto& [name, value] : attributes) node.set(name, value);
    node.outputs = {model.graph.add_value("")};
    const ir::ValueId out = node.outputs[0];
    model.graph.add_node(std::move(node));
    return out;
  }
  ir::ValueId ints(std::vector<std::int64_t> values) {
    const auto count = static_cast<std::int64_t>(values.size());
    return model.graph.add_initializer("", Tensor::from<std::int64_t>({count}, values));
  }
  ir::ValueId number(std::int64_t value) {
    return model.graph.add_initializer("", Tensor::scalar<std::int64_t>(value));
  }
  std::string shape(ir::ValueId id) {
    ir::infer_shapes(model);
    return to_string(model.graph.value(id).shape);
  }
};

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    return error.what();
  }
  return "";
}

TEST(ShapeChain, FlattenByGatherAndConcatKeepsTheBatch) {
  // x.view(x.size(0), -1) as PyTorch's exporter writes it.
  Builder b;
  const ir::ValueId x = b.model.graph.add_input("x", DType::kFloat32, kImage);
  const ir::ValueId batch = b.add("Gather", {b.add("Shape", {x}), b.number(0)}, {{"axis", std::int64_t{0}}});
  const ir::ValueId target =
      b.add("Concat", {b.add("Unsqueeze", {batch, b.ints({0})}), b.ints({-1})}, {{"axis", std::int64_t{0}}});
  EXPECT_EQ(b.shape(b.add("Reshape", {x, target})), "[batch, 144]");
}

TEST(ShapeChain, SliceCastAndArithmetic) {
  // reshape to [batch, 3, 8·6 / 4, 4], sizes taken from Shape.
  Builder b;
  const ir::ValueId x = b.model.graph.add_input("x", DType::kFloat32, kImage);
  const ir::ValueId shape = b.add("Shape", {x});
  const ir::ValueId head = b.add("Slice", {shape, b.ints({0}), b.ints({2}), b.ints({0})});
  const ir::ValueId h = b.add("Gather", {shape, b.ints({2})}), w = b.add("Gather", {shape, b.ints({-1})});
  const ir::ValueId quarter = b.add("Div", {b.add("Mul", {h, w}), b.ints({4})});
  const ir::ValueId as_int64 =
      b.add("Cast", {b.add("Cast", {quarter}, {{"to", std::int64_t{1}}})}, {{"to", std::int64_t{7}}});
  const ir::ValueId target = b.add("Concat", {head, as_int64, b.ints({4})}, {{"axis", std::int64_t{0}}});
  EXPECT_EQ(b.shape(b.add("Reshape", {x, target})), "[batch, 3, 12, 4]");
}

TEST(ShapeChain, ExpandAndConstantOfShapeTakeSymbols) {
  Builder b;
  const ir::ValueId x = b.model.graph.add_input("x", DType::kFloat32, kImage);
  const ir::ValueId batch = b.add("Slice", {b.add("Shape", {x}), b.ints({0}), b.ints({1})});
  const ir::ValueId target = b.add("Concat", {batch, b.ints({7})}, {{"axis", std::int64_t{0}}});
  EXPECT_EQ(b.shape(b.add("ConstantOfShape", {target})), "[batch, 7]");
  EXPECT_EQ(b.shape(b.add("Expand", {b.ints({1}), target})), "[batch, 7]");
  EXPECT_EQ(b.shape(b.add("Range", {b.number(0), b.add("Squeeze", {batch}), b.number(1)})), "[batch]");
}

TEST(ReshapeInference, ZeroCopiesMinusOneTakesTheRest) {
  const auto reshape = [](std::vector<std::int64_t> target, std::int64_t allowzero = 0) {
    Builder b;
    const ir::ValueId x = b.model.graph.add_input("x", DType::kFloat32, kImage);
    return b.shape(b.add("Reshape", {x, b.ints(std::move(target))}, {{"allowzero", allowzero}}));
  };
  EXPECT_EQ(reshape({0, -1}), "[batch, 144]");
  EXPECT_EQ(reshape({-1, 144}), "[batch, 144]");
  EXPECT_EQ(reshape({0, 0, 48}), "[batch, 3, 48]");
  EXPECT_EQ(reshape({-1, 72}), "[?, 72]");  // 2·batch has no name
  EXPECT_EQ(reshape({-1}), "[?]");
  EXPECT_EQ(reshape({0, 3}, 1), "[0, 3]");
}

TEST(Inference, ConvolutionKeepsSymbolicSizesThatItDoesNotChange) {
  const Shape x({kBatch, Dim(3), Dim::symbol("h"), Dim(9)}), w({Dim(5), Dim(3), Dim(3), Dim(3)});
  const std::vector<std::pair<DType, Shape>> inputs = {{DType::kFloat32, x}, {DType::kFloat32, w}};
  const std::vector<std::int64_t> ones = {1, 1, 1, 1}, twos = {2, 2};
  EXPECT_EQ(inferred(one_node("Conv", 17, inputs, {{"pads", ones}})), "[batch, 5, h, 9]");
  EXPECT_EQ(inferred(one_node("Conv", 17, inputs, {{"pads", ones}, {"strides", twos}})), "[batch, 5, ?, 5]");
  EXPECT_EQ(inferred(one_node("Conv", 17, inputs, {{"auto_pad", std::string("SAME_UPPER")}})), "[batch, 5, h, 9]");
}

TEST(Inference, BroadcastsSymbols) {
  const auto add = [](Shape a, Shape b) {
    return inferred(one_node("Add", 17, {{DType::kFloat32, a}, {DType::kFloat32, b}}));
  };
  EXPECT_EQ(add(kImage, Shape({Dim(3), Dim(1), Dim(1)})), "[batch, 3, 8, 6]");
  EXPECT_EQ(add(Shape({kBatch}), Shape({Dim(4)})), "[4]");
  EXPECT_EQ(add(Shape({kBatch}), Shape({Dim::symbol("n")})), "[?]");
  EXPECT_EQ(add(Shape({kBatch}), Shape({kBatch})), "[batch]");
}

TEST(Inference, ErrorsNameTheNodeAndBothSides) {
  const auto conv = one_node("Conv", 17, {{DType::kFloat32, kImage}, {DType::kFloat32, Shape::of({5, 4, 3, 3})}});
  EXPECT_EQ(error_of([&] { inferred(conv); }),
            "Conv 'the_node': input channels do not match the weight (expected 4, got 3)");
  const auto add = one_node("Add", 17, {{DType::kFloat32, Shape::of({3})}, {DType::kFloat32, Shape::of({4})}});
  EXPECT_NE(error_of([&] { inferred(add); }).find("do not broadcast"), std::string::npos);
  const auto types = one_node("Add", 17, {{DType::kFloat32, Shape::of({3})}, {DType::kInt32, Shape::of({3})}});
  EXPECT_NE(error_of([&] { inferred(types); }).find("expected float32, got int32"), std::string::npos);
}

TEST(Inference, DeclaredShapesMergeOrContradict) {
  ir::Model model = one_node("Relu", 17, {{DType::kFloat32, Shape({kBatch, Dim()})}});
  ir::Value& y = model.graph.value(model.graph.outputs[0]);
  y.shape = Shape({Dim(), Dim(10)});
  EXPECT_EQ(inferred(model), "[batch, 10]");
  y.shape = Shape::of({1, 2, 3});
  EXPECT_NE(error_of([&] { inferred(model); }).find("Relu 'the_node': output 'y0' contradicts its declaration"),
            std::string::npos);
  y.shape = {};
  y.dtype = DType::kInt64;
  EXPECT_NE(error_of([&] { inferred(model); }).find("expected int64, got float32"), std::string::npos);
}

TEST(Inference, FollowsEditsOfTheGraph) {
  Builder b;
  const ir::ValueId x = b.model.graph.add_input("x", DType::kFloat32, Shape::of({1, 8}));
  const ir::ValueId y = b.add("Relu", {x});
  EXPECT_EQ(b.shape(y), "[1, 8]");
  b.model.graph.value(x).shape = Shape({kBatch, Dim(6)});
  EXPECT_EQ(b.shape(y), "[batch, 6]");
}

TEST(Inference, ExpandToAContradictingShapeNamesTheNode) {
  const auto refusal = [](const std::vector<std::int64_t>& target) {
    ir::Model model =
        one_node("Expand", 13, {{DType::kFloat32, Shape({kBatch, Dim(3)})}, {DType::kInt64, Shape({Dim(2)})}});
    const ir::ValueId id = model.graph.find_value("x1");
    std::erase(model.graph.inputs, id);
    model.graph.set_constant(id, Tensor::from<std::int64_t>({2}, target));
    try {
      ir::infer_shapes(model);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadInput);
      return std::string(error.subject());
    }
    return to_string(model.graph.value(model.graph.find_value("y0")).shape);
  };
  EXPECT_EQ(refusal({1, 4}), "Expand 'the_node'");
  EXPECT_EQ(refusal({1, -1}), "Expand 'the_node'");
  EXPECT_EQ(refusal({1, 1}), "[batch, 3]");
}

TEST(Inference, UnknownOperatorsKeepWhatTheFileDeclares) {
  ir::Model model = one_node("Mystery", 17, {{DType::kFloat32, kImage}});
  model.graph.value(model.graph.outputs[0]).shape = Shape({kBatch, Dim(4)});
  EXPECT_EQ(inferred(model), "[batch, 4]");
  try {
    ir::evaluate(model, {{"x0", Tensor(DType::kFloat32, {1, 3, 8, 6})}});
    ADD_FAILURE() << "evaluated an unknown operator";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_STREQ(error.what(), "Mystery 'the_node': unknown operator; opset 17, inputs float32 [batch, 3, 8, 6]");
  }
}

TEST(InferFor, BindsSymbolsAndRefusesContradictions) {
  const ir::Model model = one_node("GlobalAveragePool", 17, {{DType::kFloat32, kImage}});
  const auto facts = ir::infer_for(model, {{"x0", {5, 3, 8, 6}}});
  EXPECT_EQ(to_string(facts[static_cast<std::size_t>(model.graph.outputs[0])].shape), "[5, 3, 1, 1]");
  EXPECT_EQ(error_of([&] {
              ir::infer_for(model, {{"x0", {5, 4, 8, 6}}});
            }),
            "input 'x0': shape contradicts the model (expected [batch, 3, 8, 6], got [5, 4, 8, 6])");
  EXPECT_NE(error_of([&] { ir::infer_for(model, {{"x1", {5}}}); }).find("no such input"), std::string::npos);
  const auto free = ir::infer_for(model, {});
  EXPECT_EQ(to_string(free[static_cast<std::size_t>(model.graph.outputs[0])].shape), "[batch, 3, 1, 1]");
}

TEST(InputShapes, BatchOverridesAndOpenSizes) {
  const ir::Model image = one_node("Relu", 17, {{DType::kFloat32, kImage}});
  EXPECT_EQ(ir::input_shapes_for(image, 4).at("x0"), (Dims{4, 3, 8, 6}));
  const ir::Model text = one_node("Relu", 17, {{DType::kFloat32, Shape({kBatch, Dim::symbol("tokens")})}});
  EXPECT_NE(error_of([&] { ir::input_shapes_for(text, 4); }).find("--shape x0="), std::string::npos);
  EXPECT_EQ(ir::input_shapes_for(text, 4, {{"x0", {2, 9}}}).at("x0"), (Dims{2, 9}));
}

std::int64_t total_macs(const std::string& path) {
  const ir::Model model = onnx::read_model(path);
  std::int64_t total = 0;
  for (const ir::NodeMacs& node : ir::count_macs(model, {})) total += node.macs;
  return total;
}

TEST(Macs, ExampleModels) {
  const std::string folder = PARE_SOURCE_DIR "/examples/models/";
  // By onnx.shape_inference and the definition, in Python; the MLP is 784·300 + 300·100 + 100·10.
  EXPECT_EQ(total_macs(folder + "fmnist_mlp.onnx"), 266200);
  EXPECT_EQ(total_macs(folder + "fmnist_convnet.onnx"), 1031744);
  EXPECT_EQ(total_macs(folder + "fmnist_resnet10.onnx"), 40824320);
}

TEST(Macs, ResNet18) {
  const char* models = std::getenv("PARE_TEST_MODELS");
  if (models == nullptr) GTEST_SKIP() << "PARE_TEST_MODELS is not set";
  EXPECT_EQ(total_macs(std::string(models) + "/fmnist_resnet18.onnx"), 455800832);
}

TEST(Macs, GroupsAndTransposesCountOnce) {
  const auto macs = [](const ir::Model& model) { return ir::count_macs(model, {}).at(0).macs; };
  const Shape x = Shape::of({2, 8, 5, 5}), w = Shape::of({8, 1, 3, 3});
  EXPECT_EQ(macs(one_node("Conv", 17, {{DType::kFloat32, x}, {DType::kFloat32, w}}, {{"group", std::int64_t{8}}})),
            2 * 8 * 9 * 9);
  EXPECT_EQ(macs(one_node("Gemm", 17, {{DType::kFloat32, Shape::of({7, 3})}, {DType::kFloat32, Shape::of({7, 4})}},
                          {{"transA", std::int64_t{1}}})),
            3 * 4 * 7);
  EXPECT_EQ(
      macs(one_node("MatMul", 17, {{DType::kFloat32, Shape::of({6, 3, 7})}, {DType::kFloat32, Shape::of({7, 4})}})),
      6 * 3 * 4 * 7);
}

}  // namespace
}  // namespace pare::testing
