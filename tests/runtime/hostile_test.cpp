// Indices, sizes and shapes that come as data and make no sense, through the runtime's kernels and its plans.
#include <gtest/gtest.h>

#include "ir/hostile_cases.h"
#include "runtime/runtime.h"

namespace pare::testing {
namespace {

/// The node with the inputs of `given` as graph inputs and the others as constants.
ir::Model model_of(const Hostile& hostile, std::size_t given) {
  std::vector<std::pair<DType, ir::Shape>> types;
  for (const Tensor& tensor : hostile.inputs)
    types.emplace_back(tensor.defined() ? tensor.dtype() : DType::kUndefined,
                       tensor.defined() ? ir::Shape::of(tensor.dims()) : ir::Shape());
  ir::Model model = one_node(hostile.type, hostile.opset, types, hostile.attributes);
  ir::Graph& graph = model.graph;
  for (std::size_t i = given; i < hostile.inputs.size(); ++i) {
    const ir::ValueId id = graph.find_value("x" + std::to_string(i));
    if (id == ir::kNoValue) continue;
    std::erase(graph.inputs, id);
    graph.set_constant(id, hostile.inputs[i]);
  }
  return model;
}

/// The node, or what it writes as the largest tensor of a plan.
void expect_named(const Error& error) {
  const std::string what = error.what();
  EXPECT_TRUE(what.find("the_node") != std::string::npos || what.find("largest 'y0'") != std::string::npos) << what;
}

void expect_refused(const Hostile& hostile, std::size_t given) {
  try {
    ir::Model model = model_of(hostile, given);
    ir::infer_shapes(model);
    NamedTensors inputs;
    for (ir::ValueId id : model.graph.inputs) {
      const std::string& name = model.graph.value(id).name;
      inputs[name] = hostile.inputs[static_cast<std::size_t>(std::stoi(name.substr(1)))];
    }
    runtime::backend().compile(model, {})->run(inputs);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    expect_named(error);
    EXPECT_TRUE(error.code() == ErrorCode::kBadInput || error.code() == ErrorCode::kMemory)
        << static_cast<int>(error.code()) << " " << error.what();
  }
}

TEST(HostileData, IsRefusedAtRunTime) {
  const std::vector<Hostile> cases = hostile_cases();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(std::to_string(i) + ": " + cases[i].type);
    expect_refused(cases[i], cases[i].inputs.size());
  }
}

TEST(HostileConstants, AreRefusedByInferenceOrPlan) {
  const std::vector<Hostile> cases = hostile_cases();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(std::to_string(i) + ": " + cases[i].type);
    expect_refused(cases[i], 1);
  }
}

TEST(HostileShapes, KeepToTheMemoryGiven) {
  const Hostile fill{"ConstantOfShape", 9, {ints({2}, {4096, 4096})}, {}};
  const ir::Model model = model_of(fill, 1);
  try {
    runtime::backend().compile(model, {.max_memory = 32 << 20})->run({{"x0", fill.inputs[0]}});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMemory) << error.what();
    expect_named(error);
  }
}

}  // namespace
}  // namespace pare::testing
