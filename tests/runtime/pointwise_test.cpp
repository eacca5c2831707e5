// Products of single pixels by our own tiles: where they are chosen, and that nothing else changes.
#include <filesystem>

#include "base/cpu.h"
#include "kernels/random.h"
#include "runtime/executor.h"
#include "runtime/graphs.h"
#include "runtime/tuner.h"

namespace pare {
namespace {

using test::Builder;

const Dims kInput = {1, 512, 7, 7};

/// x → Conv 1x1, 512 to 768 → (+ shortcut) → (activation): few pixels, many weights.
ir::Model make(const std::string& activation, bool residual = false) {
  Builder b;
  b.model.opsets = {{"", 17}};
  const ir::ValueId x = b.input("x", ir::Shape::of(kInput));
  ir::ValueId y = b.node("Conv", {x, b.weight({768, 512, 1, 1}, -0.1F, 0.1F), b.weight({768})}, {}, "c");
  if (residual)
    y = b.node("Add", {y, b.node("Conv", {x, b.weight({768, 512, 1, 1}, -0.1F, 0.1F)}, {}, "s")}, {}, "sum");
  if (!activation.empty()) y = b.node(activation, {y}, {}, "a");
  return b.finish({y});
}

std::vector<exec::PlanStep> products_of(const exec::Backend& backend, const ir::Model& model) {
  std::vector<exec::PlanStep> products;
  for (const exec::PlanStep& step : backend.compile(model, {})->plan({{"x", kInput}}))
    if (step.macs > 0) products.push_back(step);
  return products;
}

TEST(PointwiseForm, EqualsTheReferenceWhateverFollows) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "needs AVX2";
  for (const char* activation : {"", "Relu", "Sigmoid", "HardSwish", "Tanh", "HardSigmoid"})
    for (bool residual : {false, true}) {
      SCOPED_TRACE(std::string(activation) + (residual ? " residual" : ""));
      const ir::Model model = make(activation, residual);
      for (const exec::PlanStep& step : products_of(runtime::backend(), model)) {
        EXPECT_TRUE(step.kernel.starts_with("pointwise_f32__")) << step.kernel;
        EXPECT_NE(step.reason.find("times conv_f32__onednn"), std::string::npos) << step.reason;
      }
      test::expect_like_reference(model, {{"x", test::random_tensor(kInput, 7)}}, 5e-6);
    }
}

TEST(PointwiseForm, ScalarPlansHaveNone) {
  const kernels::test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
  for (const exec::PlanStep& step : products_of(runtime::backend(), make("Relu")))
    EXPECT_FALSE(step.kernel.starts_with("pointwise")) << step.kernel;
}

TEST(PointwiseForm, IsTimedAgainstTheLibrary) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "needs AVX2";
  const auto folder = std::filesystem::temp_directory_path() / "pare_tuning_pointwise";
  std::filesystem::remove_all(folder);
  const ir::Model model = make("Relu");
  runtime::CpuExecutor executor(model, {}, std::make_shared<runtime::Tuner>(folder));
  for (const exec::PlanStep& step : executor.plan({{"x", kInput}})) {
    if (step.macs > 0)
      EXPECT_NE(step.reason.find("measured "), std::string::npos) << step.kernel << ": " << step.reason;
  }
  const NamedTensors in = {{"x", test::random_tensor(kInput, 7)}};
  EXPECT_LE(test::max_difference(executor.run(in).at("a"), test::run(model, in).at("a")), 2e-5);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace pare
