// Blocks of a graph, and their reconstruction with gradients by differences.
#include "compress/quantize/brecq.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/float16.h"
#include "compress/quantize/blocks.h"
#include "compress/quantize/fisher.h"
#include "compress/quantize/params.h"
#include "compress/statistics.h"
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

 protected:
  ir::Model model_;
};

/// Cross-entropy of the labels, and its gradients by the probe by differences.
class LossTrainer : public DifferenceTrainer {
 public:
  using DifferenceTrainer::DifferenceTrainer;
  NamedTensors gradients(const data::Batch& batch) override {
    const ir::ValueId probe = model_.graph.find_value("fisher_probe");
    if (probe == ir::kNoValue) return DifferenceTrainer::gradients(batch);
    const Tensor zeros = *model_.graph.constant(probe);
    Tensor slope(DType::kFloat32, zeros.dims());
    for (std::size_t i = 0; i < zeros.data<float>().size(); ++i) {
      const auto loss = [&](float off) {
        Tensor moved = zeros.clone();
        moved.mutable_data<float>()[i] = off;
        model_.graph.set_constant(probe, moved);
        return loss_of(batch);
      };
      slope.mutable_data<float>()[i] = static_cast<float>((loss(1e-2F) - loss(-1e-2F)) / 2e-2);
    }
    model_.graph.set_constant(probe, zeros);
    return {{"fisher_probe", slope}};
  }

 private:
  double loss_of(const data::Batch& batch) const {
    const Tensor scores = ir::evaluate(model_, batch.inputs).begin()->second;
    const auto classes = static_cast<std::size_t>(scores.dim(1));
    double sum = 0;
    for (std::size_t n = 0; n < batch.labels.size(); ++n) {
      double total = 0;
      for (std::size_t c = 0; c < classes; ++c) total += std::exp(static_cast<double>(scores.data<float>()[n * classes + c]));
      sum += std::log(total) -
             static_cast<double>(scores.data<float>()[n * classes + static_cast<std::size_t>(batch.labels[n])]);
    }
    return sum / static_cast<double>(batch.labels.size());
  }
};

class LossFactory : public FakeFactory {
 public:
  std::unique_ptr<exec::Trainer> create(const ir::Model& student, const ir::Model*,
                                        const exec::TrainerOptions&) const override {
    return std::make_unique<LossTrainer>(student);
  }
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

  bool fisher = false;

  explicit Setting(int bits) {
    world.dataset = image_data(false);
    for (const Layer& layer : find_layers(model.graph)) {
      const Tensor& weight = *model.graph.constant(layer.weight.value);
      plan.weights[layer.weight_name] = weight_params(weight, layer.weight.output_axis, {.bits = bits});
      plan.integers[layer.weight_name] = passes::quantize_tensor(weight, plan.weights.at(layer.weight_name));
    }
  }
  StepContext context() {
    return {.options = options,
                              .original = model,
                              .dataset = world.dataset,
                              .backend = world.backend,
                              .trainer = trainer,
                              .execution = {.threads = 1, .seed = 3},
                              .control = world.control,
                              .checkpoints = nullptr,
                              .record = record,
                              .store = nullptr};
  }
  std::vector<BlockRounding> round(int iterations) {
    std::vector<Layer> layers = find_layers(model.graph);
    std::erase_if(layers, [](const Layer& layer) { return layer.name == "in"; });
    return round_blocks(model, layers, 40, {.iterations = iterations}, fisher, context(), plan);
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
      "steps: [{quantize: {method: weight_only, exclude: [in], weights: {bits: 3, group_size: 0, rounding: brecq, fisher: false, iterations: 40}}}]");
  const nlohmann::json& step = result.run.at("steps").at(0);
  EXPECT_EQ(step.at("quantized").at("rounding"), "brecq");
  ASSERT_FALSE(step.at("blocks").empty());
  for (const auto& block : step.at("blocks")) EXPECT_LE(block.at("after").get<double>(), block.at("before").get<double>());
}

/// |softmax(z) − 1_label| / N, for the loss' mean over N: the gradient of cross-entropy by the scores.
double by_hand(std::span<const float> scores, std::int64_t label, std::size_t at) {
  double total = 0;
  for (const float score : scores) total += std::exp(static_cast<double>(score));
  const double p = std::exp(static_cast<double>(scores[at])) / total;
  return std::fabs(p - (static_cast<std::int64_t>(at) == label ? 1 : 0)) / 32;
}

TEST(Fisher, IsTheLossesGradientSampleBySample) {
  Setting setting(4);
  setting.world.dataset = image_data();
  LossFactory factory;
  setting.trainer = [&]() -> const exec::TrainerFactory& { return factory; };
  std::int64_t seen = 0;
  const auto indices = calibration_indices(40, 40, 3);
  visit_loss_gradients(setting.model, "add_out", {32, 5}, 40, 32, setting.context(), [&](const Tensor& gradients) {
    const std::vector<std::int64_t> own(indices.begin() + seen, indices.begin() + seen + gradients.dim(0));
    const data::Batch batch = setting.world.dataset.train->batch(own);
    const Tensor scores = ir::evaluate(setting.model, batch.inputs).begin()->second;
    for (std::size_t n = 0; n < own.size(); ++n)
      for (std::size_t c = 0; c < 5; ++c)
        EXPECT_NEAR(static_cast<double>(gradients.data<float>()[5 * n + c]),
                    by_hand(scores.data<float>().subspan(5 * n, 5), batch.labels[n], c), 2e-5);
    seen += gradients.dim(0);
  });
  EXPECT_EQ(seen, 40) << "the last batch was filled up for the probe, and no more of it counts";
}

TEST(Brecq, WeighsABlocksErrorByFisherInformation) {
  Setting setting(3);
  setting.world.dataset = image_data();
  setting.fisher = true;
  LossFactory factory;
  setting.trainer = [&]() -> const exec::TrainerFactory& { return factory; };
  const passes::QdqPlan before = setting.plan;
  const auto done = setting.round(5);
  ASSERT_EQ(done.size(), 2u);  // a, whose skip depends on no layer; b and the sum
  for (const BlockRounding& block : done) {
    EXPECT_EQ(block.error, "fisher");
    EXPECT_LE(block.after, block.before);
  }
  // Equation 10 of the second block, with the weights' mean taken out: behind a as it was learned, b as it was rounded.
  ir::Model rounded = setting.model;
  const auto put = [&](const char* name, const passes::QdqPlan& plan) {
    rounded.graph.set_constant(rounded.graph.find_value(name),
                               passes::dequantize_tensor(plan.integers.at(name), plan.weights.at(name)));
  };
  put("a.weight", setting.plan);
  put("b.weight", before);
  double errors = 0, weights = 0;
  const data::Batch all = setting.world.dataset.train->batch(calibration_indices(40, 40, 3));
  const Tensor a = ir::evaluate(setting.model, all.inputs).begin()->second, b = ir::evaluate(rounded, all.inputs).begin()->second;
  for (std::size_t n = 0; n < 40; ++n)
    for (std::size_t c = 0; c < 5; ++c) {
      const double g = by_hand(a.data<float>().subspan(5 * n, 5), all.labels[n], c);
      const double off = static_cast<double>(a.data<float>()[5 * n + c]) - static_cast<double>(b.data<float>()[5 * n + c]);
      errors += g * g * off * off;
      weights += g * g;
    }
  EXPECT_NEAR(done[1].before, errors / weights, 2e-3 * errors / weights);
}

TEST(Brecq, TakesPlainErrorsWhereTheLossCannotBeDifferentiated) {
  struct Picky : LossFactory {
    std::vector<exec::Refusal> refusals(const ir::Model& model) const override {
      if (model.graph.find_node("flatten") == ir::kNoNode) return {};  // a block
      return {{"flatten", "Flatten", "not here"}};
    }
  } factory;
  Setting setting(4);
  setting.fisher = true;
  setting.trainer = [&]() -> const exec::TrainerFactory& { return factory; };
  for (const BlockRounding& block : setting.round(3)) {
    EXPECT_EQ(block.error, "squared");
    EXPECT_NE(block.why_squared.find("not here"), std::string::npos) << block.why_squared;
  }
}

}  // namespace
}  // namespace pare::compress
