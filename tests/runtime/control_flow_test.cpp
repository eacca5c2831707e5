// If and Loop through the runtime: what their subgraphs read is computed, kept and not fused away.
#include "pare/error.h"
#include "passes/pass.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using ir::Graph;
using ir::ValueId;

ValueId capture(Graph& graph, const std::string& name) {
  const ValueId id = graph.add_value(name);
  graph.value(id).captured = true;
  return id;
}

ValueId add(Graph& graph, const std::string& type, std::vector<ValueId> inputs) {
  ir::Node node;
  node.op_type = type;
  node.inputs = std::move(inputs);
  node.outputs = {graph.add_value("t")};
  const ValueId result = node.outputs[0];
  graph.add_node(std::move(node));
  return result;
}

/// MatMul whose result a Relu reads, and both branches of an If that the input "go" steers.
test::Builder branching() {
  test::Builder b;
  const ValueId x = b.input("x", ir::Shape::of({3, 4})), go = b.input("go", ir::Shape::of({}), DType::kBool);
  const ValueId product = b.node("MatMul", {x, b.weight({4, 5})}, {}, "product");
  const ValueId relu = b.node("Relu", {product}, {}, "relu");
  auto yes = std::make_shared<Graph>(), no = std::make_shared<Graph>();
  yes->outputs = {add(*yes, "Add", {capture(*yes, "relu"), capture(*yes, "product")})};
  no->outputs = {add(*no, "Neg", {capture(*no, "product")})};
  const ValueId chosen = b.node("If", {go}, {{"then_branch", yes}, {"else_branch", no}}, "chosen");
  b.finish({b.node("Mul", {chosen, relu}, {}, "y")});
  return b;
}

TEST(ControlFlow, BothBranchesAgreeWithTheReference) {
  const test::Builder b = branching();
  for (bool go : {false, true})
    test::expect_like_reference(b.model, {{"x", test::random_tensor({3, 4}, 5)}, {"go", Tensor::scalar(go)}});
}

TEST(ControlFlow, BranchesOfASimplifiedModelAreSimplifiedThemselves) {
  test::Builder b = branching();
  passes::simplify(b.model);
  exec::CompileOptions options;
  options.simplified = true;
  const auto executor = runtime::backend().compile(b.model, options);
  for (bool go : {false, true}) {
    const NamedTensors inputs = {{"x", test::random_tensor({3, 4}, 5)}, {"go", Tensor::scalar(go)}};
    EXPECT_TRUE(executor->run(inputs).at("y").identical(test::run(b.model, inputs).at("y"))) << go;
  }
}

TEST(ControlFlow, AConstantConditionLeavesOneBranch) {
  test::Builder b = branching();
  const ValueId go = b.model.graph.find_value("go");
  b.model.graph.inputs.erase(std::find(b.model.graph.inputs.begin(), b.model.graph.inputs.end(), go));
  b.model.graph.set_constant(go, Tensor::scalar(true));
  const NamedTensors inputs = {{"x", test::random_tensor({3, 4}, 5)}};
  test::expect_like_reference(b.model, inputs);
  const auto executor = runtime::backend().compile(b.model, {});
  for (const exec::PlanStep& step : executor->plan({{"x", {3, 4}}})) EXPECT_NE(step.op_type, "If");
}

TEST(ControlFlow, LoopsReadWhatIsAround) {
  test::Builder b;
  const ValueId x = b.input("x", ir::Shape::of({2, 3}));
  b.node("Exp", {x}, {}, "step");
  auto body = std::make_shared<Graph>();
  body->add_input("i", DType::kInt64, ir::Shape::of({}));
  const ValueId go = body->add_input("go", DType::kBool, ir::Shape::of({}));
  const ValueId state = body->add_input("state", DType::kFloat32, {});
  const ValueId next = add(*body, "Add", {state, capture(*body, "step")});
  body->outputs = {go, next, next};
  ir::Node loop;
  loop.op_type = "Loop";
  loop.inputs = {b.constant(Tensor::scalar<std::int64_t>(4)), ir::kNoValue, x};
  loop.outputs = {b.model.graph.add_value("last"), b.model.graph.add_value("all")};
  loop.set("body", body);
  const std::vector<ValueId> outputs = loop.outputs;
  b.model.graph.add_node(loop);
  b.finish(outputs);
  test::expect_like_reference(b.model, {{"x", test::random_tensor({2, 3}, 9)}});
}

TEST(ControlFlow, UnknownOperatorsInBranchesAreRefusedByName) {
  test::Builder b = branching();
  Graph& graph = b.model.graph;
  for (ir::NodeId id : graph.nodes()) {
    if (!graph.node(id).is("If")) continue;
    auto branch = std::make_shared<Graph>();
    branch->outputs = {add(*branch, "SequenceConstruct", {capture(*branch, "product")})};
    graph.node(id).set("else_branch", branch);
  }
  const std::vector<exec::Refusal> refused = runtime::backend().refusals(b.model);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].op_type, "SequenceConstruct");
}

}  // namespace
}  // namespace pare
