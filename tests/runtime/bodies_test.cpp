// Subgraphs of control flow, compiled.
#include "runtime/bodies.h"

#include "pare/error.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using ir::Graph;
using ir::Shape;
using ir::ValueId;

ValueId capture(Graph& graph, const std::string& name) {
  const ValueId id = graph.add_value(name);
  graph.value(id).captured = true;
  return id;
}

ValueId add(Graph& graph, const std::string& type, std::vector<ValueId> inputs,
            const std::map<std::string, ir::AttributeValue>& attributes = {}) {
  ir::Node node;
  node.op_type = type;
  node.inputs = std::move(inputs);
  node.outputs = {graph.add_value("t")};
  for (const auto& [name, value] : attributes) node.set(name, value);
  const ValueId result = node.outputs[0];
  graph.add_node(std::move(node));
  return result;
}

/// state ← Tanh(state · W) while it goes, W a constant around; the body's last output is collected.
std::shared_ptr<Graph> recurrent_body(const std::string& collect) {
  auto body = std::make_shared<Graph>();
  body->add_input("i", DType::kInt64, Shape::of({}));
  const ValueId go = body->add_input("go", DType::kBool, Shape::of({}));
  const ValueId state = body->add_input("state", DType::kFloat32, {});
  const ValueId next = add(*body, "Tanh", {add(*body, "MatMul", {state, capture(*body, "w")})});
  body->outputs = {add(*body, "Identity", {go}), next, collect.empty() ? next : add(*body, collect, {next, next})};
  return body;
}

test::Builder looping(const std::shared_ptr<Graph>& body) {
  test::Builder b;
  const ValueId x = b.input("x", Shape::of({3, 8})), times = b.input("times", Shape::of({}), DType::kInt64);
  const ValueId w = b.weight({8, 8});
  EXPECT_EQ(b.model.graph.value(w).name, "w");
  ir::Node loop;
  loop.name = "loop";
  loop.op_type = "Loop";
  loop.inputs = {times, ir::kNoValue, x};
  loop.outputs = {b.model.graph.add_value("last"), b.model.graph.add_value("all")};
  loop.set("body", body);
  const std::vector<ValueId> outputs = loop.outputs;
  b.model.graph.add_node(loop);
  b.finish({outputs[0], b.node("Relu", {outputs[1]}, {}, "after")});
  return b;
}

TEST(Bodies, LoopsRunAsTheReferenceDoes) {
  for (const char* collect : {"", "Add"}) {
    const test::Builder b = looping(recurrent_body(collect));
    for (std::int64_t times : {0, 1, 7})
      test::expect_like_reference(b.model, {{"x", test::random_tensor({3, 8}, 4)}, {"times", Tensor::scalar(times)}});
  }
}

TEST(Bodies, ABodyIsCompiledWithConstantsFromAround) {
  const test::Builder b = looping(recurrent_body(""));
  const ir::Node& loop = b.model.graph.node(b.model.graph.nodes().front());
  runtime::WeightCache cache;
  const exec::CompileOptions options;
  runtime::Bodies bodies(b.model, loop, options, cache);
  const auto& body = *std::get<std::shared_ptr<Graph>>(loop.find("body")->value);
  const Tensor x = test::random_tensor({3, 8}, 4), w = *b.model.graph.constant(b.model.graph.find_value("w"));
  const std::vector<Tensor> inputs = {Tensor::scalar<std::int64_t>(0), Tensor::scalar(true), x};
  const auto got = bodies.run(body, inputs, {{"w", w}});
  ASSERT_TRUE(got.has_value());
  const std::vector<Tensor> want = ir::GraphRunner(body, {{"", 17}}).run(inputs, {{"w", w}});
  EXPECT_LT(test::max_difference((*got)[1], want[1]), 1e-6);
  const Graph other;
  EXPECT_FALSE(bodies.run(other, {}, {}).has_value());
}

/// A state that grows by a row in every iteration: a plan each, until planning is given up.
TEST(Bodies, StatesThatGrowRun) {
  auto body = std::make_shared<Graph>();
  body->add_input("i", DType::kInt64, Shape::of({}));
  const ValueId go = body->add_input("go", DType::kBool, Shape::of({}));
  const ValueId state = body->add_input("state", DType::kFloat32, {});
  const ValueId grown = add(*body, "Concat", {state, capture(*body, "x")}, {{"axis", std::int64_t{0}}});
  body->outputs = {add(*body, "Identity", {go}), grown,
                   add(*body, "ReduceSum", {grown}, {{"keepdims", std::int64_t{0}}})};
  const test::Builder b = looping(body);
  test::expect_like_reference(b.model,
                              {{"x", test::random_tensor({3, 8}, 4)}, {"times", Tensor::scalar<std::int64_t>(40)}});
}

/// An If inside the loop whose branches read the loop's state, the constant around and a value of the main graph.
TEST(Bodies, BranchesInsideLoops) {
  auto body = std::make_shared<Graph>();
  const ValueId i = body->add_input("i", DType::kInt64, Shape::of({}));
  const ValueId go = body->add_input("go", DType::kBool, Shape::of({}));
  const ValueId state = body->add_input("state", DType::kFloat32, {});
  auto yes = std::make_shared<Graph>(), no = std::make_shared<Graph>();
  yes->outputs = {add(*yes, "MatMul", {capture(*yes, "state"), capture(*yes, "w")})};
  no->outputs = {add(*no, "Add", {capture(*no, "state"), capture(*no, "x")})};
  const ValueId two = body->add_initializer("two", Tensor::scalar<std::int64_t>(2));
  const ValueId odd = add(*body, "Cast", {add(*body, "Mod", {i, two})}, {{"to", std::int64_t{9}}});
  const ValueId next = add(*body, "If", {odd}, {{"then_branch", yes}, {"else_branch", no}});
  body->outputs = {add(*body, "Identity", {go}), next, add(*body, "Neg", {state})};
  const test::Builder b = looping(body);
  test::expect_like_reference(b.model,
                              {{"x", test::random_tensor({3, 8}, 4)}, {"times", Tensor::scalar<std::int64_t>(5)}});
}

TEST(Bodies, ErrorsInsideNameTheNode) {
  auto body = recurrent_body("");
  const ValueId index = body->add_initializer("index", Tensor::scalar<std::int64_t>(0));
  const ValueId i = body->inputs[0];
  body->outputs[2] = add(*body, "Gather", {body->outputs[1], add(*body, "Add", {i, index})});
  const test::Builder b = looping(body);
  try {
    test::run(b.model, {{"x", test::random_tensor({3, 8}, 4)}, {"times", Tensor::scalar<std::int64_t>(5)}});
    FAIL() << "index 3 of 3 was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_NE(std::string(error.what()).find("Gather"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace pare
