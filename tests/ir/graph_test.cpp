#include "ir/graph.h"

#include <gtest/gtest.h>

#include "pare/error.h"

namespace pare::ir {
namespace {

/// x → Relu → a → Add(a, a) → y, and b = Neg(a), which nothing needs.
struct Sample {
  Graph graph;
  ValueId x, a, y, b;
  NodeId relu, add, neg;

  Sample() {
    x = graph.add_input("x", DType::kFloat32, Shape({2}));
    a = graph.add_value("a");
    y = graph.add_value("y");
    b = graph.add_value("b");
    relu = graph.add_node({.name = "relu", .op_type = "Relu", .inputs = {x}, .outputs = {a}});
    add = graph.add_node({.name = "add", .op_type = "Add", .inputs = {a, a}, .outputs = {y}});
    neg = graph.add_node({.name = "neg", .op_type = "Neg", .inputs = {a}, .outputs = {b}});
    graph.outputs = {y};
  }
};

TEST(Graph, KeepsLinksExact) {
  Sample s;
  EXPECT_EQ(s.graph.value(s.a).producer, s.relu);
  EXPECT_EQ(s.graph.value(s.a).consumers, (std::vector<NodeId>{s.add, s.add, s.neg}));
  EXPECT_EQ(s.graph.sole_consumer(s.x), s.relu);
  EXPECT_EQ(s.graph.sole_consumer(s.a), kNoNode);
  EXPECT_EQ(s.graph.sole_consumer(s.y), kNoNode);  // a graph output
}

TEST(Graph, EraseDeadTakesUnneededNodesAndValuesOnly) {
  Sample s;
  s.graph.add_initializer("unused", Tensor::scalar(1.0f));
  EXPECT_EQ(s.graph.erase_dead(), 1);
  EXPECT_FALSE(s.graph.has_node(s.neg));
  EXPECT_EQ(s.graph.find_value("b"), kNoValue);
  EXPECT_EQ(s.graph.find_value("unused"), kNoValue);
  EXPECT_EQ(s.graph.value(s.a).consumers, (std::vector<NodeId>{s.add, s.add}));
}

TEST(Graph, ReplaceUsesMovesEverySlotAndOutputs) {
  Sample s;
  s.graph.replace_uses(s.a, s.x);
  EXPECT_EQ(s.graph.node(s.add).inputs, (std::vector<ValueId>{s.x, s.x}));
  EXPECT_TRUE(s.graph.value(s.a).consumers.empty());
  s.graph.replace_uses(s.y, s.a, true);
  EXPECT_EQ(s.graph.outputs, std::vector<ValueId>{s.a});
}

TEST(Graph, RenamedNodesAreFoundByTheirNewNames) {
  Sample s;
  s.graph.rename_node(s.neg, "minus");
  EXPECT_EQ(s.graph.find_node("minus"), s.neg);
  EXPECT_EQ(s.graph.find_node("neg"), kNoNode);
  const Graph copy = s.graph;
  s.graph.erase_node(s.neg);
  EXPECT_EQ(s.graph.find_node("minus"), kNoNode);
  EXPECT_EQ(copy.find_node("minus"), s.neg) << "a copy is another graph";
}

TEST(Graph, NamesStayUnique) {
  Sample s;
  EXPECT_EQ(s.graph.value(s.graph.add_value("a")).name, "a_1");
  EXPECT_EQ(s.graph.value(s.graph.add_value("")).name, "value_1");
  const NodeId id =
      s.graph.add_node({.name = "relu", .op_type = "Relu", .inputs = {s.x}, .outputs = {s.graph.add_value("z")}});
  EXPECT_EQ(s.graph.node(id).name, "relu_1");
}

TEST(Graph, SortRestoresOrderAndIsStable) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::kFloat32, {});
  const ValueId a = graph.add_value("a"), y = graph.add_value("y"), z = graph.add_value("z");
  const NodeId late = graph.add_node({.name = "late", .op_type = "Neg", .inputs = {a}, .outputs = {y}});
  const NodeId free = graph.add_node({.name = "free", .op_type = "Neg", .inputs = {x}, .outputs = {z}});
  const NodeId early = graph.add_node({.name = "early", .op_type = "Relu", .inputs = {x}, .outputs = {a}});
  graph.sort();
  EXPECT_EQ(graph.nodes(), (std::vector<NodeId>{free, early, late}));
}

TEST(Graph, SortNamesANodeOfACycle) {
  Graph graph;
  const ValueId a = graph.add_value("a"), b = graph.add_value("b");
  graph.add_node({.name = "one", .op_type = "Neg", .inputs = {b}, .outputs = {a}});
  graph.add_node({.name = "two", .op_type = "Neg", .inputs = {a}, .outputs = {b}});
  try {
    graph.sort();
    FAIL() << "a cycle was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_EQ(error.subject(), "one");
  }
}

TEST(Graph, SubgraphCapturesKeepValuesAlive) {
  Sample s;
  auto branch = std::make_shared<Graph>();
  const ValueId outer = branch->add_value("b");
  branch->value(outer).captured = true;
  const ValueId out = branch->add_value("out");
  branch->add_node({.op_type = "Neg", .inputs = {outer}, .outputs = {out}});
  branch->outputs = {out};
  Node conditional{.name = "if", .op_type = "If", .inputs = {s.x}, .outputs = {s.graph.add_value("c")}};
  conditional.set("then_branch", branch);
  const ValueId c = conditional.outputs[0];
  s.graph.add_node(conditional);
  s.graph.outputs.push_back(c);
  EXPECT_EQ(s.graph.captured_names(), std::vector<std::string>{"b"});
  EXPECT_EQ(s.graph.erase_dead(), 0);
  EXPECT_TRUE(s.graph.has_node(s.neg));
}

TEST(Graph, CopiesAreIndependent) {
  Sample s;
  Graph copy = s.graph;
  copy.erase_node(s.neg);
  EXPECT_TRUE(s.graph.has_node(s.neg));
  EXPECT_FALSE(copy.has_node(s.neg));
}

TEST(Node, AttributeOfWrongKindIsAnError) {
  Node node{.name = "n", .op_type = "Conv"};
  node.set("group", std::string("two"));
  EXPECT_THROW(node.int_or("group", 1), Error);
  EXPECT_EQ(node.int_or("absent", 7), 7);
}

}  // namespace
}  // namespace pare::ir
