#include "passes/pass.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "ir/infer.h"
#include "ir/notes.h"
#include "ir/notes.h"
#include "ir/verify.h"
#include "pare/error.h"

namespace pare {
namespace {

using Ints = std::vector<std::int64_t>;

Tensor random_tensor(const Dims& dims, std::uint64_t seed, float low = -1.0f, float high = 1.0f) {
  Rng rng(seed, kRngTest);
  Tensor tensor(DType::kFloat32, dims);
  for (float& x : tensor.mutable_data<float>()) x = low + (high - low) * static_cast<float>(rng.uniform());
  return tensor;
}

struct Builder {
  ir::Model model;
  ir::Graph& graph = model.graph;
  ir::ValueId node(const std::string& type, std::vector<ir::ValueId> inputs,
                   const std::vector<std::pair<std::string, ir::AttributeValue>>& attributes = {},
                   const std::string& out = "v") {
    ir::Node n;
    n.op_type = type;
    n.inputs = std::move(inputs);
    n.outputs = {graph.add_value(out)};
    for (const auto& [name, value] : attributes) n.set(name, value);
    const ir::ValueId result = n.outputs[0];
    graph.add_node(std::move(n));
    return result;
  }
  ir::ValueId weight(const Dims& dims, std::uint64_t seed, float low = -1.0f, float high = 1.0f) {
    return graph.add_initializer("w", random_tensor(dims, seed, low, high));
  }
};

std::vector<std::string> types(const ir::Model& model) {
  std::vector<std::string> found;
  for (ir::NodeId id : model.graph.nodes()) found.push_back(model.graph.node(id).op_type);
  return found;
}

/// simplify() keeps the function and the names of inputs and outputs; the graph stays valid.
void expect_same_function(const ir::Model& before, const ir::Model& after, const NamedTensors& inputs) {
  EXPECT_EQ(ir::verify(after), std::vector<std::string>{});
  const NamedTensors a = ir::evaluate(before, inputs), b = ir::evaluate(after, inputs);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) {
    ASSERT_TRUE(b.contains(name)) << name;
    ASSERT_EQ(b.at(name).dims(), tensor.dims());
    for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.numel()); ++i)
      EXPECT_NEAR(b.at(name).data<float>()[i], tensor.data<float>()[i], 1e-4);
  }
}

TEST(Passes, BatchNormIsFoldedIntoConvAndGemm) {
  Builder b;
  const ir::ValueId x =
      b.graph.add_input("x", DType::kFloat32, ir::Shape({ir::Dim::symbol("N"), ir::Dim(3), ir::Dim(5), ir::Dim(5)}));
  const auto norm = [&](ir::ValueId v, std::int64_t c, const std::string& out) {
    return b.node("BatchNormalization",
                  {v, b.weight({c}, 1), b.weight({c}, 2), b.weight({c}, 3), b.weight({c}, 4, 0.5f, 2)}, {}, out);
  };
  const ir::ValueId conv = norm(b.node("Conv", {x, b.weight({4, 3, 3, 3}, 5)}), 4, "a");
  const ir::ValueId gemm =
      norm(b.node("Gemm", {b.node("Flatten", {conv}), b.weight({36, 6}, 6), b.weight({6}, 7)}), 6, "y");
  b.graph.outputs = {gemm};
  ir::Model simple = b.model;
  passes::simplify(simple);
  EXPECT_EQ(types(simple), (std::vector<std::string>{"Conv", "Flatten", "Gemm"}));
  expect_same_function(b.model, simple, {{"x", random_tensor({2, 3, 5, 5}, 8)}});
  for (const auto& [value, channels] : {std::pair{"a", 4U}, {"y", 6U}}) {
    const auto scale = ir::find_note(simple.graph.value(simple.graph.find_value(value)), ir::kBatchNormScale);
    const Tensor expected = *b.graph.constant(b.graph.node(b.graph.producer(b.graph.find_value(value))).input(1));
    ASSERT_EQ(scale.size(), channels) << "the scale is noted of what the layer writes";
    EXPECT_TRUE(std::equal(scale.begin(), scale.end(), expected.data<float>().begin())) << value;
  }
  ir::Model kept = b.model;
  passes::simplify(kept, false);
  EXPECT_EQ(types(kept).size(), 5u);
}

TEST(Passes, BatchNormIsKeptWhereTheFirstResultIsReadTwice) {
  Builder b;
  const ir::ValueId x =
      b.graph.add_input("x", DType::kFloat32, ir::Shape({ir::Dim(1), ir::Dim(2), ir::Dim(3), ir::Dim(3)}));
  const ir::ValueId conv = b.node("Conv", {x, b.weight({2, 2, 1, 1}, 5)}, {}, "conv");
  const ir::ValueId y = b.node("BatchNormalization",
                               {conv, b.weight({2}, 1), b.weight({2}, 2), b.weight({2}, 3), b.weight({2}, 4, 1, 2)});
  b.graph.outputs = {y, conv};
  passes::simplify(b.model);
  EXPECT_EQ(types(b.model), (std::vector<std::string>{"Conv", "BatchNormalization"}));
}

TEST(Passes, ShapeChainsFoldWithTheBatchFree) {
  Builder b;
  const ir::ValueId x =
      b.graph.add_input("x", DType::kFloat32, ir::Shape({ir::Dim::symbol("N"), ir::Dim(3), ir::Dim(4), ir::Dim(4)}));
  const ir::ValueId channels =
      b.node("Gather", {b.node("Shape", {x}), b.graph.add_initializer("i", Tensor::from<std::int64_t>({1}, {1}))});
  const ir::ValueId shape = b.node("Concat",
                                   {b.graph.add_initializer("m", Tensor::from<std::int64_t>({1}, {-1})), channels,
                                    b.graph.add_initializer("e", Tensor::from<std::int64_t>({1}, {16}))},
                                   {{"axis", std::int64_t{0}}});
  b.graph.outputs = {b.node("Reshape", {x, shape}, {}, "y")};
  ir::Model simple = b.model;
  passes::simplify(simple);
  EXPECT_EQ(types(simple), (std::vector<std::string>{"Reshape"}));
  expect_same_function(b.model, simple, {{"x", random_tensor({2, 3, 4, 4}, 8)}});
}

TEST(Passes, IdentitiesVanishAndOutputNamesStay) {
  Builder b;
  const ir::ValueId x = b.graph.add_input("x", DType::kFloat32, ir::Shape({ir::Dim(2), ir::Dim(3)}));
  ir::ValueId y = b.node("Dropout", {b.node("Identity", {x})});
  y = b.node("Cast", {b.node("Relu", {y})}, {{"to", std::int64_t{1}}});
  b.graph.outputs = {b.node("Transpose", {y}, {{"perm", Ints{0, 1}}}, "result")};
  ir::Model simple = b.model;
  passes::simplify(simple);
  EXPECT_EQ(types(simple), (std::vector<std::string>{"Relu"}));
  expect_same_function(b.model, simple, {{"x", random_tensor({2, 3}, 8)}});
}

TEST(Passes, IdentityFromInputToOutputStays) {
  Builder b;
  const ir::ValueId x = b.graph.add_input("x", DType::kFloat32, ir::Shape({ir::Dim(2)}));
  b.graph.outputs = {b.node("Identity", {x}, {}, "y")};
  passes::simplify(b.model);
  EXPECT_EQ(types(b.model), (std::vector<std::string>{"Identity"}));
}

TEST(Passes, QuantizedWeightsStayQuantized) {
  Builder b;
  const ir::ValueId x = b.graph.add_input("x", DType::kFloat32, ir::Shape({ir::Dim(2), ir::Dim(3)}));
  const ir::ValueId scale = b.graph.add_initializer("s", Tensor::scalar(0.5f));
  const ir::ValueId q = b.graph.add_initializer("q", Tensor::from<std::int8_t>({3, 2}, {1, 2, 3, 4, 5, 6}));
  b.graph.outputs = {b.node("MatMul", {x, b.node("DequantizeLinear", {q, scale})})};
  passes::simplify(b.model);
  EXPECT_EQ(types(b.model), (std::vector<std::string>{"DequantizeLinear", "MatMul"}));
}

TEST(Passes, ZeroPaddingMovesIntoConvolutionButNotIntoMaxPool) {
  for (const char* type : {"Conv", "AveragePool", "MaxPool"}) {
    Builder b;
    const ir::ValueId x =
        b.graph.add_input("x", DType::kFloat32, ir::Shape({ir::Dim(1), ir::Dim(2), ir::Dim(5), ir::Dim(5)}));
    const ir::ValueId pads = b.graph.add_initializer("p", Tensor::from<std::int64_t>({8}, {0, 0, 0, 1, 0, 0, 1, 2}));
    const ir::ValueId padded = b.node("Pad", {x, pads});
    const bool conv = std::string(type) == "Conv";
    const std::vector<std::pair<std::string, ir::AttributeValue>> window = {{"kernel_shape", Ints{3, 3}},
                                                                            {"strides", Ints{2, 2}}};
    b.graph.outputs = {conv ? b.node(type, {padded, b.weight({4, 2, 3, 3}, 5)}, window, "y")
                            : b.node(type, {padded}, window, "y")};
    ir::Model simple = b.model;
    passes::simplify(simple);
    SCOPED_TRACE(type);
    EXPECT_EQ(types(simple).size(), std::string(type) == "MaxPool" ? 2u : 1u);
    expect_same_function(b.model, simple, {{"x", random_tensor({1, 2, 5, 5}, 8, -2, -1)}});
  }
}

TEST(Passes, UnknownPassIsNamed) {
  try {
    passes::find_pass("fuse_pads");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("did you mean 'fuse_pad'"), std::string::npos);
  }
}

TEST(Passes, EveryRowHasANameAndASummary) {
  EXPECT_GE(passes::passes().size(), 5u);
  for (const passes::Pass* pass : passes::passes())
    EXPECT_NE(pass->summary.find("→"), std::string_view::npos) << pass->name;
}

TEST(DropZeroStates, ZerosOfTheBatchGoAndOthersStay) {
  for (const float state : {0.0F, 0.5F}) {
    Builder b;
    const ir::ValueId x = b.graph.add_input("x", DType::kFloat32, ir::Shape({5, ir::Dim::symbol("N"), 3}));
    const ir::ValueId sizes = b.node("Shape", {x});
    const ir::ValueId batch = b.node("Gather", {sizes, b.graph.add_initializer("one", Tensor::from({1}, Ints{1}))});
    const ir::ValueId way = b.graph.add_initializer("way", Tensor::from({1}, Ints{1}));
    const ir::ValueId hidden = b.graph.add_initializer("hidden", Tensor::from({1}, Ints{4}));
    const ir::ValueId shape = b.node("Concat", {way, batch, hidden}, {{"axis", std::int64_t{0}}});
    const ir::ValueId h = b.node("ConstantOfShape", {shape}, {{"value", Tensor::from({1}, std::vector<float>{state})}});
    const ir::ValueId y =
        b.node("RNN", {x, b.weight({1, 4, 3}, 1), b.weight({1, 4, 4}, 2), b.weight({1, 8}, 3), ir::kNoValue, h},
               {{"hidden_size", std::int64_t{4}}});
    b.graph.outputs = {y};
    const NamedTensors inputs = {{"x", random_tensor({5, 2, 3}, 8)}};
    const Tensor before = ir::evaluate(b.model, inputs).begin()->second;
    passes::simplify(b.model);
    const ir::Node& layer = b.graph.node(b.graph.producer(b.graph.outputs[0]));
    EXPECT_EQ(layer.input(5) == ir::kNoValue, state == 0);
    const Tensor after = ir::evaluate(b.model, inputs).begin()->second;
    for (std::size_t i = 0; i < before.data<float>().size(); ++i)
      EXPECT_EQ(before.data<float>()[i], after.data<float>()[i]);
  }
}

}  // namespace
}  // namespace pare
