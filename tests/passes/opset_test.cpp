// Conversion to newer operator sets: every kind of change on a node of its own. The scalar reference judges where it
// implements both versions; the form is checked where it does not.
#include <gtest/gtest.h>

#include "ir/infer.h"
#include "ir/verify.h"
#include "pare/error.h"
#include "passes/opset/change.h"
#include "passes/qdq.h"

namespace pare::passes {
namespace {

struct Old {
  ir::Model model;
  ir::Node node;

  Old(const std::string& op, std::int64_t opset, const Dims& dims) {
    model.opsets[""] = opset;
    node.op_type = op;
    node.name = "the_node";
    node.inputs = {model.graph.add_input("x", DType::kFloat32, ir::Shape::of(dims))};
    node.outputs = {model.graph.add_value("y")};
  }
  Old& input(Tensor tensor) {
    node.inputs.push_back(model.graph.add_initializer("c", std::move(tensor)));
    return *this;
  }
  Old& set(const std::string& name, ir::AttributeValue value) {
    node.set(name, std::move(value));
    return *this;
  }
  ir::Model raised(std::int64_t target) {
    model.graph.add_node(node);
    model.graph.outputs = {model.graph.find_value("y")};
    raise_opset(model, target);
    EXPECT_EQ(model.opset(), target);
    ir::infer_shapes(model);
    EXPECT_TRUE(ir::verify(model).empty()) << ir::verify(model)[0];
    return model;
  }
};

Tensor floats(const Dims& dims, const std::vector<float>& values) { return Tensor::from(dims, values); }

std::vector<float> run(const ir::Model& model, const Tensor& x) {
  const Tensor y = ir::evaluate(model, {{"x", x}}).at("y");
  return {y.data<float>().begin(), y.data<float>().end()};
}

const ir::Node& only_node(const ir::Model& model) { return model.graph.node(model.graph.nodes().at(0)); }

TEST(OpsetChanges, RowsAreInOrder) {
  std::int64_t last = 0;
  for (const opset::Change& change : opset::changes()) {
    EXPECT_GE(change.since, last) << change.op_type;
    EXPECT_LE(change.since, kNewestOpset);
    last = change.since;
  }
}

TEST(OpsetChanges, SoftmaxOnAFlattenedMatrix) {
  const ir::Model model = Old("Softmax", 11, {1, 2, 2}).set("axis", std::int64_t{1}).raised(23);
  const std::vector<float> y = run(model, floats({1, 2, 2}, {0, 0, 0, 0}));
  EXPECT_EQ(y, (std::vector<float>(4, 0.25f))) << "all four elements are one row";
  EXPECT_EQ(model.graph.value(model.graph.outputs[0]).shape, ir::Shape::of({1, 2, 2}));
  const ir::Model last = Old("Softmax", 11, {1, 2, 2}).set("axis", std::int64_t{2}).raised(13);
  EXPECT_EQ(last.graph.nodes().size(), 1u);
  EXPECT_EQ(run(last, floats({1, 2, 2}, {0, 0, 0, 0})), (std::vector<float>(4, 0.5f)));
}

TEST(OpsetChanges, ReducedAxesBecomeAnInput) {
  const ir::Model model = Old("ReduceMean", 11, {2, 2})
                              .set("axes", std::vector<std::int64_t>{1})
                              .set("keepdims", std::int64_t{0})
                              .raised(18);
  EXPECT_EQ(only_node(model).inputs.size(), 2u);
  EXPECT_EQ(run(model, floats({2, 2}, {1, 3, 5, 7})), (std::vector<float>{2, 6}));
}

TEST(OpsetChanges, SplitSaysItsParts) {
  Old old("Split", 11, {4});
  old.node.outputs.push_back(old.model.graph.add_value("z"));
  const ir::Model model = old.set("axis", std::int64_t{0}).raised(18);
  EXPECT_EQ(only_node(model).int_or("num_outputs", 0), 2);
  EXPECT_EQ(run(model, floats({4}, {1, 2, 3, 4})), (std::vector<float>{1, 2}));
}

TEST(OpsetChanges, UpsampleBecomesResizeThroughEveryVersion) {
  for (const std::int64_t from : {7, 9}) {
    Old old("Upsample", from, {1, 1, 1, 2});
    old.set("mode", std::string("nearest"));
    if (from == 7) {
      old.set("scales", std::vector<float>{1, 1, 2, 2});
    } else {
      old.input(floats({4}, {1, 1, 2, 2}));
    }
    const ir::Model model = old.raised(23);
    const ir::Node& node = only_node(model);
    EXPECT_EQ(node.op_type, "Resize");
    EXPECT_EQ(node.string_or("coordinate_transformation_mode", ""), "asymmetric");
    EXPECT_EQ(node.string_or("nearest_mode", ""), "floor");
    ASSERT_EQ(node.inputs.size(), 3u);
    EXPECT_EQ(model.graph.constant(node.input(2))->data<float>()[3], 2);
  }
}

TEST(OpsetChanges, BroadcastingAlongAnAxisBecomesNumpys) {
  const ir::Model model = Old("Add", 6, {1, 2, 1, 2})
                              .input(floats({2}, {10, 20}))
                              .set("broadcast", std::int64_t{1})
                              .set("axis", std::int64_t{1})
                              .raised(13);
  EXPECT_EQ(run(model, floats({1, 2, 1, 2}, {1, 2, 3, 4})), (std::vector<float>{11, 12, 23, 24}));
}

TEST(OpsetChanges, PReluSlopesWereOneAChannel) {
  const ir::Model model = Old("PRelu", 6, {1, 2, 2}).input(floats({2}, {0.5f, 0.25f})).raised(16);
  EXPECT_EQ(run(model, floats({1, 2, 2}, {-4, 4, -4, 4})), (std::vector<float>{-2, 4, -1, 4}));
}

TEST(OpsetChanges, OldAttributesBecomeInputs) {
  EXPECT_EQ(run(Old("Slice", 9, {4})
                    .set("starts", std::vector<std::int64_t>{1})
                    .set("ends", std::vector<std::int64_t>{3})
                    .raised(13),
                floats({4}, {1, 2, 3, 4})),
            (std::vector<float>{2, 3}));
  EXPECT_EQ(run(Old("Pad", 9, {2}).set("pads", std::vector<std::int64_t>{1, 0}).set("value", 7.0f).raised(13),
                floats({2}, {1, 2})),
            (std::vector<float>{7, 1, 2}));
  EXPECT_EQ(run(Old("Reshape", 4, {2, 2}).set("shape", std::vector<std::int64_t>{4}).raised(13),
                floats({2, 2}, {1, 2, 3, 4})),
            (std::vector<float>{1, 2, 3, 4}));
  const ir::Model topk = Old("TopK", 9, {3}).set("k", std::int64_t{2}).raised(11);
  EXPECT_EQ(topk.graph.constant(only_node(topk).input(1))->data<std::int64_t>()[0], 2);
  const ir::Model cast = Old("Cast", 5, {1}).set("to", std::string("FLOAT")).raised(13);
  EXPECT_EQ(only_node(cast).int_or("to", 0), 1);
}

TEST(OpsetChanges, GroupScalesAreRepeatedForTheirChannels) {
  const ir::Model model = Old("GroupNormalization", 18, {1, 4, 2})
                              .input(floats({2}, {1, 2}))
                              .input(floats({2}, {3, 4}))
                              .set("num_groups", std::int64_t{2})
                              .raised(21);
  const auto scale = model.graph.constant(only_node(model).input(1))->data<float>();
  EXPECT_EQ(std::vector<float>(scale.begin(), scale.end()), (std::vector<float>{1, 1, 2, 2}));
}

TEST(OpsetChanges, SubgraphsAreConvertedAndTheOriginalIsKept) {
  auto body = std::make_shared<ir::Graph>();
  ir::Node squeeze;
  squeeze.op_type = squeeze.name = "Squeeze";
  const ir::ValueId inner = body->add_value("x");
  body->value(inner).captured = true;
  squeeze.inputs = {inner};
  squeeze.outputs = {body->add_value("out")};
  squeeze.set("axes", std::vector<std::int64_t>{0});
  body->add_node(squeeze);
  body->outputs = {body->find_value("out")};
  Old old("If", 11, {1, 2});
  old.node.inputs = {old.model.graph.add_input("flag", DType::kBool, ir::Shape::of({}))};
  old.set("then_branch", body).set("else_branch", body);
  const ir::Model model = old.raised(13);
  const auto& raised = std::get<std::shared_ptr<ir::Graph>>(only_node(model).find("then_branch")->value);
  EXPECT_EQ(raised->node(raised->nodes()[0]).inputs.size(), 2u);
  EXPECT_EQ(body->node(body->nodes()[0]).inputs.size(), 1u);
}

TEST(OpsetChanges, RefusalsNameNodeOperatorAndOpset) {
  const auto message = [](Old old, std::int64_t target) {
    old.model.graph.add_node(old.node);
    old.model.graph.outputs = {old.model.graph.find_value("y")};
    try {
      raise_opset(old.model, target);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_NE(old.model.opset(), target) << "the model is as it was";
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string shrinking = message(Old("Resize", 10, {1, 1, 4, 4}).input(floats({4}, {1, 1, 0.5f, 0.5f})), 13);
  for (const char* part : {"the_node", "Resize", "opset 10", "opset 11"})
    EXPECT_NE(shrinking.find(part), std::string::npos) << shrinking;
  EXPECT_NE(message(Old("BatchNormalization", 6, {1, 2, 1, 1}).set("is_test", std::int64_t{0}), 9).find("training"),
            std::string::npos);
  EXPECT_NE(message(Old("Relu", 13, {1}), 29).find("28"), std::string::npos);
}

}  // namespace
}  // namespace pare::passes
