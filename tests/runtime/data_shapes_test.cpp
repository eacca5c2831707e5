// Shapes that depend on data: what is planned, what is left until the data is there, and that all of it runs.
#include <thread>

#include "pare/error.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using ir::Shape;
using ir::ValueId;
using test::Builder;
using Ints = std::vector<std::int64_t>;

Tensor ints(const Ints& values) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

std::vector<ValueId> add_many(Builder& b, const std::string& type, std::vector<ValueId> inputs,
                              const std::vector<std::string>& outputs,
                              const std::vector<std::pair<std::string, ir::AttributeValue>>& attributes = {}) {
  ir::Node node;
  node.op_type = type;
  node.inputs = std::move(inputs);
  for (const std::string& name : outputs)
    node.outputs.push_back(name.empty() ? ir::kNoValue : b.model.graph.add_value(name));
  for (const auto& [name, value] : attributes) node.set(name, value);
  std::vector<ValueId> made = node.outputs;
  b.model.graph.add_node(node);
  return made;
}

/// Rows of a hidden layer whose first element is positive, through a second layer: gather by NonZero.
Builder selecting() {
  Builder b;
  const ValueId x = b.input("x", Shape::of({8, 6}));
  const ValueId hidden = b.node("Relu", {b.node("MatMul", {x, b.weight({6, 10})})}, {}, "hidden");
  const ValueId first = b.node("Gather", {x, b.constant(Tensor::scalar<std::int64_t>(0))}, {{"axis", std::int64_t{1}}});
  const ValueId positive = b.node("Greater", {first, b.constant(Tensor::scalar(0.0F))});
  const ValueId rows = b.node("Squeeze", {b.node("NonZero", {positive}), b.constant(ints({0}))}, {}, "rows");
  const ValueId chosen = b.node("Gather", {hidden, rows}, {{"axis", std::int64_t{0}}}, "chosen");
  b.finish({b.node("MatMul", {chosen, b.weight({10, 4})}, {}, "y"), hidden, rows});
  return b;
}

TEST(DataShapes, WhatFollowsNonZeroRunsOnKernels) {
  const Builder b = selecting();
  const auto executor = runtime::backend().compile(b.model, {});
  std::set<std::int64_t> sizes;
  for (std::uint64_t seed = 1; seed < 6; ++seed) {
    const NamedTensors inputs = {{"x", test::random_tensor({8, 6}, seed)}};
    test::expect_like_reference(b.model, inputs);
    sizes.insert(executor->run(inputs).at("y").dim(0));
  }
  EXPECT_GT(sizes.size(), 1u);
  const auto kernels = test::kernels_of(*executor, {{"x", {8, 6}}});
  EXPECT_EQ(std::ranges::count(kernels, "inner_product_f32__onednn"), 2);
  EXPECT_EQ(std::ranges::count(kernels, "reference"), 1);
}

TEST(DataShapes, NothingChosenIsNothing) {
  const Builder b = selecting();
  test::expect_like_reference(b.model, {{"x", test::random_tensor({8, 6}, 1, -2, -1)}});
}

TEST(DataShapes, ValuesAfterTheCutAreObserved) {
  const Builder b = selecting();
  exec::CompileOptions options;
  options.observed = {"hidden", "chosen", "rows"};
  std::map<std::string, Dims> seen;
  const NamedTensors inputs = {{"x", test::random_tensor({8, 6}, 2)}};
  const auto executor = runtime::backend().compile(b.model, options);
  const NamedTensors outputs =
      executor->observe(inputs, [&](const std::string& name, const Tensor& t) { seen[name] = t.dims(); });
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen["rows"], outputs.at("rows").dims());
  EXPECT_EQ(seen["chosen"], (Dims{outputs.at("rows").dim(0), 10}));
}

TEST(DataShapes, PlansAreListedAndTimedBeforeAndAfterARun) {
  const Builder b = selecting();
  const auto executor = runtime::backend().compile(b.model, {});
  const NamedTensors inputs = {{"x", test::random_tensor({8, 6}, 2)}};
  const auto before = test::kernels_of(*executor, {{"x", {8, 6}}});
  EXPECT_TRUE(std::ranges::find(before, "planned when run") != before.end());
  const auto times = executor->profile(inputs, 2);
  const auto after = test::kernels_of(*executor, {{"x", {8, 6}}});
  EXPECT_EQ(times.size(), after.size());
  EXPECT_TRUE(std::ranges::find(after, "planned when run") == after.end());
}

TEST(DataShapes, SeveralThreadsRunDifferentSizes) {
  const Builder b = selecting();
  const auto executor = runtime::backend().compile(b.model, {});
  std::vector<std::thread> threads;
  std::vector<double> worst(4);
  for (std::uint64_t i = 0; i < worst.size(); ++i)
    threads.emplace_back([&, i] {
      for (std::uint64_t round = 0; round < 5; ++round) {
        const NamedTensors inputs = {{"x", test::random_tensor({8, 6}, 10 * i + round)}};
        const Tensor got = executor->run(inputs).at("y"), want = ir::evaluate(b.model, inputs).at("y");
        worst[i] = got.dims() == want.dims() ? std::max(worst[i], test::max_difference(got, want)) : 1e30;
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (double difference : worst) EXPECT_LT(difference, 1e-5);
}

/// One operator with parameters that are inputs of the model; a Relu and a product after it.
void expect_parameters(const std::string& type, const Dims& in, const std::vector<Tensor>& parameters,
                       const std::vector<std::pair<std::string, ir::AttributeValue>>& attributes = {},
                       std::int64_t opset = 17) {
  SCOPED_TRACE(type);
  Builder b;
  b.model.opsets[""] = opset;
  std::vector<ValueId> inputs = {b.input("x", Shape::of(in))};
  NamedTensors feeds = {{"x", test::random_tensor(in, 5)}};
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].defined()) {
      inputs.push_back(ir::kNoValue);
      continue;
    }
    const std::string name = "p" + std::to_string(i);
    inputs.push_back(b.input(name, Shape::of(parameters[i].dims()), parameters[i].dtype()));
    feeds[name] = parameters[i];
  }
  const ValueId y = b.node(type, inputs, attributes, "y");
  b.finish({b.node("Relu", {y}), b.node("Add", {y, y})});
  test::expect_like_reference(b.model, feeds);
}

TEST(DataShapes, ParametersGivenAtRunTime) {
  expect_parameters("Reshape", {4, 6}, {ints({3, -1})});
  expect_parameters("Expand", {4, 1}, {ints({2, 4, 3})});
  expect_parameters("Tile", {4, 3}, {ints({2, 3})});
  expect_parameters("Slice", {7, 6}, {ints({1, 5}), ints({6, -7}), ints({0, 1}), ints({2, -1})});
  expect_parameters("Pad", {3, 4}, {ints({1, 0, 0, 2})});
  expect_parameters("Resize", {1, 2, 5, 4}, {{}, Tensor::from<float>({4}, {1, 1, 2, 1.5F})},
                    {{"mode", std::string("linear")}});
  expect_parameters("Resize", {1, 2, 5, 4}, {{}, {}, ints({1, 2, 3, 8})});
}

TEST(DataShapes, RangesTopKUniqueAndCompress) {
  Builder b;
  const ValueId x = b.input("x", Shape::of({3, 9})), n = b.input("n", Shape::of({1}), DType::kInt64);
  const auto best = add_many(b, "TopK", {x, n}, {"values", "indices"});
  const ValueId scalar = b.node("Squeeze", {n});
  const ValueId counted = b.node(
      "Range", {b.constant(Tensor::scalar<std::int64_t>(0)), scalar, b.constant(Tensor::scalar<std::int64_t>(1))});
  const ValueId weights = b.node("Cast", {counted}, {{"to", std::int64_t{1}}});
  const ValueId weighted = b.node("Mul", {best[0], weights}, {}, "weighted");
  const auto distinct = add_many(b, "Unique", {b.node("Round", {weighted})}, {"distinct", "", "", "counts"});
  const ValueId kept = b.node("Compress", {weighted, b.node("Greater", {weights, b.constant(Tensor::scalar(0.5F))})},
                              {{"axis", std::int64_t{1}}}, "kept");
  b.finish({weighted, distinct[0], distinct[3], kept});
  for (std::int64_t k : {4, 9, 1})
    test::expect_like_reference(b.model, {{"x", test::random_tensor({3, 9}, 6)}, {"n", ints({k})}});
}

TEST(DataShapes, ADetectorsTailRuns) {
  Builder b;
  const ValueId corner = b.input("corner", Shape::of({1, 20, 2})), size = b.input("size", Shape::of({1, 20, 2}));
  const ValueId scores = b.input("scores", Shape::of({1, 3, 20}));
  const ValueId boxes = b.node("Concat", {corner, b.node("Add", {corner, size})}, {{"axis", std::int64_t{2}}});
  const ValueId chosen = b.node("NonMaxSuppression",
                                {boxes, scores, b.constant(ints({5})), b.constant(Tensor::from<float>({1}, {0.3F})),
                                 b.constant(Tensor::from<float>({1}, {0.4F}))},
                                {}, "chosen");
  const ValueId which = b.node("Gather", {chosen, b.constant(ints({2}))}, {{"axis", std::int64_t{1}}});
  const ValueId flat = b.node("Squeeze", {which, b.constant(ints({1}))});
  const ValueId picked = b.node("Gather", {boxes, flat}, {{"axis", std::int64_t{1}}}, "picked");
  b.finish({picked, chosen});
  for (std::uint64_t seed : {1, 2, 3})
    test::expect_like_reference(b.model, {{"corner", test::random_tensor({1, 20, 2}, seed)},
                                          {"size", test::random_tensor({1, 20, 2}, seed + 10, 0.1F, 1)},
                                          {"scores", test::random_tensor({1, 3, 20}, seed + 20, 0, 1)}});
}

TEST(DataShapes, IntegerProductsStayIntegerBehindTheCut) {
  Builder b;
  const ValueId x = b.input("x", Shape::of({6, 16})), to = b.input("to", Shape::of({2}), DType::kInt64);
  const ValueId q = b.qdq(b.node("Reshape", {x, to}), 0.02F, 128);
  b.finish({b.qdq(b.node("MatMul", {q, b.quantized_weight({16, 5}, 1)}), 0.05F, 120)});
  const auto executor = runtime::backend().compile(b.model, {});
  const NamedTensors inputs = {{"x", test::random_tensor({6, 16}, 3)}, {"to", ints({-1, 16})}};
  EXPECT_LE(test::max_difference(executor->run(inputs).begin()->second, ir::evaluate(b.model, inputs).begin()->second),
            0.051);
  const auto kernels = test::kernels_of(*executor, {{"x", {6, 16}}, {"to", {2}}});
  EXPECT_TRUE(std::ranges::any_of(kernels, [](const std::string& k) { return k.starts_with("qconv"); }));
}

/// The error of running a model whose shape parameter is `parameters`.
ErrorCode error_of(const std::string& type, const Dims& in, const Tensor& parameters,
                   exec::CompileOptions options = {}) {
  Builder b;
  const ValueId x = b.input("x", Shape::of(in)), p = b.input("p", Shape::of(parameters.dims()), parameters.dtype());
  b.finish({b.node("Relu", {b.node(type, {x, p})})});
  try {
    test::run(b.model, {{"x", test::random_tensor(in, 5)}, {"p", parameters}}, options);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << type << " took " << to_string(parameters.dims());
  return ErrorCode::kInternal;
}

TEST(DataShapes, BombsAndNonsenseAreErrors) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  EXPECT_EQ(error_of("Expand", {1, 1}, ints({kHuge, 2})), ErrorCode::kMemory);
  EXPECT_EQ(error_of("Tile", {4, 4}, ints({kHuge, 1})), ErrorCode::kMemory);
  EXPECT_EQ(error_of("Pad", {2, 2}, ints({kHuge, 0, 0, 0})), ErrorCode::kMemory);
  EXPECT_EQ(error_of("Expand", {1, 1}, ints({kHuge, kHuge, kHuge})), ErrorCode::kMemory);
  EXPECT_EQ(error_of("Tile", {4, 4}, ints({-1, 1})), ErrorCode::kBadInput);
  EXPECT_EQ(error_of("Reshape", {4, 6}, ints({5, 5})), ErrorCode::kBadInput);
  EXPECT_EQ(error_of("Gather", {4, 6}, ints({3, 4})), ErrorCode::kBadInput);
  exec::CompileOptions small;
  small.max_memory = 1 << 20;
  EXPECT_EQ(error_of("Expand", {1, 1}, ints({1 << 10, 1 << 10}), small), ErrorCode::kMemory);
}

}  // namespace
}  // namespace pare
