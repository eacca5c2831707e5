#include "passes/precision.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ir/infer.h"
#include "ir/verify.h"
#include "pare/error.h"

namespace pare::passes {
namespace {

struct Chain {
  ir::Model model;
  ir::ValueId last;

  Chain() { last = model.graph.add_input("x", DType::kFloat32, ir::Shape::of({2})); }
  Chain& node(const std::string& op, const std::string& output, std::vector<Tensor> constants = {}) {
    ir::Node node;
    node.op_type = op;
    node.name = "node_" + output;
    node.inputs = {last};
    for (Tensor& constant : constants)
      node.inputs.push_back(model.graph.add_initializer(output + "_c", std::move(constant)));
    node.outputs = {last = model.graph.add_value(output)};
    model.graph.add_node(std::move(node));
    return *this;
  }
  PrecisionReport convert(const PrecisionOptions& options) {
    model.graph.outputs = {last};
    ir::infer_shapes(model);
    const PrecisionReport report = convert_precision(model, options);
    EXPECT_TRUE(ir::verify(model).empty()) << ir::verify(model)[0];
    return report;
  }
  DType type(const std::string& value) const {
    const ir::ValueId id = model.graph.find_value(value);
    return id == ir::kNoValue ? DType::kUndefined : model.graph.value(id).dtype;
  }
  std::vector<float> run(const std::vector<float>& x) const {
    const Tensor y = ir::evaluate(model, {{"x", Tensor::from({2}, x)}}).at(model.graph.value(last).name);
    return {y.data<float>().begin(), y.data<float>().end()};
  }
};

Tensor pair(float a, float b) { return Tensor::from({2}, std::vector<float>{a, b}); }

TEST(Precision, PortsStayAndTheMiddleIsConverted) {
  Chain chain;
  const PrecisionReport report = chain.node("Add", "a", {pair(0.1f, 1)}).node("Relu", "y").convert({});
  EXPECT_EQ(report.converted, 2);
  EXPECT_EQ(report.casts, 2);
  EXPECT_EQ(report.weights, 2);
  EXPECT_TRUE(report.kept.empty());
  EXPECT_EQ(chain.type("x"), DType::kFloat32);
  EXPECT_EQ(chain.type("y"), DType::kFloat32);
  EXPECT_EQ(chain.type("a"), DType::kFloat16);
  EXPECT_EQ(chain.run({1, -3}), (std::vector<float>{1.099609375f, 0})) << "1 + 0.1 in binary16";
}

TEST(Precision, PortsAreConvertedWhenAskedFor) {
  Chain chain;
  PrecisionOptions options;
  options.keep_io = false;
  const PrecisionReport report = chain.node("Add", "a", {pair(1, 1)}).node("Relu", "y").convert(options);
  EXPECT_EQ(report.casts, 0);
  EXPECT_EQ(chain.type("x"), DType::kFloat16);
  EXPECT_EQ(chain.type("y"), DType::kFloat16);
}

TEST(Precision, ConstantsBeyondTheRangeKeepTheirNodeInFloat) {
  Chain chain;
  const PrecisionReport report =
      chain.node("Relu", "a").node("Mul", "b", {pair(1e6f, 1)}).node("Relu", "y").convert({});
  EXPECT_EQ(report.too_large, std::vector<std::string>{"b_c"});
  ASSERT_EQ(report.kept.size(), 1u);
  EXPECT_EQ(report.kept[0].node, "node_b");
  EXPECT_NE(report.kept[0].reason.find("b_c"), std::string::npos);
  EXPECT_EQ(report.converted, 2);
  EXPECT_EQ(chain.type("b_c"), DType::kFloat32);
  Chain wide;
  PrecisionOptions options;
  options.type = DType::kBFloat16;
  EXPECT_TRUE(wide.node("Mul", "y", {pair(1e6f, 1)}).convert(options).too_large.empty());
  EXPECT_EQ(wide.model.opset(), 22) << "convolutions take bfloat16 from there on";
}

TEST(Precision, WeightsOnlyComputesInFloat) {
  Chain chain;
  PrecisionOptions options;
  options.type = DType::kBFloat16;
  options.weights_only = true;
  const PrecisionReport report = chain.node("Add", "y", {pair(0.1f, 1)}).convert(options);
  EXPECT_EQ(report.converted, 0);
  EXPECT_EQ(report.weights, 2);
  EXPECT_EQ(chain.run({1000, 0}), (std::vector<float>{1000 + 0.10009765625f, 1})) << "0.1 in bfloat16, added in float";
}

TEST(Precision, NodesAreKeptByNameAndUnknownNamesAreRefused) {
  Chain chain;
  PrecisionOptions options;
  options.keep = {"node_a"};
  const PrecisionReport report = chain.node("Relu", "a").node("Relu", "y").convert(options);
  ASSERT_EQ(report.kept.size(), 1u);
  EXPECT_EQ(report.kept[0].reason, "asked for");
  EXPECT_EQ(chain.type("a"), DType::kFloat32);
  Chain other;
  options.keep = {"Conv*"};
  EXPECT_THROW(other.node("Relu", "y").convert(options), Error);
}

TEST(Precision, ArithmeticOfSizesStaysExact) {
  Chain chain;
  chain.node("Mul", "scaled", {pair(2049, 1)}).node("Cast", "y");
  chain.model.graph.node(chain.model.graph.find_node("node_y")).set("to", static_cast<std::int64_t>(DType::kInt64));
  const PrecisionReport report = chain.convert({});
  EXPECT_EQ(report.converted, 0);
  ASSERT_EQ(report.kept.size(), 1u);
  EXPECT_EQ(report.kept[0].node, "node_scaled");
  const Tensor y = ir::evaluate(chain.model, {{"x", pair(1, 1)}}).at("y");
  EXPECT_EQ(y.data<std::int64_t>()[0], 2049) << "binary16 would say 2048";
}

}  // namespace
}  // namespace pare::passes
