// Bits by layer: within the budget, more where the output asks for them, and better than the same bits everywhere.
#include <gtest/gtest.h>

#include "base/float16.h"
#include "compress/quantize/params.h"
#include "exec/curvature.h"
#include "fakes.h"

namespace pare::compress {
namespace {

using nlohmann::json;

struct Outcome {
  json mixed;
  double noise = 0;
  ir::Model model;
};

Outcome outcome_of(const std::string& options, const exec::TrainerFactory* factory = nullptr) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  if (factory) world.trainer = [factory]() -> const exec::TrainerFactory& { return *factory; };
  world.dataset = image_data(false);
  const PipelineResult result =
      world.run("steps: [{quantize: {" + options + ", bias_correction: false, protect: {macs: 0}}}]");
  Outcome outcome;
  outcome.model = result.model;
  const json& choice = result.run.at("steps").at(0).at("quantized").at("choice");
  if (choice.contains("mixed")) outcome.mixed = choice.at("mixed");
  std::vector<std::int64_t> all(static_cast<std::size_t>(world.dataset.test->size()));
  std::iota(all.begin(), all.end(), 0);
  const NamedTensors inputs = world.dataset.test->batch(all).inputs;
  const Tensor a = ir::evaluate(world.model, inputs).begin()->second,
               b = ir::evaluate(result.model, inputs).begin()->second;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i)
    outcome.noise += std::pow(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i]), 2);
  return outcome;
}

TEST(MixedPrecision, StaysWithinTheAverageAndBeatsTheSameBitsEverywhere) {
  const Outcome mixed = outcome_of("mixed: {average: 3}, weights: {rounding: nearest}");
  EXPECT_LE(mixed.mixed.at("average").get<double>(), 3 + 1e-9);
  EXPECT_GT(mixed.mixed.at("average").get<double>(), 2);
  EXPECT_LT(mixed.noise, outcome_of("weights: {bits: 3, rounding: nearest}").noise);
  for (const json& layer : mixed.mixed.at("layers"))
    EXPECT_LT(layer.at("snr_db").at("2").get<double>(), layer.at("snr_db").at("8").get<double>()) << layer;
}

TEST(MixedPrecision, WithAllTheBudgetItIsEightBitsEverywhere) {
  const Outcome mixed = outcome_of("mixed: {average: 8, by: operations}");
  for (const json& layer : mixed.mixed.at("layers")) EXPECT_EQ(layer.at("bits"), 8) << layer;
}

TEST(MixedPrecision, StoresTheBitsThatItTells) {
  const Outcome mixed = outcome_of("mixed: {average: 4, choices: [2, 4, 8]}");
  for (const json& layer : mixed.mixed.at("layers")) {
    const auto bits = layer.at("bits").get<int>();
    const std::string name = layer.at("node").get<std::string>() + ".weight_quantized";
    const ir::ValueId id = mixed.model.graph.find_value(name);
    ASSERT_NE(id, ir::kNoValue) << name;
    const Tensor& stored = *mixed.model.graph.constant(id);
    EXPECT_EQ(stored.dtype(), bits <= 4 ? DType::kInt4 : DType::kInt8) << name;
    for (std::int64_t i = 0; i < stored.numel(); ++i)
      EXPECT_LE(std::fabs(element_as_double(stored, i)), (1 << (bits - 1)) - 1) << name;
  }
}

/// Of the pretended loss Σw²/2: H is the identity, its trace the number of weights.
class BentTrainer : public FakeTrainer, public exec::Curvature {
 public:
  explicit BentTrainer(const ir::Model& model) : FakeTrainer(model) {}
  std::map<std::string, double> hessian_traces(const data::Batch&, std::uint64_t) override {
    std::map<std::string, double> traces;
    for (const std::string& name : parameters()) traces[name] = static_cast<double>(parameter(name).numel());
    return traces;
  }
};

class BentFactory : public FakeFactory {
 public:
  std::unique_ptr<exec::Trainer> create(const ir::Model& student, const ir::Model*,
                                        const exec::TrainerOptions&) const override {
    return std::make_unique<BentTrainer>(student);
  }
};

TEST(MixedPrecision, ATrainerThatCannotDifferentiateTwiceIsRefused) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {mixed: {sensitivity: hessian}}}]"); }).code(),
            ErrorCode::kUnsupported);
}

/// HAWQ-V2's equation 6 literally.
TEST(MixedPrecision, HessianSensitivityIsTraceTimesSquaredError) {
  const BentFactory factory;
  const Outcome outcome = outcome_of("mixed: {average: 4, sensitivity: hessian, choices: [2, 4, 8]}", &factory);
  const ir::Model model = residual_model();
  for (const json& layer : outcome.mixed.at("layers")) {
    const std::string name = layer.at("node").get<std::string>() + ".weight";
    const Tensor& weight = *model.graph.constant(model.graph.find_value(name));
    EXPECT_EQ(outcome.mixed.at("traces").at(name), weight.numel());
    for (const int bits : {2, 4, 8}) {
      const passes::QuantParams params = weight_params(weight, 0, {.bits = bits});
      const Tensor near = passes::dequantize_tensor(passes::quantize_tensor(weight, params), params);
      double squares = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(weight.numel()); ++i)
        squares += std::pow(double{near.data<float>()[i]} - double{weight.data<float>()[i]}, 2);
      EXPECT_NEAR(layer.at("omega").at(std::to_string(bits)).get<double>(), squares, 1e-6 * squares) << name << bits;
    }
  }
  EXPECT_LE(outcome.mixed.at("average").get<double>(), 4 + 1e-9);
}

/// Steps whose times are known: 4 ms for a layer in float, 1 ms on integers, but 8 ms for "tail".
class TimedExecutor : public ReferenceExecutor {
 public:
  TimedExecutor(const ir::Model& model, const std::vector<std::string>& observed) : ReferenceExecutor(model, observed) {
    for (const Layer& layer : find_layers(model.graph)) floats_[layer.name] = model.graph.constant(layer.weight.value)->dtype() == DType::kFloat32;
  }
  std::vector<exec::PlanStep> plan(const std::map<std::string, Dims>&) override {
    std::vector<exec::PlanStep> steps;
    for (const auto& [name, unused] : floats_) steps.push_back({.kernel = "kernel", .nodes = {name}});
    return steps;
  }
  std::vector<exec::StepTime> profile(const NamedTensors&, int) override {
    std::vector<exec::StepTime> times;
    for (const auto& [name, is_float] : floats_) times.push_back({times.size(), is_float ? 4.0 : name == "tail" ? 8.0 : 1.0});
    return times;
  }

 private:
  std::map<std::string, bool> floats_;
};

class TimedBackend : public ReferenceBackend {
 public:
  std::unique_ptr<exec::Executor> compile(const ir::Model& model, const exec::CompileOptions& options) const override {
    return std::make_unique<TimedExecutor>(model, options.observed);
  }
};

json mixed_by_time(double share, std::vector<std::string>* warnings = nullptr) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  const TimedBackend backend;
  Control control;
  control.log = [&](LogLevel level, const std::string& message) {
    if (level == LogLevel::kWarning && warnings) warnings->push_back(message);
  };
  const Recipe recipe = parse_recipe("steps: [{quantize: {mixed: {by: latency, latency: " + std::to_string(share) +
                                         ", choices: [8]}, bias_correction: false}}]",
                                     "r.yaml");
  const PipelineInputs inputs{world.model, "model.onnx", world.dataset, recipe, backend, world.trainer, world.store,
                              {.threads = 1, .seed = 3}, control, world.folder / "checkpoints", false, "pare compress", {}, 0.005};
  return run_pipeline(inputs).run.at("steps").at(0).at("quantized").at("choice").at("mixed");
}

TEST(MixedPrecision, TimeDecidesWhichLayersStayFloat) {
  // stem, body, tail, head: 16 ms in float; all but tail on integers 7 ms.
  const json half = mixed_by_time(0.5);
  EXPECT_EQ(half.at("float_ms"), 16);
  EXPECT_LE(half.at("predicted_ms").get<double>(), 8);
  for (const json& layer : half.at("layers"))
    EXPECT_EQ(layer.at("bits") == "float", layer.at("node") == "tail") << layer;
  // With more time the layer that disturbs most stays float too.
  const json more = mixed_by_time(0.65);
  double worst = 1e9, kept = 1e9;
  for (const json& layer : more.at("layers")) {
    if (layer.at("node") == "tail") continue;
    const auto snr = layer.at("snr_db").at("8").get<double>();
    worst = std::min(worst, snr);
    if (layer.at("bits") == "float") kept = std::min(kept, snr);
  }
  EXPECT_EQ(kept, worst);
}

TEST(MixedPrecision, ATimeThatCannotBeMetIsSaid) {
  std::vector<std::string> warnings;
  const json least = mixed_by_time(0.1, &warnings);
  EXPECT_NEAR(least.at("predicted_ms").get<double>(), 7, 1e-6);
  EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
    return warning.find("can't be met") != std::string::npos && warning.find("44 %") != std::string::npos;
  }));
  EXPECT_EQ(error_of([] { mixed_by_time(1); }).code(), ErrorCode::kUsage);  // nothing would become integers
}

TEST(MixedPrecision, RefusesContradictions) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  for (const char* mixed : {"{average: 3, choices: [4, 8]}", "{average: 4, choices: [2.5, 8]}", "{average: 9}",
                            "{average: 4, choices: [1, 8]}", "{by: time}", "{sensitivity: fisher}",
                            "{by: latency, latency: 2}"})
    EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {mixed: " + std::string(mixed) + "}}]"); }).code(),
              ErrorCode::kUsage)
        << mixed;
}

}  // namespace
}  // namespace pare::compress
