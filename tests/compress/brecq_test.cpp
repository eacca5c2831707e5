// Blocks of a graph, and their reconstruction with gradients by differences.
#include "compress/quantize/brecq.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/float16.h"
#include "compress/quantize/blocks.h"
#include "compress/quantize/params.h"
#include "fakes.h"

namespace pare::compress {
namespace {

std::vector<std::string> names(const Block& block) {
  std::vector<std::string> all;
  for (const Layer& layer : block.layers) all.push_back(layer.name);
  return all;
}

TEST(Blocks, AreCutWhereOneValueConnects) {
  const ir::Model model = residual_model();
  const auto blocks = find_blocks(model.graph, find_layers(model.graph));
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_EQ(names(blocks[0]), (std::vector<std::string>{"stem"}));
  EXPECT_EQ(blocks[0].inputs, (std::vector<std::string>{"image"}));
  EXPECT_EQ(blocks[0].output, "pool_out") << "what follows without a weight belongs to it";
  EXPECT_EQ(names(blocks[1]), (std::vector<std::string>{"body", "tail"})) << "the residual block";
  EXPECT_EQ(blocks[1].inputs, (std::vector<std::string>{"pool_out"}));
  EXPECT_EQ(names(blocks[2]), (std::vector<std::string>{"head"}));
  EXPECT_EQ(blocks[2].inputs, (std::vector<std::string>{blocks[1].output}));
  EXPECT_EQ(blocks[2].output, "head_out");
}

TEST(Blocks, OneAfterTheOtherComputeWhatTheModelDoes) {
  const ir::Model model = residual_model();
  NamedTensors values = image_data().test->batch({0, 1, 2}).inputs;
  const Tensor want = ir::evaluate(model, values).begin()->second;
  for (const Block& block : find_blocks(model.graph, find_layers(model.graph))) {
    NamedTensors inputs;
    for (const std::string& name : block.inputs) inputs[name] = values.at(name);
    const NamedTensors made = ir::evaluate(block_model(model, block), inputs);
    ASSERT_EQ(made.size(), 1U);
    values[block.output] = made.at(block.output);
  }
  EXPECT_TRUE(values.at("head_out").identical(want));
}

/// Mean squared errors by the scalar reference, gradients by central differences.
class DifferenceTrainer : public FakeTrainer {
 public:
  explicit DifferenceTrainer(const ir::Model& model) : FakeTrainer(model), model_(model) {}
  NamedTensors gradients(const data::Batch& batch) override {
    constexpr float kStep = 1e-2F;
    NamedTensors found;
    for (const std::string& name : parameters()) {
      const Tensor at = parameter(name);
      Tensor slope(DType::kFloat32, at.dims());
      for (std::size_t i = 0; i < at.data<float>().size(); ++i) {
        Tensor up = at.clone(), down = at.clone();
        up.mutable_data<float>()[i] += kStep;
        down.mutable_data<float>()[i] -= kStep;
        set_parameter(name, up);
        const double above = evaluate(batch).loss;
        set_parameter(name, down);
        slope.mutable_data<float>()[i] = static_cast<float>((above - evaluate(batch).loss) / (2 * static_cast<double>(kStep)));
      }
      set_parameter(name, at);
      found[name] = slope;
    }
    return found;
  }
  exec::StepResult evaluate(const data::Batch& batch) override {
    write_back(model_);
    const Tensor made = ir::evaluate(model_, batch.inputs).begin()->second;
    double sum = 0;
    for (std::size_t i = 0; i < made.data<float>().size(); ++i)
      sum += std::pow(static_cast<double>(made.data<float>()[i]) - static_cast<double>(batch.targets.data<float>()[i]), 2);
    return {sum / static_cast<double>(made.numel()), 0, made.dim(0), 0};
  }

 private:
  ir::Model model_;
};

class DifferenceFactory : public FakeFactory {
 public:
  std::unique_ptr<exec::Trainer> create(const ir::Model& student, const ir::Model*,
                                        const exec::TrainerOptions& options) const override {
    last_options = options;
    return std::make_unique<DifferenceTrainer>(student);
  }
};

/// image → flatten → in → {a → relu → b, skip} → add → [N, 5]
ir::Model small_model() {
  Builder b;
  ir::ValueId x = b.add("Flatten", "flatten", {b.input("image", {ir::Dim::symbol("N"), 1, 8, 8})});
  const auto gemm = [&](const std::string& name, ir::ValueId from, std::int64_t in, std::uint64_t seed) {
    return b.add("Gemm", name, {from, b.constant(name + ".weight", random_tensor({in, 5}, seed)),
                                b.constant(name + ".bias", random_tensor({5}, seed + 1))});
  };
  ir::ValueId skip = gemm("in", x, 64, 1);
  ir::ValueId body = gemm("b", b.add("Relu", "relu", {gemm("a", skip, 5, 3)}), 5, 5);
  return b.finish(b.add("Add", "add", {body, skip}));
}

struct Setting {
  World world{::testing::UnitTest::GetInstance()->current_test_info()->name()};
  ir::Model model = small_model();
  DifferenceFactory factory;
  exec::TrainerProvider trainer = [this]() -> const exec::TrainerFactory& { return factory; };
  nlohmann::json options, record;
  passes::QdqPlan plan;

  explicit Setting(int bits) {
    world.dataset = image_data(false);
    for (const Layer& layer : find_layers(model.graph)) {
      const Tensor& weight = *model.graph.constant(layer.weight.value);
      plan.weights[layer.weight_name] = weight_params(weight, layer.weight.output_axis, {.bits = bits});
      plan.integers[layer.weight_name] = passes::quantize_tensor(weight, plan.weights.at(layer.weight_name));
    }
  }
  std::vector<BlockRounding> round(int iterations) {
    const StepContext context{.options = options,
                              .original = model,
                              .dataset = world.dataset,
                              .backend = world.backend,
                              .trainer = trainer,
                              .execution = {.threads = 1, .seed = 3},
                              .control = world.control,
                              .checkpoints = nullptr,
                              .record = record,
                              .store = nullptr};
    std::vector<Layer> layers = find_layers(model.graph);
    std::erase_if(layers, [](const Layer& layer) { return layer.name == "in"; });
    return round_blocks(model, layers, 40, {.iterations = iterations}, context, plan);
  }
};

TEST(Brecq, LearnsABlocksWeightsTogether) {
  Setting setting(3);
  const passes::QdqPlan before = setting.plan;
  const auto done = setting.round(150);
  ASSERT_FALSE(done.empty());
  double first = 0, last = 0;
  for (const BlockRounding& block : done) {
    EXPECT_LE(block.after, block.before);
    first += block.before, last += block.after;
  }
  EXPECT_LT(last, 0.8 * first);
  EXPECT_TRUE(setting.plan.integers.at("in.weight").identical(before.integers.at("in.weight"))) << "not asked for";
  // Up or down of the grid, nothing else.
  for (const std::string name : {"a.weight", "b.weight"}) {
    const Tensor& weight = *setting.model.graph.constant(setting.model.graph.find_value(name));
    const passes::QuantParams& params = setting.plan.weights.at(name);
    const Tensor back = passes::dequantize_tensor(setting.plan.integers.at(name), params);
    const passes::ParamMap map(params, weight.dims());
    for (std::size_t i = 0; i < weight.data<float>().size(); ++i) {
      const float limit = 3 * params.scale[map(i)], w = std::clamp(weight.data<float>()[i], -limit, limit);
      EXPECT_LE(std::fabs(back.data<float>()[i] - w), params.scale[map(i)] * 1.0001F) << name << i;
    }
  }
}

TEST(Brecq, KeepsWhatIsNoWorse) {
  Setting setting(8);
  const passes::QdqPlan before = setting.plan;
  for (const BlockRounding& block : setting.round(1)) {
    EXPECT_LE(block.after, block.before);
    if (block.why_not.empty()) continue;
    EXPECT_EQ(block.why_not, "layer by layer was better");
  }
}

TEST(Brecq, SaysWhyABlockCannotBeTrained) {
  Setting setting(4);
  const passes::QdqPlan before = setting.plan;
  setting.factory.refused = {{"relu", "Relu", "no gradient"}};
  const auto done = setting.round(5);
  ASSERT_FALSE(done.empty());
  for (const BlockRounding& block : done) EXPECT_EQ(block.why_not, "relu: no gradient");
  EXPECT_TRUE(setting.plan.integers.at("a.weight").identical(before.integers.at("a.weight")));
}

TEST(Brecq, IsARoundingOfWeights) {
  World world("brecq_recipe");
  world.dataset = image_data(false);
  DifferenceFactory factory;
  world.trainer = [&]() -> const exec::TrainerFactory& { return factory; };
  world.model = small_model();
  const PipelineResult result = world.run(
      "steps: [{quantize: {method: weight_only, exclude: [in], weights: {bits: 3, group_size: 0, rounding: brecq, iterations: 40}}}]");
  const nlohmann::json& step = result.run.at("steps").at(0);
  EXPECT_EQ(step.at("quantized").at("rounding"), "brecq");
  ASSERT_FALSE(step.at("blocks").empty());
  for (const auto& block : step.at("blocks")) EXPECT_LE(block.at("after").get<double>(), block.at("before").get<double>());
}

}  // namespace
}  // namespace pare::compress
