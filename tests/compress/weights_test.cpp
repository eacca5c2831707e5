#include "compress/weights.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace pare::compress {
namespace {

using nlohmann::json;
const json none = json::array();

/// image [N,1,8,8] → up ([1,6] ConvTranspose) → mean over rows → [8 columns, N, 6] → lstm ([1, 4·5, 6]) → last state →
/// head
ir::Model recurrent_model() {
  Builder b;
  b.model.opsets[""] = 18;  // ReduceMean takes its axes as an input
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId up = b.add("ConvTranspose", "up", {x, b.constant("up.w", random_tensor({1, 6, 2, 2}, 1))});
  const ir::ValueId rows = b.add("ReduceMean", "rows", {up, b.constant("axes", Tensor::from<std::int64_t>({1}, {2}))},
                                 {{"keepdims", std::int64_t{0}}});
  const ir::ValueId steps = b.add("Transpose", "steps", {rows}, {{"perm", std::vector<std::int64_t>{2, 0, 1}}});
  ir::Node lstm;
  lstm.op_type = "LSTM";
  lstm.name = "lstm";
  lstm.inputs = {steps, b.constant("lstm.w", random_tensor({1, 20, 6}, 2)),
                 b.constant("lstm.r", random_tensor({1, 20, 5}, 3))};
  lstm.outputs = {ir::kNoValue, b.model.graph.add_value("last_state")};
  lstm.set("hidden_size", std::int64_t{5});
  const ir::ValueId state = lstm.outputs[1];
  b.model.graph.add_node(std::move(lstm));
  const ir::ValueId flat = b.add("Squeeze", "flat", {state, b.constant("first", Tensor::from<std::int64_t>({1}, {0}))});
  return b.finish(b.add("MatMul", "head", {flat, b.constant("head.w", random_tensor({5, 4}, 4))}));
}

std::vector<std::string> names_of(const std::vector<Layer>& layers) {
  std::vector<std::string> names;
  for (const Layer& layer : layers) names.push_back(layer.weight_name);
  return names;
}

using Names = std::vector<std::string>;

TEST(Weights, FindThoseOfTransposedConvolutionsAndRecurrentLayers) {
  const ir::Model model = recurrent_model();
  const std::vector<Layer> found = find_weights(model.graph);
  EXPECT_EQ(names_of(found), (Names{"up.w", "lstm.w", "lstm.r", "head.w"}));
  EXPECT_EQ(found[0].weight.view.outputs, 6);
  EXPECT_EQ(found[0].weight.view.taps, 4);
  EXPECT_EQ(found[1].weight.view.outputs, 20);
  EXPECT_EQ(found[2].weight.view.inputs, 5);
  EXPECT_EQ(found[2].weight.view.index(3, 0, 2), 17);
  const auto chosen = [&](const json& include, const json& exclude) {
    return names_of(chosen_layers(model.graph, found, {{"include", include}, {"exclude", exclude}}, "prune"));
  };
  EXPECT_EQ(chosen({"LSTM"}, none), (Names{"lstm.w", "lstm.r"}));
  EXPECT_EQ(chosen(none, {"first", "last"}), (Names{"lstm.w", "lstm.r"}));
  EXPECT_EQ(names_of(find_layers(model.graph)), (Names{"head.w"})) << "what other methods work on stays as it was";
}

/// Where the view says that output o meets input i at tap t, and nowhere else, does the output change.
TEST(Weights, ViewsOfGroupedTransposedConvolutions) {
  struct Case {
    std::int64_t groups, inputs, outputs;
  };
  for (const auto& [groups, inputs, outputs] : {Case{1, 3, 2}, Case{3, 1, 1}, Case{3, 1, 2}, Case{2, 3, 1}}) {
    Builder b;
    const ir::ValueId x = b.input("x", {1, groups * inputs, 1});
    const ir::ValueId y =
        b.add("ConvTranspose", "up", {x, b.constant("w", Tensor(DType::kFloat32, {groups * inputs, outputs, 2}))},
              {{"group", groups}});
    ir::Model model = b.finish(y);
    const std::vector<Layer> found = find_weights(model.graph);
    ASSERT_EQ(found.size(), 1U);
    const ir::WeightView& view = found[0].weight.view;
    EXPECT_EQ(view.outputs, groups * outputs);
    EXPECT_EQ(view.inputs, inputs);
    for (std::int64_t o = 0; o < view.outputs; ++o)
      for (std::int64_t i = 0; i < view.inputs; ++i) {
        Tensor weight(DType::kFloat32, {groups * inputs, outputs, 2}), image(DType::kFloat32, {1, groups * inputs, 1});
        weight.mutable_data<float>()[static_cast<std::size_t>(view.index(o, 1, i))] = 1;
        image.mutable_data<float>()[static_cast<std::size_t>(o / outputs * inputs + i)] = 1;
        model.graph.set_constant(found[0].weight.value, weight);
        const Tensor got = ir::evaluate(model, {{"x", image}}).begin()->second;
        for (std::size_t at = 0; at < got.data<float>().size(); ++at)
          EXPECT_EQ(got.data<float>()[at], at == static_cast<std::size_t>(2 * o + 1) ? 1 : 0) << groups << o << i << at;
      }
  }
}

TEST(Weights, GroupsWithoutAViewAreNamed) {
  Builder b;
  const ir::ValueId x = b.input("x", {1, 4, 1});
  const ir::Model model = b.finish(
      b.add("ConvTranspose", "up", {x, b.constant("w", random_tensor({4, 2, 2}, 1))}, {{"group", std::int64_t{2}}}));
  EXPECT_TRUE(find_weights(model.graph).empty());
  ASSERT_EQ(left_out(model.graph).size(), 1U);
  EXPECT_NE(left_out(model.graph)[0].find("'up'"), std::string::npos);
}

TEST(Weights, EveryMethodOfZerosTakesThemOrSaysWhyNot) {
  const auto run = [](const std::string& options) {
    World world("weights");
    world.model = recurrent_model();
    return world.run("steps: [{prune: {sparsity: 0.5, " + options + "}}]");
  };
  const auto zeros = [](const PipelineResult& result, const std::string& name) {
    return ir::sparsity(*result.model.graph.constant(result.model.graph.find_value(name)));
  };
  for (const char* method : {"magnitude", "random", "wanda", "obs", "obs, scope: global"}) {
    const PipelineResult result = run(std::string("method: ") + method);
    const std::string notes = result.run["steps"][0]["notes"].dump();
    const bool looks = method[0] == 'w' || method[0] == 'o';
    for (const char* weight : {"lstm.w", "head.w"}) EXPECT_GT(zeros(result, weight), 0.2) << method << weight;
    for (const char* weight : {"up.w", "lstm.r"}) EXPECT_EQ(zeros(result, weight) == 0, looks) << method << weight;
    EXPECT_EQ(notes.find("recurrent weights") != std::string::npos, looks) << notes;
    EXPECT_EQ(notes.find("'up' is left as it was") != std::string::npos, looks) << notes;
  }
  const PipelineResult pattern = run("pattern: '1:2', method: magnitude");
  for (const char* weight : {"lstm.w", "up.w"}) EXPECT_EQ(zeros(pattern, weight), weight[0] == 'u' ? 0 : 0.5) << weight;
}

}  // namespace
}  // namespace pare::compress
