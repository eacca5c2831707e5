// Local functions and what becomes of their calls.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ir/infer.h"
#include "ir/op.h"
#include "pare/error.h"
#include "passes/pass.h"

namespace pare {
namespace {

using ir::Graph;
using ir::Node;
using ir::ValueId;

ValueId add(Graph& graph, const std::string& type, std::vector<ValueId> inputs, const std::string& out = "t",
            const std::string& domain = "") {
  Node node;
  node.op_type = type;
  node.domain = domain;
  node.inputs = std::move(inputs);
  node.outputs = {graph.add_value(out)};
  const ValueId result = node.outputs[0];
  graph.add_node(std::move(node));
  return result;
}

ir::Attribute reference(const std::string& to) {
  ir::Attribute attribute;
  attribute.reference = to;
  return attribute;
}

/// LeakyRelu(x) with the function's "slope" (default 0.5), plus the optional second input.
ir::Function leaky(bool with_default = true) {
  ir::Function function;
  function.domain = "mine";
  function.name = "Leaky";
  function.opsets = {{"", 17}};
  if (with_default) function.attribute_defaults["slope"].value = 0.5F;
  function.body = std::make_shared<Graph>();
  Graph& body = *function.body;
  const ValueId x = body.add_input("x", DType::kUndefined, {}), y = body.add_input("y", DType::kUndefined, {});
  const ValueId leaked = add(body, "LeakyRelu", {x}, "t");
  body.node(body.producer(leaked)).attributes["alpha"] = reference("slope");
  // Sum takes any number of inputs, so the omitted one is given to an operator that may go without: Clip's bound.
  body.outputs = {add(body, "Clip", {leaked, ir::kNoValue, y}, "r")};
  return function;
}

ir::Model calling(const ir::Function& function, int calls = 2) {
  ir::Model model;
  model.opsets = {{"", 17}, {"mine", 1}};
  model.functions = {function};
  ValueId x = model.graph.add_input("x", DType::kFloat32, ir::Shape::of({4}));
  for (int i = 0; i < calls; ++i) x = add(model.graph, function.name, {x}, "t", function.domain);
  model.graph.outputs = {x};
  return model;
}

void inline_all(ir::Model& model) { passes::find_pass("inline_functions").run(model); }

std::vector<float> run(const ir::Model& model, const std::vector<float>& x) {
  const NamedTensors outputs = ir::evaluate(model, {{"x", Tensor::from({static_cast<std::int64_t>(x.size())}, x)}});
  const auto y = outputs.begin()->second.data<float>();
  return {y.begin(), y.end()};
}

std::string error_of(ir::Model model) {
  try {
    inline_all(model);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(InlineFunctions, CallsBecomeBodiesWithDefaultsAndOmittedInputs) {
  ir::Model model = calling(leaky());
  inline_all(model);
  EXPECT_TRUE(model.functions.empty());
  EXPECT_FALSE(model.opsets.contains("mine"));
  EXPECT_EQ(model.graph.nodes().size(), 4u);
  EXPECT_EQ(run(model, {-8, -4, 0, 2}), (std::vector<float>{-2, -1, 0, 2}));
}

TEST(InlineFunctions, TheCallsAttributeAndInputWin) {
  ir::Model model = calling(leaky(), 1);
  Node& call = model.graph.node(model.graph.nodes()[0]);
  call.set("slope", 0.25F);
  model.graph.set_input(model.graph.nodes()[0], 1, model.graph.add_initializer("most", Tensor::scalar(1.0F)));
  inline_all(model);
  EXPECT_EQ(run(model, {-8, -4, 0, 2}), (std::vector<float>{-2, -1, 0, 1}));
}

TEST(InlineFunctions, AnAttributeWithoutValueIsLeftToTheOperatorsDefault) {
  ir::Model model = calling(leaky(false), 1);
  inline_all(model);
  EXPECT_EQ(run(model, {-100, -4, 0, 2})[0], -1.0F);  // LeakyRelu's own 0.01
}

TEST(InlineFunctions, FunctionsCallFunctionsAndOverloadsDiffer) {
  ir::Function twice;
  twice.domain = "mine";
  twice.name = "Twice";
  twice.opsets = {{"", 17}, {"mine", 1}};
  twice.body = std::make_shared<Graph>();
  const ValueId x = twice.body->add_input("x", DType::kUndefined, {});
  const ValueId once = add(*twice.body, "Leaky", {x}, "t", "mine");
  twice.body->outputs = {add(*twice.body, "Leaky", {once}, "u", "mine")};
  twice.body->node(twice.body->producer(twice.body->outputs[0])).overload = "steep";
  twice.body->node(twice.body->producer(once)).attributes["slope"] = reference("slope");
  ir::Function steep = leaky();
  steep.overload = "steep";
  steep.attribute_defaults["slope"].value = 2.0F;
  ir::Model model = calling(twice, 1);
  model.functions = {twice, leaky(), steep};
  inline_all(model);
  EXPECT_EQ(model.graph.nodes().size(), 4u);
  EXPECT_EQ(run(model, {-8, -4, 0, 2}), (std::vector<float>{-8, -4, 0, 2}));
}

TEST(InlineFunctions, AnOutputThatIsAnInputIsPassedThrough) {
  ir::Function pass;
  pass.domain = "mine";
  pass.name = "Pass";
  pass.opsets = {{"", 17}};
  pass.body = std::make_shared<Graph>();
  pass.body->outputs = {pass.body->add_input("x", DType::kUndefined, {})};
  ir::Model model = calling(pass, 2);
  inline_all(model);
  EXPECT_EQ(run(model, {1, 2, 3, 4}), (std::vector<float>{1, 2, 3, 4}));
}

/// If(x[0] > 0) then x + k else x − k, with names that the caller has, too.
ir::Function branching() {
  ir::Function function;
  function.domain = "mine";
  function.name = "Branching";
  function.opsets = {{"", 17}};
  function.body = std::make_shared<Graph>();
  Graph& body = *function.body;
  const ValueId x = body.add_input("a", DType::kUndefined, {}), k = body.add_input("b", DType::kUndefined, {});
  const ValueId sum = add(body, "ReduceSum", {x}, "sum");
  body.node(body.producer(sum)).set("keepdims", std::int64_t{0});
  const ValueId is_positive = add(body, "Greater", {sum, body.add_initializer("zero", Tensor::scalar(0.0F))}, "c");
  Node choice;
  choice.op_type = "If";
  choice.inputs = {is_positive};
  choice.outputs = {body.add_value("r")};
  body.outputs = choice.outputs;
  for (const auto& [branch, type] : {std::pair("then_branch", "Add"), std::pair("else_branch", "Sub")}) {
    auto graph = std::make_shared<Graph>();
    const ValueId left = graph->add_value("a"), right = graph->add_value("b");
    graph->value(left).captured = graph->value(right).captured = true;
    graph->outputs = {add(*graph, type, {left, right}, "x")};  // "x" is what the caller calls its input
    choice.set(branch, graph);
  }
  (void)k;
  body.add_node(std::move(choice));
  return function;
}

TEST(InlineFunctions, SubgraphsFollowTheNewNames) {
  ir::Model model = calling(branching(), 0);
  const ValueId x = model.graph.outputs[0];
  const ValueId once = add(model.graph, "Branching", {x, x}, "b", "mine");
  model.graph.outputs = {add(model.graph, "Branching", {once, x}, "a", "mine")};
  inline_all(model);
  std::set<std::string> branch_names, outer;
  for (ir::NodeId id : model.graph.nodes()) {
    const ir::Attribute* branch = model.graph.node(id).find("then_branch");
    if (branch == nullptr) continue;
    const Graph& graph = *std::get<std::shared_ptr<Graph>>(branch->value);
    for (ValueId value : graph.values())
      if (graph.value(value).captured)
        EXPECT_NE(model.graph.find_value(graph.value(value).name), ir::kNoValue) << graph.value(value).name;
      else
        EXPECT_EQ(model.graph.find_value(graph.value(value).name), ir::kNoValue) << graph.value(value).name;
  }
  EXPECT_EQ(run(model, {1, 2, 3, 4}), (std::vector<float>{3, 6, 9, 12}));
  EXPECT_EQ(run(model, {-1, -2, -3, -4}), (std::vector<float>{1, 2, 3, 4}));
}

TEST(InlineFunctions, RecursionIsRefusedByName) {
  ir::Function a = leaky(), b = leaky();
  b.name = "Other";
  a.body = std::make_shared<Graph>();
  a.body->outputs = {add(*a.body, "Other", {a.body->add_input("x", DType::kUndefined, {})}, "r", "mine")};
  b.body = std::make_shared<Graph>();
  b.body->outputs = {add(*b.body, "Leaky", {b.body->add_input("x", DType::kUndefined, {})}, "r", "mine")};
  ir::Model model = calling(a, 1);
  model.functions = {a, b};
  EXPECT_EQ(error_of(model),
            "function 'mine.Leaky': calls itself: mine.Leaky → mine.Other → mine.Leaky (expected functions without "
            "recursion)");
}

TEST(InlineFunctions, ABombOfCallsIsRefusedBeforeItGoesOff) {
  ir::Model model = calling(leaky(), 1);
  for (int level = 0; level < 40; ++level) {
    ir::Function doubled;
    doubled.domain = "mine";
    doubled.name = "Level" + std::to_string(level);
    doubled.opsets = {{"", 17}, {"mine", 1}};
    doubled.body = std::make_shared<Graph>();
    const std::string callee = level == 0 ? "Leaky" : "Level" + std::to_string(level - 1);
    const ValueId x = doubled.body->add_input("x", DType::kUndefined, {});
    doubled.body->outputs = {add(*doubled.body, callee, {add(*doubled.body, callee, {x}, "t", "mine")}, "u", "mine")};
    model.functions.push_back(doubled);
  }
  model.graph.node(model.graph.nodes()[0]).op_type = "Level39";
  EXPECT_NE(error_of(model).find("the functions expand to too many nodes"), std::string::npos);
}

TEST(InlineFunctions, TooManyArgumentsAreRefused) {
  ir::Model model = calling(leaky(), 1);
  const ValueId x = model.graph.inputs[0];
  model.graph.set_input(model.graph.nodes()[0], 1, x);
  model.graph.set_input(model.graph.nodes()[0], 2, x);
  EXPECT_NE(error_of(model).find("the function takes fewer inputs than the call gives (expected at most 2, got 3)"),
            std::string::npos);
}

}  // namespace
}  // namespace pare
