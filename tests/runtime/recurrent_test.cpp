// LSTM, GRU and RNN on the kernels against the scalar reference.
#include "pare/error.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using ir::Shape;
using ir::ValueId;
using Attributes = std::vector<std::pair<std::string, ir::AttributeValue>>;
using Names = std::vector<std::string>;

constexpr std::int64_t kSteps = 5, kBatch = 3, kInputs = 7, kHidden = 9;

struct Case {
  std::string type;
  std::int64_t gates, ways = 1;
  Attributes attributes;
  bool bias = true, lengths = false, states = false, peepholes = false;
};

/// The model, and the inputs x, lengths, h0, c0 as the case has them.
std::pair<ir::Model, NamedTensors> build(const Case& c) {
  test::Builder b;
  NamedTensors feeds = {{"x", test::random_tensor({kSteps, kBatch, kInputs}, 21)}};
  const Dims state = {c.ways, kBatch, kHidden};
  ir::Node node;
  node.name = "cell";
  node.op_type = c.type;
  node.inputs.assign(c.type == "LSTM" ? 8 : 6, ir::kNoValue);
  node.inputs[0] = b.input("x", Shape::of({kSteps, kBatch, kInputs}));
  node.inputs[1] = b.weight({c.ways, c.gates * kHidden, kInputs});
  node.inputs[2] = b.weight({c.ways, c.gates * kHidden, kHidden});
  if (c.bias) node.inputs[3] = b.weight({c.ways, 2 * c.gates * kHidden});
  if (c.lengths) {
    node.inputs[4] = b.input("lengths", Shape::of({kBatch}), DType::kInt32);
    feeds["lengths"] = Tensor::from<std::int32_t>({kBatch}, {2, 5, 0});
  }
  if (c.states) {
    node.inputs[5] = b.input("h0", Shape::of(state));
    feeds["h0"] = test::random_tensor(state, 22);
    if (c.type == "LSTM") {
      node.inputs[6] = b.input("c0", Shape::of(state));
      feeds["c0"] = test::random_tensor(state, 23);
    }
  }
  if (c.peepholes) node.inputs[7] = b.weight({c.ways, 3 * kHidden});
  for (const auto& [name, value] : c.attributes) node.set(name, value);
  for (const char* name : {"y", "last_h", "last_c"})
    if (node.outputs.size() < (c.type == "LSTM" ? 3u : 2u)) node.outputs.push_back(b.model.graph.add_value(name));
  const std::vector<ValueId> outputs = node.outputs;
  b.model.graph.add_node(node);
  return {b.finish(outputs), feeds};
}

void expect_kernel(const Case& c) {
  SCOPED_TRACE(c.type + (c.lengths ? " lengths" : "") + (c.ways == 2 ? " both ways" : ""));
  const auto [model, feeds] = build(c);
  test::expect_like_reference(model, feeds, 1e-5);
  std::map<std::string, Dims> shapes;
  for (const auto& [name, tensor] : feeds) shapes[name] = tensor.dims();
  EXPECT_EQ(test::kernels_of(*runtime::backend().compile(model, {}), shapes), Names{"recurrent_f32__onednn"});
}

TEST(Recurrent, AgreesWithReference) {
  const Attributes both = {{"direction", std::string("bidirectional")}}, back = {{"direction", std::string("reverse")}};
  for (const auto& [type, gates] : {std::pair("LSTM", 4), std::pair("GRU", 3), std::pair("RNN", 1)}) {
    expect_kernel({type, gates});
    expect_kernel({type, gates, 1, back, false, true});
    expect_kernel({type, gates, 2, both, true, true, true});
    expect_kernel({type, gates, 2, both, true, false, true});
    expect_kernel({type, gates, 1, {{"clip", 0.4F}}, true, false, true});
  }
}

TEST(Recurrent, VariantsAgreeWithReference) {
  expect_kernel({"GRU",
                 3,
                 2,
                 {{"direction", std::string("bidirectional")}, {"linear_before_reset", std::int64_t{1}}},
                 true,
                 true,
                 true});
  expect_kernel({"GRU", 3, 1, {{"linear_before_reset", std::int64_t{1}}}, false});
  expect_kernel({"LSTM", 4, 1, {}, true, false, true, true});
  expect_kernel({"LSTM", 4, 1, {{"input_forget", std::int64_t{1}}, {"clip", 0.5F}}, true, true, true, true});
  expect_kernel({"LSTM",
                 4,
                 1,
                 {{"activations", Names{"HardSigmoid", "LeakyRelu", "Softsign"}},
                  {"activation_alpha", std::vector<float>{0.3F, 0.1F}},
                  {"activation_beta", std::vector<float>{0.4F}}}});
  expect_kernel({"RNN", 1, 2, {{"direction", std::string("bidirectional")}, {"activations", Names{"Relu", "Elu"}}}});
}

TEST(Recurrent, WhatHasNoKernelRunsOnTheReferenceAndSaysWhy) {
  const auto [model, feeds] = build({"RNN", 1, 1, {{"activations", Names{"ScaledTanh"}}}});
  test::expect_like_reference(model, feeds);
  const auto steps = runtime::backend().compile(model, {})->plan({{"x", feeds.at("x").dims()}});
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0].kernel, "reference");
  EXPECT_NE(steps[0].reason.find("scaledtanh"), std::string::npos) << steps[0].reason;
}

TEST(Recurrent, LengthsOutOfRangeAreAnError) {
  auto [model, feeds] = build({"LSTM", 4, 1, {}, true, true});
  feeds["lengths"] = Tensor::from<std::int32_t>({kBatch}, {2, 6, 0});
  try {
    test::run(model, feeds);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_NE(std::string(error.what()).find("cell"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace pare
