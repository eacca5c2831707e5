// Loops that do not end, captured values, and what inference says of subgraphs. Results are ONNX's node tests'
// business.
#include <gtest/gtest.h>

#include "ir/infer.h"
#include "ir/op_case.h"
#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::testing {
namespace {

using ir::Graph;
using ir::Node;
using ir::Shape;
using ir::ValueId;

ValueId add(Graph& graph, const std::string& type, std::vector<ValueId> inputs) {
  Node node;
  node.op_type = type;
  node.inputs = std::move(inputs);
  node.outputs = {graph.add_value(type + "_out")};
  const ValueId result = node.outputs[0];
  graph.add_node(std::move(node));
  return result;
}

ValueId capture(Graph& graph, const std::string& name) {
  const ValueId id = graph.add_value(name);
  graph.value(id).captured = true;
  return id;
}

/// Loop(M, true, x): x = body(x), with what the body does to x and what it gives as its condition.
template <class Step>
ir::Model looping(std::optional<std::int64_t> most, Step step, bool scans = false) {
  ir::Model model;
  Graph& graph = model.graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, Shape::of({2}));
  auto body = std::make_shared<Graph>();
  body->add_input("i", DType::kInt64, Shape::of({}));
  body->add_input("go", DType::kBool, Shape::of({}));
  const ValueId state = body->add_input("state", DType::kFloat32, {});
  const auto [condition, next] = step(*body, state);
  body->outputs = {condition, next};
  if (scans) body->outputs.push_back(next);
  Node loop;
  loop.name = "the_loop";
  loop.op_type = "Loop";
  loop.set("body", body);
  loop.inputs = {most ? graph.add_initializer("most", Tensor::scalar(*most)) : ir::kNoValue, ir::kNoValue, x};
  loop.outputs = {graph.add_value("y")};
  if (scans) loop.outputs.push_back(graph.add_value("all"));
  graph.outputs = loop.outputs;
  graph.add_node(loop);
  return model;
}

std::pair<ValueId, ValueId> doubled(Graph& body, ValueId state) {
  return {body.inputs[1], add(body, "Add", {state, state})};
}

NamedTensors run(const ir::Model& model) { return ir::evaluate(model, {{"x", Tensor::from<float>({2}, {1, -1})}}); }

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ControlFlow, LoopStacksItsSlicesAndItsTripCountIsInferred) {
  ir::Model model = looping(3, doubled, true);
  const NamedTensors outputs = run(model);
  EXPECT_TRUE(outputs.at("y").identical(Tensor::from<float>({2}, {8, -8})));
  EXPECT_TRUE(outputs.at("all").identical(Tensor::from<float>({3, 2}, {2, -2, 4, -4, 8, -8})));
  ir::infer_shapes(model);
  EXPECT_EQ(to_string(model.graph.value(model.graph.find_value("all")).shape), "[3, 2]");
}

TEST(ControlFlow, ALoopWithoutIterationGivesEmptySlices) {
  const NamedTensors outputs = run(looping(0, doubled, true));
  EXPECT_EQ(outputs.at("all").dims(), (Dims{0, 2}));
  EXPECT_TRUE(outputs.at("y").identical(Tensor::from<float>({2}, {1, -1})));
}

TEST(ControlFlow, AStateThatGrowsIsUnknownInTheAxisThatGrows) {
  ir::Model model = looping(3, [](Graph& body, ValueId state) {
    const ValueId grown = add(body, "Concat", {state, state});
    body.node(body.producer(grown)).set("axis", std::int64_t{0});
    return std::pair(body.inputs[1], grown);
  });
  EXPECT_EQ(run(model).at("y").dims(), Dims{16});
  ir::infer_shapes(model);
  EXPECT_EQ(to_string(model.graph.value(model.graph.find_value("y")).shape), "[?]");
}

TEST(ControlFlow, EndlessLoopsAreRefused) {
  ir::Model endless = looping(std::nullopt, doubled), longest = looping(std::int64_t{1} << 40, doubled);
  EXPECT_NE(error_of([&] { ir::infer_shapes(endless); }).find("Loop 'the_loop': the loop never ends"),
            std::string::npos);
  EXPECT_NE(error_of([&] { ir::infer_shapes(longest); }).find("the loop is too long (expected at most 4194304"),
            std::string::npos);
}

TEST(ControlFlow, AStateThatExplodesIsStoppedByTheBudget) {
  const ir::Model model = looping(60, [](Graph& body, ValueId state) {
    const ValueId grown = add(body, "Concat", {state, state});
    body.node(body.producer(grown)).set("axis", std::int64_t{0});
    return std::pair(body.inputs[1], grown);
  });
  const ir::MemoryBudget budget(1 << 20);
  EXPECT_NE(error_of([&] { run(model); }).find("what the iterations gather does not fit"), std::string::npos)
      << error_of([&] { run(model); });
}

TEST(ControlFlow, SlicesOfDifferentShapesAreRefused) {
  const ir::Model model = looping(
      3,
      [](Graph& body, ValueId state) {
        const ValueId grown = add(body, "Concat", {state, state});
        body.node(body.producer(grown)).set("axis", std::int64_t{0});
        return std::pair(body.inputs[1], grown);
      },
      true);
  EXPECT_NE(error_of([&] { run(model); }).find("iterations give slices of different shapes (expected 4, got 8)"),
            std::string::npos);
}

/// y = If(go){ x + k | If(go){ x | x − k } }: values of both graphs around are captured, one through two levels.
ir::Model choosing() {
  ir::Model model;
  Graph& graph = model.graph;
  const ValueId go = graph.add_input("go", DType::kBool, Shape::of({})),
                x = graph.add_input("x", DType::kFloat32, Shape::of({2}));
  const ValueId k = add(graph, "Mul", {x, x});
  graph.rename(k, "k");
  auto yes = std::make_shared<Graph>(), no = std::make_shared<Graph>(), inner = std::make_shared<Graph>(),
       same = std::make_shared<Graph>();
  yes->outputs = {add(*yes, "Add", {capture(*yes, "x"), capture(*yes, "k")})};
  inner->outputs = {add(*inner, "Sub", {capture(*inner, "x"), capture(*inner, "k")})};
  same->outputs = {capture(*same, "x")};
  Node deep;
  deep.op_type = "If";
  deep.inputs = {capture(*no, "go")};
  deep.outputs = {no->add_value("r")};
  deep.set("then_branch", same);
  deep.set("else_branch", inner);
  no->outputs = deep.outputs;
  no->add_node(deep);
  Node choice;
  choice.op_type = "If";
  choice.inputs = {go};
  choice.outputs = {graph.add_value("y")};
  choice.set("then_branch", yes);
  choice.set("else_branch", no);
  graph.outputs = choice.outputs;
  graph.add_node(choice);
  return model;
}

void expect_choices(const ir::Model& model) {
  const Tensor x = Tensor::from<float>({2}, {3, -1});
  const auto run = [&](bool go) { return ir::evaluate(model, {{"go", Tensor::scalar(go)}, {"x", x}}).at("y"); };
  EXPECT_TRUE(run(true).identical(Tensor::from<float>({2}, {12, 0})));
  EXPECT_TRUE(run(false).identical(Tensor::from<float>({2}, {-6, -2})));
}

TEST(ControlFlow, SubgraphsReadTheGraphsAround) {
  ir::Model model = choosing();
  EXPECT_EQ(ir::captures(model.graph.node(model.graph.nodes().back())), (std::vector<std::string>{"go", "k", "x"}));
  expect_choices(model);
  ir::infer_shapes(model);
  EXPECT_EQ(to_string(model.graph.value(model.graph.find_value("y")).shape), "[2]");
}

TEST(ControlFlow, LiftedCapturesAreInputsAndMeanTheSame) {
  ir::Model model = choosing();
  ir::lift_captures(model.graph);
  const Node& choice = model.graph.node(model.graph.nodes().back());
  EXPECT_EQ(choice.inputs.size(), 4u);
  EXPECT_EQ(ir::own_inputs(choice), 1u);
  expect_choices(model);
  ir::infer_shapes(model);
  EXPECT_EQ(to_string(model.graph.value(model.graph.find_value("y")).shape), "[2]");
}

}  // namespace
}  // namespace pare::testing
