// Convolutions of 3x3 by Winograd's multiplications: where they are chosen, that nothing else changes, and --exact.
#include <filesystem>

#include "base/cpu.h"
#include "kernels/random.h"
#include "runtime/executor.h"
#include "runtime/graphs.h"
#include "runtime/tuner.h"

namespace pare {
namespace {

using test::Builder;
using Ints = std::vector<std::int64_t>;
using Attributes = std::vector<std::pair<std::string, ir::AttributeValue>>;

const Dims kInput = {2, 64, 26, 27};

struct Net {
  std::string activation;
  bool residual = false;
  Dims weight = {64, 64, 3, 3};
  Attributes attributes = {{"pads", Ints{1, 1, 1, 1}}};
};

/// x → Conv → (+ x) → (activation)
ir::Model make(const Net& net) {
  Builder b;
  b.model.opsets = {{"", 17}};
  const ir::ValueId x = b.input("x", ir::Shape::of(kInput));
  ir::ValueId y =
      b.node("Conv", {x, b.weight(net.weight, -0.1F, 0.1F), b.weight({net.weight[0]})}, net.attributes, "c");
  if (net.residual) y = b.node("Add", {y, x}, {}, "sum");
  if (!net.activation.empty()) y = b.node(net.activation, {y}, {}, "a");
  return b.finish({y});
}

exec::PlanStep step_of(const exec::Backend& backend, const ir::Model& model) {
  for (const exec::PlanStep& step : backend.compile(model, {})->plan({{"x", kInput}}))
    if (step.macs > 0) return step;
  return {};
}

bool is_winograd(const exec::PlanStep& step) { return step.kernel.starts_with("winograd"); }

TEST(WinogradForm, EqualsTheReferenceWhateverFollows) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "needs AVX2";
  for (const char* activation : {"", "Relu", "Sigmoid", "HardSwish"})
    for (bool residual : {false, true}) {
      SCOPED_TRACE(std::string(activation) + (residual ? " residual" : ""));
      const ir::Model model = make({.activation = activation, .residual = residual});
      const exec::PlanStep step = step_of(runtime::backend(), model);
      EXPECT_TRUE(is_winograd(step)) << step.kernel;
      EXPECT_NE(step.reason.find("multiplications"), std::string::npos) << step.reason;
      EXPECT_NE(step.reason.find("times conv_f32__onednn"), std::string::npos) << step.reason;
      test::expect_like_reference(model, {{"x", test::random_tensor(kInput, 7)}}, 5e-6);
    }
}

TEST(WinogradForm, IsLeftOutWhereSumsMustBeExact) {
  const ir::Model model = make({.activation = "Relu"});
  for (bool tuned : {false, true}) {
    const exec::PlanStep step = step_of(runtime::backend({.tuned = tuned, .exact = true}), model);
    EXPECT_FALSE(is_winograd(step)) << step.kernel;
    EXPECT_EQ(step.reason.find("winograd"), std::string::npos) << step.reason;
  }
  const NamedTensors in = {{"x", test::random_tensor(kInput, 7)}};
  const NamedTensors exact = runtime::backend({.exact = true}).compile(model, {})->run(in);
  EXPECT_LE(test::max_difference(exact.at("a"), test::run(model, in).at("a")), 2e-5);
}

TEST(WinogradForm, OtherConvolutionsKeepTheirs) {
  for (const Net& net :
       {Net{.attributes = {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}}},
        Net{.attributes = {{"pads", Ints{2, 2, 2, 2}}, {"dilations", Ints{2, 2}}}},
        Net{.weight = {64, 16, 3, 3}, .attributes = {{"pads", Ints{1, 1, 1, 1}}, {"group", std::int64_t{4}}}},
        Net{.weight = {64, 64, 1, 1}, .attributes = {}}, Net{.weight = {64, 64, 3, 1}, .attributes = {}}}) {
    const exec::PlanStep step = step_of(runtime::backend(), make(net));
    EXPECT_FALSE(is_winograd(step)) << step.kernel;
  }
}

TEST(WinogradForm, UnevenPaddingAndFewPixels) {
  for (const Ints& pads : {Ints{0, 0, 0, 0}, Ints{0, 1, 2, 0}, Ints{1, 0, 1, 1}})
    test::expect_like_reference(make({.activation = "Relu", .attributes = {{"pads", pads}}}),
                                {{"x", test::random_tensor(kInput, 7)}}, 5e-6);
}

TEST(WinogradForm, ScalarPlansHaveNone) {
  const kernels::test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
  EXPECT_FALSE(is_winograd(step_of(runtime::backend(), make({}))));
}

TEST(WinogradForm, IsTimedAgainstTheDirectSum) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "needs AVX2";
  const auto folder = std::filesystem::temp_directory_path() / "pare_tuning_winograd";
  std::filesystem::remove_all(folder);
  const ir::Model model = make({.activation = "Relu"});
  runtime::CpuExecutor executor(model, {}, std::make_shared<runtime::Tuner>(folder));
  std::string reason, kernel;
  for (const exec::PlanStep& step : executor.plan({{"x", kInput}}))
    if (step.macs > 0) reason = step.reason, kernel = step.kernel;
  EXPECT_NE(reason.find("measured "), std::string::npos) << kernel << ": " << reason;
  const NamedTensors in = {{"x", test::random_tensor(kInput, 7)}};
  EXPECT_LE(test::max_difference(executor.run(in).at("a"), test::run(model, in).at("a")), 2e-5);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace pare
