// Ranges of activations by the output error of the layers that read them.
#include "compress/quantize/fit_activations.h"

#include <gtest/gtest.h>

#include "compress/fakes.h"
#include "compress/quantize/static_choice.h"
#include "compress/quantize/static_options.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// image → flatten → in → relu → out. Nothing behind reads feature 0 of the Relu, which is by far the largest.
ir::Model deaf_model() {
  Builder b;
  ir::ValueId x = b.add("Flatten", "flatten", {b.input("image", {ir::Dim::symbol("N"), 1, 8, 8})});
  Tensor first = random_tensor({64, 6}, 1), second = random_tensor({6, 5}, 3);
  for (std::size_t i = 0; i < 64; ++i) first.mutable_data<float>()[6 * i] *= 20;
  for (std::size_t o = 0; o < 5; ++o) second.mutable_data<float>()[o] = 0;
  const ir::ValueId h = b.add("Relu", "relu", {b.add("Gemm", "in", {x, b.constant("in.weight", first)})});
  return b.finish(b.add("Gemm", "out", {h, b.constant("out.weight", second)}));
}

struct Fit {
  World world{std::string("fit_") + ::testing::UnitTest::GetInstance()->current_test_info()->name()};
  json options, record;

  explicit Fit(const std::string& scheme) {
    world.dataset = image_data(false);
    world.model = deaf_model();
    options = resolve_options({{"activations", {{"calibrator", "min-max"}, {"scheme", scheme}}}}, static_options(), "quantize");
  }
  StepContext context() {
    return {options,        world.model,   world.dataset, world.backend, world.trainer,
            {.threads = 1}, world.control, nullptr,       record};
  }
  /// ‖Ŵ·Q(x) − W·x‖² of the last layer on the training samples, as its definition says.
  double error(const ir::Model& model, const passes::QuantParams& params, const Tensor& near) {
    ir::Model part = model;
    part.graph.outputs = {part.graph.find_value("relu_out")};
    std::vector<std::int64_t> all(40);
    std::iota(all.begin(), all.end(), 0);
    const Tensor x = ir::evaluate(part, world.dataset.train->batch(all).inputs).begin()->second;
    const Tensor q = passes::dequantize_tensor(passes::quantize_tensor(x, params), params);
    const Tensor& w = *model.graph.constant(model.graph.find_value("out.weight"));
    double sum = 0;
    for (std::size_t n = 0; n < 40; ++n)
      for (std::size_t o = 0; o < 5; ++o) {
        double off = 0;
        for (std::size_t i = 0; i < 6; ++i)
          off += static_cast<double>(q.data<float>()[6 * n + i]) * static_cast<double>(near.data<float>()[5 * i + o]) -
                 static_cast<double>(x.data<float>()[6 * n + i]) * static_cast<double>(w.data<float>()[5 * i + o]);
        sum += off * off;
      }
    return sum;
  }
};

TEST(FitActivations, IgnoreWhatNobodyReads) {
  for (const char* scheme : {"affine", "symmetric"}) {
    Fit fit(scheme);
    const StepContext context = fit.context();
    const ir::Model& model = fit.world.model;
    const Statistics statistics = gather_statistics(model, {activation_request(model, fit.options)}, context);
    StaticWriter writer(model, statistics, context);
    const Choice choice{.calibrator = &find_calibrator("min-max")};
    const auto ranges = fit_activations(model, writer, choice, statistics, context);
    ASSERT_TRUE(ranges.count("relu_out"));
    EXPECT_LT(ranges.at("relu_out").high, 0.5 * static_cast<double>(statistics.of("relu_out").max())) << scheme;
    // By hand: no candidate is better.
    int raised = 0;
    const auto plan_of = [&] { return writer.plan(writer.place({}), *choice.calibrator, raised); };
    const passes::QdqPlan before = plan_of();
    writer.set_ranges(ranges);
    const passes::QdqPlan after = plan_of();
    const Tensor near = passes::dequantize_tensor(
        passes::quantize_tensor(*model.graph.constant(model.graph.find_value("out.weight")), after.weights.at("out.weight")),
        after.weights.at("out.weight"));
    const double least = fit.error(model, after.activations.at("relu_out"), near);
    EXPECT_LT(least, fit.error(model, before.activations.at("relu_out"), near));
    for (int step = 15; step <= 50; ++step) {
      const Range range{0, static_cast<double>(statistics.of("relu_out").max()) * step / 50};
      const auto params = std::string(scheme) == "affine" ? affine_params(range) : symmetric_params(range);
      EXPECT_LE(least, fit.error(model, params, near) * (1 + 1e-5)) << step;
    }
  }
}

TEST(FitActivations, AreTakenWhereTheyHelpTheOutput) {
  World world(std::string("fit_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  world.model = deaf_model();
  const PipelineResult result = world.run(
      "steps: [{quantize: {activations: {calibrator: min-max, fit: true}, protect: {macs: 0}, bias_correction: false}}]");
  const json& told = result.run.at("steps").at(0).at("quantized").at("choice").at("fitted");
  EXPECT_GT(told.at("with_db").get<double>(), told.at("without_db").get<double>());
  EXPECT_GE(told.at("values").get<int>(), 1);
}

TEST(FitActivations, LeaveWhatHas16Bits) {
  World world(std::string("fit_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  world.model = deaf_model();
  const PipelineResult result = world.run(
      "steps: [{quantize: {activations: {bits: 16, calibrator: min-max, fit: true}, protect: {macs: 0}, bias_correction: false}}]");
  EXPECT_EQ(result.run.at("steps").at(0).at("quantized").at("choice").at("fitted").at("values"), 0);
}

}  // namespace
}  // namespace pare::compress
