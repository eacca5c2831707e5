// Inputs, plans, threads, observing, memory.
#include <thread>

#include "pare/error.h"
#include "runtime/graphs.h"
#include "runtime/plan.h"

namespace pare {
namespace {

using test::Builder;
using Ints = std::vector<std::int64_t>;

ir::Model network() {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({ir::Dim::symbol("N"), ir::Dim(3), ir::Dim(8), ir::Dim(8)}));
  ir::ValueId y = b.node("Relu", {b.node("Conv", {x, b.weight({8, 3, 3, 3})}, {}, "conv")}, {}, "act");
  y = b.node("MaxPool", {y}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, "pool");
  return b.finish({b.node("Gemm", {b.node("Flatten", {y}), b.weight({72, 5})}, {}, "logits")});
}

template <class F>
ErrorCode code_of(F&& f, std::string* what = nullptr) {
  try {
    f();
  } catch (const Error& error) {
    if (what) *what = error.what();
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kInternal;
}

TEST(Executor, RefusesBadInputsByName) {
  const auto executor = runtime::backend().compile(network(), {});
  const auto code = [&](const NamedTensors& inputs) {
    std::string what;
    EXPECT_EQ(code_of([&] { executor->run(inputs); }, &what), ErrorCode::kBadInput);
    return what;
  };
  EXPECT_NE(code({}).find("missing"), std::string::npos);
  EXPECT_NE(code({{"y", Tensor(DType::kFloat32, {1})}}).find("no such input"), std::string::npos);
  EXPECT_NE(code({{"x", Tensor(DType::kInt8, {1, 3, 8, 8})}}).find("type"), std::string::npos);
  EXPECT_NE(code({{"x", Tensor(DType::kFloat32, {3, 8, 8})}}).find("rank"), std::string::npos);
  EXPECT_NE(code({{"x", Tensor(DType::kFloat32, {1, 3, 8, 9})}}).find("size"), std::string::npos);
}

TEST(Executor, UnknownOperatorsAreRefusedAllAtOnce) {
  Builder b;
  const ir::ValueId x = b.input("x", ir::Shape({ir::Dim(2)}));
  b.model.graph.outputs = {b.node("Nonsense", {b.node("Rubbish", {x})})};
  const std::vector<exec::Refusal> refused = runtime::backend().refusals(b.model);
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_EQ(refused[0].inputs, std::vector<std::string>{"float32 [2]"});
  EXPECT_EQ(refused[1].inputs, std::vector<std::string>{"? [...]"});  // nothing tells what Rubbish gives
  EXPECT_EQ(refused[0].opset, b.model.opset());
  std::string what;
  EXPECT_EQ(code_of([&] { runtime::backend().compile(b.model, {}); }, &what), ErrorCode::kUnsupported);
  EXPECT_NE(what.find("Nonsense"), std::string::npos);
  EXPECT_NE(what.find("Rubbish, opset " + std::to_string(b.model.opset()) + ", inputs float32 [2])"), std::string::npos)
      << what;
}

TEST(Executor, EveryBatchSizeGivesTheSameRows) {
  const auto executor = runtime::backend().compile(network(), {});
  const Tensor seven = test::random_tensor({7, 3, 8, 8}, 5);
  const Tensor all = executor->run({{"x", seven}}).at("logits");
  for (std::int64_t i = 0; i < 7; ++i) {
    Tensor one(DType::kFloat32, {1, 3, 8, 8});
    std::copy_n(seven.data<float>().begin() + i * 192, 192, one.mutable_data<float>().begin());
    const Tensor row = executor->run({{"x", one}}).at("logits");
    for (std::size_t c = 0; c < 5; ++c)
      EXPECT_NEAR(row.data<float>()[c], all.data<float>()[static_cast<std::size_t>(i) * 5 + c], 1e-5);
  }
}

TEST(Executor, MorePlansThanTheCacheHolds) {
  const auto executor = runtime::backend().compile(network(), {});
  for (int round = 0; round < 2; ++round)
    for (std::int64_t n = 1; n <= 12; ++n)
      EXPECT_EQ(executor->run({{"x", test::random_tensor({n, 3, 8, 8}, 5)}}).at("logits").dims(), (Dims{n, 5}));
}

TEST(Executor, FourThreadsGiveTheSameBits) {
  const auto executor = runtime::backend().compile(network(), {});
  const NamedTensors inputs = {{"x", test::random_tensor({3, 3, 8, 8}, 6)}};
  const Tensor want = executor->run(inputs).at("logits");
  std::vector<std::thread> threads;
  std::vector<int> same(4);
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) same[t] += executor->run(inputs).at("logits").identical(want);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, std::vector<int>(4, 50));
}

TEST(Executor, ObservesUnfusedValuesInOrderAndInOnnxLayout) {
  const ir::Model model = network();
  exec::CompileOptions options;
  options.observed = {"act", "x", "conv", "logits"};
  const NamedTensors inputs = {{"x", test::random_tensor({2, 3, 8, 8}, 6)}};
  std::vector<std::string> order;
  std::map<std::string, Tensor> seen;
  const auto executor = runtime::backend().compile(model, options);
  const NamedTensors outputs = executor->observe(inputs, [&](const std::string& name, const Tensor& tensor) {
    order.push_back(name);
    seen[name] = tensor.clone();
  });
  EXPECT_EQ(order, (std::vector<std::string>{"x", "conv", "act", "logits"}));
  EXPECT_EQ(outputs.size(), 1u);
  ir::Model wide = model;
  for (const char* name : {"conv", "act"}) wide.graph.outputs.push_back(wide.graph.find_value(name));
  for (const auto& [name, tensor] : ir::evaluate(wide, inputs))
    EXPECT_LE(test::max_difference(seen.at(name), tensor), 1e-4) << name;
  EXPECT_TRUE(seen.at("x").identical(inputs.at("x")));
}

TEST(Executor, UnknownObservedValueIsNamed) {
  exec::CompileOptions options;
  options.observed = {"cnv"};
  std::string what;
  EXPECT_EQ(code_of([&] { runtime::backend().compile(network(), options); }, &what), ErrorCode::kUsage);
  EXPECT_NE(what.find("did you mean 'conv'"), std::string::npos);
}

TEST(Executor, MemoryLimitIsRefusedWithBothNumbers) {
  const auto executor = runtime::backend().compile(network(), {});
  const exec::MemoryUse use = executor->memory({{"x", {64, 3, 8, 8}}});
  EXPECT_GT(use.arena, 64 * 8 * 9 * 4);
  exec::CompileOptions tight;
  tight.max_memory = use.weights + use.arena - 1;
  std::string what;
  const auto limited = runtime::backend().compile(network(), tight);
  EXPECT_EQ(code_of([&] { limited->run({{"x", Tensor(DType::kFloat32, {64, 3, 8, 8})}}); }, &what), ErrorCode::kMemory);
  EXPECT_NE(what.find("of weights and"), std::string::npos);
  EXPECT_NO_THROW(limited->run({{"x", Tensor(DType::kFloat32, {1, 3, 8, 8})}}));
}

TEST(Executor, ProfileTimesEveryStep) {
  const auto executor = runtime::backend().compile(network(), {});
  const auto times = executor->profile({{"x", Tensor(DType::kFloat32, {1, 3, 8, 8})}}, 3);
  EXPECT_EQ(times.size(), executor->plan({{"x", {1, 3, 8, 8}}}).size());
  for (const exec::StepTime& time : times) EXPECT_GE(time.median_ms, 0);
}

TEST(MemoryPlan, BuffersAliveTogetherNeverOverlap) {
  Rng rng(3, kRngTest);
  for (int round = 0; round < 100; ++round) {
    runtime::Plan plan;
    const std::size_t steps = 2 + rng.below(12);
    plan.steps.resize(steps);
    for (int i = 0; i < 20; ++i) {
      plan.buffers.push_back({.bytes = rng.below(5000)});
      const std::size_t first = rng.below(steps), last = first + rng.below(steps - first);
      plan.steps[first].writes.push_back(i);
      plan.steps[last].reads.push_back(i);
    }
    plan_memory(plan);
    for (const runtime::Buffer& a : plan.buffers) {
      EXPECT_EQ(a.offset % 64, 0u);
      EXPECT_LE(a.offset + a.bytes, plan.arena_bytes);
      for (const runtime::Buffer& b : plan.buffers) {
        if (&a == &b || a.last < b.first || b.last < a.first) continue;
        EXPECT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset);
      }
    }
  }
}

/// A buffer of 4000 bytes that `write` writes and the steps of `reads` read.
runtime::BufferId add_buffer(runtime::Plan& plan, std::size_t write, std::vector<std::size_t> reads,
                             runtime::BufferId takes_over = runtime::kNoBuffer) {
  const auto id = static_cast<runtime::BufferId>(plan.buffers.size());
  plan.buffers.push_back({.bytes = 4000, .takes_over = takes_over});
  plan.steps[write].writes.push_back(id);
  for (std::size_t step : reads) plan.steps[step].reads.push_back(id);
  return id;
}

TEST(MemoryPlan, ChainsLieInTheMemoryTheyTakeOver) {
  runtime::Plan plan;
  plan.steps.resize(5);
  const auto a = add_buffer(plan, 0, {1, 2}), inner = add_buffer(plan, 1, {2});
  const auto b = add_buffer(plan, 2, {3, 4}, a), other = add_buffer(plan, 3, {4}), c = add_buffer(plan, 4, {}, b);
  plan_memory(plan);
  EXPECT_EQ(plan.buffers[b].offset, plan.buffers[a].offset);
  EXPECT_EQ(plan.buffers[c].offset, plan.buffers[a].offset);
  for (const auto id : {inner, other}) EXPECT_NE(plan.buffers[id].offset, plan.buffers[a].offset);
  EXPECT_EQ(plan.arena_bytes, 2u * 4032);
}

TEST(MemoryPlan, MemoryStillNeededIsNotTakenOver) {
  const auto apart = [](runtime::Plan& plan) {
    plan_memory(plan);
    return plan.buffers[0].offset != plan.buffers[1].offset;
  };
  runtime::Plan later, twice, smaller, output;
  for (runtime::Plan* plan : {&later, &twice, &smaller, &output}) plan->steps.resize(3);
  add_buffer(later, 1, {}, add_buffer(later, 0, {1, 2}));
  EXPECT_TRUE(apart(later));
  add_buffer(twice, 1, {}, add_buffer(twice, 0, {1, 1}));  // as the input of a product and as what it adds
  EXPECT_TRUE(apart(twice));
  add_buffer(smaller, 1, {2}, add_buffer(smaller, 0, {1}));
  smaller.buffers[1].bytes = 400;
  EXPECT_TRUE(apart(smaller));
  add_buffer(output, 1, {2}, add_buffer(output, 0, {1}));
  output.outputs.push_back(0);
  EXPECT_TRUE(apart(output));
}

}  // namespace
}  // namespace pare
