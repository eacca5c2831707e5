// Batches in slices: the same results as the slices by themselves, as the whole batch where kernels agree; what plans,
// profiles and memory say of them.
#include <thread>

#include "pare/error.h"
#include "runtime/executor.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using runtime::CpuExecutor;
using runtime::SliceRule;
using test::Builder;
using Ints = std::vector<std::int64_t>;
using Threads = SliceRule::Threads;

const ir::Dim kN = ir::Dim::symbol("N");

Tensor ints(const Ints& values) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

/// Slices of `each` samples; 0: never. Executors are exact ones: kernels for few and for many samples then differ in the
/// order of sums alone.
SliceRule rule(std::int64_t each, Threads threads = Threads::kShareSteps) {
  SliceRule rule;
  rule.each = each > 0 ? each : INT64_MAX;
  rule.threads = threads;
  return rule;
}

/// Convolutions with a residual sum, pooling and a dense layer.
ir::Model residual_network() {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(3), ir::Dim(12), ir::Dim(12)}));
  const auto conv = [&](ir::ValueId in, std::int64_t from, std::int64_t to) {
    return b.node("Conv", {in, b.weight({to, from, 3, 3}, -0.2f, 0.2f), b.weight({to})}, {{"pads", Ints{1, 1, 1, 1}}});
  };
  const ir::ValueId stem = b.node("Relu", {conv(x, 3, 16)});
  const ir::ValueId inner = conv(b.node("Relu", {conv(stem, 16, 16)}), 16, 16);
  const ir::ValueId sum = b.node("Relu", {b.node("Add", {inner, stem})}, {}, "features");
  const ir::ValueId pooled = b.node("Flatten", {b.node("GlobalAveragePool", {sum})});
  return b.finish({b.node("Gemm", {pooled, b.weight({16, 7}), b.weight({7})}, {}, "logits"), sum});
}

/// One head-split attention layer with a mask by sample, and a table of positions that all samples share.
ir::Model masked_transformer() {
  constexpr std::int64_t kLength = 6, kWidth = 16;
  Builder b;
  const ir::ValueId ids = b.input("ids", ir::Shape({kN, ir::Dim(kLength)}), DType::kInt64),
                    mask = b.input("mask", ir::Shape({kN, ir::Dim(kLength)})),
                    positions = b.input("positions", ir::Shape({ir::Dim(kLength), ir::Dim(kWidth)}));
  const ir::ValueId x = b.node("Add", {b.node("Gather", {b.weight({20, kWidth}), ids}), positions});
  const auto heads = [&](const Ints& perm) {
    const ir::ValueId y =
        b.node("Reshape", {b.node("MatMul", {x, b.weight({kWidth, kWidth})}), b.constant(ints({0, 0, 4, 4}))});
    return b.node("Transpose", {y}, {{"perm", perm}});
  };
  const ir::ValueId wide = b.node("Unsqueeze", {mask, b.constant(ints({1, 2}))});
  const ir::ValueId hidden =
      b.node("Mul", {b.node("Sub", {b.constant(Tensor::scalar(1.0f)), wide}), b.constant(Tensor::scalar(-100.0f))});
  const ir::ValueId scores = b.node("Add", {b.node("MatMul", {heads({0, 2, 1, 3}), heads({0, 2, 3, 1})}), hidden});
  ir::ValueId y = b.node("MatMul", {b.node("Softmax", {scores}, {{"axis", std::int64_t{-1}}}), heads({0, 2, 1, 3})});
  y = b.node("Reshape", {b.node("Transpose", {y}, {{"perm", Ints{0, 2, 1, 3}}}), b.constant(ints({0, 0, kWidth}))});
  y = b.node("LayerNormalization", {b.node("Add", {x, y}), b.weight({kWidth}), b.weight({kWidth})});
  return b.finish({b.node("Transpose", {y}, {{"perm", Ints{1, 0, 2}}}, "states")});  // the batch on axis 1
}

NamedTensors transformer_inputs(std::int64_t samples) {
  Rng rng(9, kRngTest);
  Tensor ids(DType::kInt64, {samples, 6}), mask(DType::kFloat32, {samples, 6});
  for (std::int64_t& id : ids.mutable_data<std::int64_t>()) id = static_cast<std::int64_t>(rng.below(20));
  for (float& m : mask.mutable_data<float>()) m = rng.below(4) > 0 ? 1.0f : 0.0f;
  return {{"ids", ids}, {"mask", mask}, {"positions", test::random_tensor({6, 16}, 4)}};
}

Tensor rows(const Tensor& whole, std::int64_t axis, std::int64_t first, std::int64_t count) {
  Dims dims = whole.dims();
  const Dims lead(dims.begin(), dims.begin() + axis);
  const auto outer = static_cast<std::size_t>(element_count(lead));
  const std::size_t piece = whole.bytes() / outer,
                    one = piece / static_cast<std::size_t>(dims[static_cast<std::size_t>(axis)]);
  dims[static_cast<std::size_t>(axis)] = count;
  Tensor part(whole.dtype(), dims);
  for (std::size_t o = 0; o < outer; ++o)
    std::copy_n(whole.raw() + o * piece + static_cast<std::size_t>(first) * one, static_cast<std::size_t>(count) * one,
                part.mutable_raw() + o * static_cast<std::size_t>(count) * one);
  return part;
}

void expect_near(const Tensor& a, const Tensor& b, float tolerance) {
  ASSERT_EQ(a.dims(), b.dims());
  for (std::size_t i = 0; i < a.data<float>().size(); ++i)
    ASSERT_NEAR(a.data<float>()[i], b.data<float>()[i], tolerance) << i;
}

/// Runs in slices of `each` and compares with each slice by itself, bit by bit, and with the whole at once.
void check(const ir::Model& model, const NamedTensors& inputs, const std::map<std::string, std::int64_t>& batch_inputs,
           const std::map<std::string, std::int64_t>& batch_outputs, std::int64_t samples, std::int64_t each,
           int threads, Threads shared) {
  exec::CompileOptions options;
  options.threads = threads;
  CpuExecutor sliced(model, options, nullptr, true, rule(each, shared));
  std::map<std::string, Dims> shapes;
  for (const auto& [name, tensor] : inputs) shapes[name] = tensor.dims();
  ASSERT_EQ(sliced.plan(shapes).back().kernel, "slices") << sliced.plan(shapes).back().reason;
  if (shared == Threads::kShareSlices) options.threads = 1;
  CpuExecutor alone(model, options, nullptr, true, rule(0));
  const NamedTensors got = sliced.run(inputs), whole = alone.run(inputs);
  ASSERT_EQ(got.size(), whole.size());
  for (const auto& [name, tensor] : got) expect_near(tensor, whole.at(name), 1e-5f);
  for (std::int64_t first = 0; first < samples; first += each) {
    const std::int64_t count = std::min(each, samples - first);
    NamedTensors part = inputs;
    for (const auto& [name, axis] : batch_inputs) part[name] = rows(inputs.at(name), axis, first, count);
    const NamedTensors want = alone.run(part);
    for (const auto& [name, axis] : batch_outputs)
      EXPECT_TRUE(rows(got.at(name), axis, first, count).identical(want.at(name))) << name << " from sample " << first;
  }
}

TEST(Slices, AResidualNetworkGivesWhatItsSlicesGive) {
  const ir::Model model = residual_network();
  for (const std::int64_t each : {1, 2, 4, 5})  // 9 is no multiple of most
    for (const Threads shared : {Threads::kShareSteps, Threads::kShareSlices})
      for (const int threads : {1, 3})
        check(model, {{"x", test::random_tensor({9, 3, 12, 12}, 3)}}, {{"x", 0}}, {{"logits", 0}, {"features", 0}}, 9,
              each, threads, shared);
}

TEST(Slices, ATransformerWithMasksAndAnInputWithoutBatch) {
  const ir::Model model = masked_transformer();
  for (const std::int64_t each : {1, 3})
    for (const Threads shared : {Threads::kShareSteps, Threads::kShareSlices})
      check(model, transformer_inputs(7), {{"ids", 0}, {"mask", 0}}, {{"states", 1}}, 7, each, 2, shared);
}

TEST(Slices, IntegersAreTheSameAtOnceAndInSlices) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(8), ir::Dim(9), ir::Dim(9)}));
  const ir::ValueId q = b.qdq(x, 0.02f, 128);
  ir::ValueId y =
      b.qdq(b.node("Conv", {q, b.quantized_weight({16, 8, 3, 3}, 0)}, {{"pads", Ints{1, 1, 1, 1}}}), 0.3f, 120);
  y = b.qdq(b.node("Relu", {b.node("Conv", {y, b.quantized_weight({16, 16, 3, 3}, 0)})}), 2.0f, 0);
  const ir::Model model = b.finish({y});
  const NamedTensors inputs = {{"x", test::random_tensor({6, 8, 9, 9}, 3)}};
  CpuExecutor whole(model, {}, nullptr, true, rule(0)), sliced(model, {}, nullptr, true, rule(2));
  EXPECT_EQ(sliced.plan({{"x", {6, 8, 9, 9}}}).back().kernel, "slices");
  const NamedTensors a = whole.run(inputs), c = sliced.run(inputs);
  EXPECT_TRUE(a.begin()->second.identical(c.begin()->second));
}

TEST(Slices, AModelThatMixesSamplesRunsAtOnce) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(4)}));
  const ir::ValueId mean = b.node("ReduceMean", {x}, {{"axes", Ints{0}}, {"keepdims", std::int64_t{1}}});
  const ir::Model model = b.finish({b.node("Sub", {x, mean}, {}, "centered")});
  const NamedTensors inputs = {{"x", test::random_tensor({6, 4}, 3)}};
  CpuExecutor sliced(model, {}, nullptr, true, rule(2));
  const exec::PlanStep step = sliced.plan({{"x", {6, 4}}}).back();
  EXPECT_EQ(step.kernel, "whole_batch");
  EXPECT_NE(step.reason.find("ReduceMean"), std::string::npos) << step.reason;
  EXPECT_NE(step.reason.find("brings the samples together"), std::string::npos) << step.reason;
  expect_near(sliced.run(inputs).at("centered"), ir::evaluate(model, inputs).at("centered"), 1e-6f);
}

TEST(Slices, ABatchThatTheModelFixesRunsAtOnce) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(4), ir::Dim(3)}));
  const ir::Model model = b.finish({b.node("Relu", {x})});
  CpuExecutor executor(model, {}, nullptr, true, rule(1));
  for (const exec::PlanStep& step : executor.plan({})) EXPECT_NE(step.op_type, "Batch");
}

TEST(Slices, ShapesThatDependOnDataRunAtOnce) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(3)}));
  const ir::Model model = b.finish({b.node("NonZero", {b.node("Relu", {x})}, {}, "found")});
  const NamedTensors inputs = {{"x", test::random_tensor({4, 3}, 3)}};
  CpuExecutor executor(model, {}, nullptr, true, rule(1));
  EXPECT_TRUE(executor.run(inputs).at("found").identical(ir::evaluate(model, inputs).at("found")));
}

TEST(Slices, PlanProfileAndMemoryAgree) {
  const ir::Model model = residual_network();
  const std::map<std::string, Dims> shapes = {{"x", {7, 3, 12, 12}}}, one = {{"x", {2, 3, 12, 12}}};
  const NamedTensors inputs = {{"x", test::random_tensor({7, 3, 12, 12}, 3)}};
  exec::CompileOptions options;
  options.threads = 2;
  for (const Threads shared : {Threads::kShareSteps, Threads::kShareSlices}) {
    CpuExecutor sliced(model, options, nullptr, true, rule(2, shared)), whole(model, options, nullptr, true, rule(0));
    const std::vector<exec::PlanStep> steps = sliced.plan(shapes), at_once = whole.plan(shapes);
    std::int64_t macs = 0, want = 0;
    for (const exec::PlanStep& step : steps) macs += step.macs;
    for (const exec::PlanStep& step : at_once) want += step.macs;
    EXPECT_EQ(macs, want);
    EXPECT_EQ(steps.back().kernel, "slices");
    EXPECT_NE(steps.back().reason.find("7 samples as slices of 2"), std::string::npos) << steps.back().reason;
    const std::vector<exec::StepTime> times = sliced.profile(inputs, 2);
    ASSERT_EQ(times.size(), steps.size());
    for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times[i].step, i);
    CpuExecutor part(model, options, nullptr, true, rule(0));
    const std::int64_t arenas = shared == Threads::kShareSlices ? 2 : 1;
    EXPECT_GE(sliced.memory(shapes).arena, arenas * part.memory(one).arena);
    EXPECT_LT(sliced.memory(shapes).arena, whole.memory(shapes).arena);
  }
}

TEST(Slices, ObservedValuesAreThoseOfTheWholeBatch) {
  exec::CompileOptions options;
  options.observed = {"features"};
  CpuExecutor executor(residual_network(), options, nullptr, true, rule(1));
  int seen = 0;
  executor.observe({{"x", test::random_tensor({5, 3, 12, 12}, 3)}}, [&](const std::string& name, const Tensor& tensor) {
    EXPECT_EQ(name, "features");
    EXPECT_EQ(tensor.dim(0), 5);
    ++seen;
  });
  EXPECT_EQ(seen, 1);
}

TEST(Slices, RunsAtTheSameTimeDoNotDisturbEachOther) {
  exec::CompileOptions options;
  options.threads = 2;
  CpuExecutor executor(residual_network(), options, nullptr, true, rule(1, Threads::kShareSlices));
  std::vector<NamedTensors> inputs, want;
  for (std::uint64_t i = 0; i < 4; ++i) {
    inputs.push_back({{"x", test::random_tensor({6, 3, 12, 12}, 10 + i)}});
    want.push_back(executor.run(inputs.back()));
  }
  std::vector<int> wrong(inputs.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round)
        for (const auto& [name, tensor] : executor.run(inputs[i])) wrong[i] += !tensor.identical(want[i].at(name));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(inputs.size()));
}

TEST(Slices, AnErrorInASliceReachesTheCaller) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({kN, ir::Dim(2)}), DType::kInt64);
  const ir::Model model = b.finish({b.node("Gather", {b.weight({5, 3}), x}, {}, "rows")});
  Tensor ids(DType::kInt64, {6, 2});
  ids.mutable_data<std::int64_t>()[9] = 7;  // there are 5 rows
  exec::CompileOptions options;
  options.threads = 2;
  for (const Threads shared : {Threads::kShareSteps, Threads::kShareSlices}) {
    CpuExecutor executor(model, options, nullptr, true, rule(1, shared));
    EXPECT_THROW(executor.run({{"x", ids}}), Error);
    EXPECT_EQ(executor.run({{"x", Tensor(DType::kInt64, {6, 2})}}).at("rows").dims(), (Dims{6, 2, 3}));
  }
}

TEST(Slices, TheRuleFollowsSizes) {
  const ir::Model model = residual_network();
  const std::map<std::string, Dims> shapes = {{"x", {12, 3, 12, 12}}};
  CpuExecutor whole(model, {}, nullptr, true, rule(0));
  const auto one = static_cast<std::size_t>(whole.memory(shapes).arena / 12);
  SliceRule small;
  small.arena_bytes = 4 * one + one / 2;
  small.busy = 0.9;
  EXPECT_NE(CpuExecutor(model, {}, nullptr, true, small).plan(shapes).back().reason.find("slices of 4"), std::string::npos);
  SliceRule large = small;
  large.arena_bytes = 13 * one;
  EXPECT_EQ(CpuExecutor(model, {}, nullptr, true, large).plan(shapes).back().kernel, "whole_batch");
  exec::CompileOptions two;
  two.threads = 2;
  EXPECT_NE(CpuExecutor(model, two, nullptr, true, large).plan(shapes).back().reason.find("slices of 6"), std::string::npos);
  large.macs_per_byte = 1e9;  // weights would be read too often
  EXPECT_EQ(CpuExecutor(model, two, nullptr, true, large).plan(shapes).back().kernel, "whole_batch");
  large.cache_bytes = 1 << 30;  // but they stay in the cache
  EXPECT_EQ(CpuExecutor(model, two, nullptr, true, large).plan(shapes).back().kernel, "slices");
  const std::map<std::string, Dims> three = {{"x", {3, 3, 12, 12}}};  // one of two threads would idle
  EXPECT_EQ(CpuExecutor(model, two, nullptr, true, large).plan(three).back().kernel, "whole_batch");
}

}  // namespace
}  // namespace pare
