// Convolutions that run together by lines: the same numbers as one after the other, whatever the shapes and threads,
// and only where nothing else needs what lies between them.
#include "runtime/bands.h"

#include <cstring>

#include "base/cpu.h"
#include "base/threads.h"
#include "kernels/conv/conv.h"
#include "kernels/random.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using kernels::ConvShape;
using runtime::BufferId;
using runtime::Plan;
using test::Builder;

/// A chain of convolutions of small integers, whose sums are exact in any order, as a plan whose steps run by lines.
struct ChainPlan {
  Plan plan;
  std::vector<std::vector<float>> memory;  ///< of each buffer
  std::vector<BufferId> values;            ///< the input, then what each convolution writes

  BufferId add_buffer(const Dims& dims) {
    const std::size_t count = static_cast<std::size_t>(element_count(dims));
    plan.buffers.push_back({.dtype = DType::kFloat32, .dims = dims, .bytes = count * sizeof(float)});
    memory.emplace_back(count);
    return static_cast<BufferId>(memory.size() - 1);
  }

  void add_convolution(const ConvShape& s, BufferId added, Rng& rng) {
    std::vector<float> filter(static_cast<std::size_t>(s.out_c * s.group_in() * s.taps()));
    for (float& w : filter) w = static_cast<float>(rng.below(5)) - 2;
    const BufferId in = values.back(), out = add_buffer({s.batch, s.out_c, s.out_h, s.out_w});
    const auto run = [filter](const ConvShape& part, const void* from, const void* add, void* to, std::byte*) {
      kernels::conv(part, filter.data(), kernels::FilterStrides::oihw(part), nullptr, {static_cast<const float*>(add)},
                    static_cast<const float*>(from), static_cast<float*>(to));
    };
    runtime::Step step;
    step.info.kernel = "conv", step.info.macs = s.macs(), step.info.output = std::to_string(out);
    step.info.nodes = {std::to_string(out)};
    step.reads = {in};
    if (added != runtime::kNoBuffer) step.reads.push_back(added);
    step.writes = {out};
    step.run = [=](const runtime::Frame& frame) {
      run(s, frame.at(in), added == runtime::kNoBuffer ? nullptr : frame.at(added), frame.at(out), nullptr);
    };
    step.by_lines = runtime::ByLines{s, in, added, out, 0, run};
    plan.steps.push_back(std::move(step));
    values.push_back(out);
  }

  /// The last value after a run of all steps; inner ones are overwritten first.
  std::vector<float> run() {
    for (std::size_t i = memory.size(); i < plan.buffers.size(); ++i)
      memory.emplace_back(plan.buffers[i].bytes / sizeof(float) + 1, NAN);
    for (std::size_t i = 1; i < values.size(); ++i) std::fill(at(values[i]).begin(), at(values[i]).end(), NAN);
    runtime::Frame frame(memory.size());
    for (std::size_t i = 0; i < memory.size(); ++i)
      frame.set(static_cast<BufferId>(i), reinterpret_cast<const std::byte*>(memory[i].data()));
    for (const runtime::Step& step : plan.steps) step.run(frame);
    return at(values.back());
  }

  std::vector<float>& at(BufferId id) { return memory[static_cast<std::size_t>(id)]; }
};

/// A convolution over the output of the last one, or nullopt where the random geometry leaves nothing.
std::optional<ConvShape> random_shape(std::int64_t batch, std::int64_t h, std::int64_t w, std::int64_t c, Rng& rng) {
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(rng.below(static_cast<std::size_t>(high - low + 1)));
  };
  ConvShape s;
  s.batch = batch, s.in_h = h, s.in_w = w, s.in_c = c;
  const bool depthwise = c > 1 && rng.below(2) == 0;
  s.out_c = depthwise ? c : pick(1, 5);
  s.groups = depthwise ? c : 1;
  if (depthwise || rng.below(3) == 0) {
    s.kh = pick(1, 5), s.kw = pick(1, 3);
    s.stride_h = pick(1, 3), s.stride_w = pick(1, 2), s.dilation_h = pick(1, 2);
    s.pad_top = pick(0, (s.kh - 1) * s.dilation_h), s.pad_left = pick(0, s.kw - 1);
  }
  const std::int64_t bottom = pick(0, (s.kh - 1) * s.dilation_h), right = pick(0, s.kw - 1);
  const std::int64_t free_h = h + s.pad_top + bottom - (s.kh - 1) * s.dilation_h - 1,
                     free_w = w + s.pad_left + right - s.kw;
  if (free_h < 0 || free_w < 0) return std::nullopt;
  s.out_h = free_h / s.stride_h + 1, s.out_w = free_w / s.stride_w + 1;
  return s;
}

TEST(Bands, SameNumbersForAnyChainAndThreads) {
  int joined = 0;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed, kRngTest);
    const auto batch = static_cast<std::int64_t>(1 + rng.below(3));
    ChainPlan chain;
    Dims dims = {batch, static_cast<std::int64_t>(1 + rng.below(4)), static_cast<std::int64_t>(4 + rng.below(20)),
                 static_cast<std::int64_t>(1 + rng.below(6))};
    chain.values = {chain.add_buffer(dims)};
    for (float& x : chain.memory[0]) x = static_cast<float>(rng.below(3)) - 1;
    const std::size_t length = 2 + rng.below(4);
    for (std::size_t i = 0; i < length; ++i) {
      const auto s = random_shape(batch, dims[2], dims[3], dims[1], rng);
      if (!s) continue;
      dims = {batch, s->out_c, s->out_h, s->out_w};
      BufferId added = runtime::kNoBuffer;
      if (rng.below(3) == 0) {
        added = chain.add_buffer(dims);
        for (float& x : chain.at(added)) x = static_cast<float>(rng.below(9));
      }
      chain.add_convolution(*s, added, rng);
    }
    if (chain.plan.steps.empty()) continue;
    chain.plan.outputs = {chain.values.back()};
    const std::vector<float> expected = chain.run();
    const std::size_t steps = chain.plan.steps.size();
    std::int64_t macs = 0, macs_joined = 0;
    for (const runtime::Step& step : chain.plan.steps) macs += step.info.macs;
    const int threads = static_cast<int>(1 + rng.below(4));
    ThreadScope scope(threads);
    join_bands(chain.plan, threads, 16 + rng.below(600));
    joined += chain.plan.steps.size() < steps;
    for (const runtime::Step& step : chain.plan.steps) macs_joined += step.info.macs;
    ASSERT_EQ(macs, macs_joined);
    const std::vector<float> found = chain.run();
    ASSERT_EQ(0, std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)));
  }
  EXPECT_GT(joined, 500);
}

/// Three 1x1 convolutions of 1 KiB each.
struct PlainChain : ChainPlan {
  PlainChain() {
    Rng rng(1, kRngTest);
    ConvShape s;
    s.in_h = s.out_h = s.in_w = s.out_w = 8, s.in_c = s.out_c = 4;
    values = {add_buffer({1, 4, 8, 8})};
    for (int i = 0; i < 3; ++i) add_convolution(s, runtime::kNoBuffer, rng);
    plan.outputs = {values.back()};
  }
  std::size_t steps_joined(std::size_t bytes = 100) {
    join_bands(plan, 1, bytes);
    return plan.steps.size();
  }
};

TEST(Bands, AreMadeOnlyWhereNothingElseNeedsTheValueBetween) {
  EXPECT_EQ(PlainChain().steps_joined(), 1U);
  PlainChain output, carried, read_again, whole, heavy;
  output.plan.outputs.push_back(output.values[1]);
  EXPECT_EQ(output.steps_joined(), 2U);
  carried.plan.carried.push_back(carried.values[2]);
  EXPECT_EQ(carried.steps_joined(), 2U);
  read_again.plan.steps[2].reads.push_back(read_again.values[1]);
  EXPECT_EQ(read_again.steps_joined(), 2U);
  whole.plan.steps[1].by_lines.reset();
  EXPECT_EQ(whole.steps_joined(), 3U);
  EXPECT_EQ(PlainChain().steps_joined(1024), 3U) << "values that are small stay whole";
  for (runtime::Step& step : heavy.plan.steps) step.info.weight_bytes = 60;
  EXPECT_EQ(heavy.steps_joined(), 3U) << "weights that no cache holds would be read for every band";
}

TEST(Bands, ObservedValuesAreSeenBehindTheirStep) {
  PlainChain chain;
  chain.plan.observed = {{"x", chain.values[0], -1}, {"y", chain.values.back(), 2}};
  join_bands(chain.plan, 1, 100);
  ASSERT_EQ(chain.plan.steps.size(), 1U);
  EXPECT_EQ(chain.plan.observed[0].step, -1);
  EXPECT_EQ(chain.plan.observed[1].step, 0);
}

/// Expansion → clamp → depthwise → clamp → projection (+ x), the values between of `bytes` at least for `element`
/// bytes.
ir::Model inverted_residual(std::int64_t side, std::int64_t stride, bool quantized) {
  Builder b;
  b.model.opsets = {{"", 17}};
  const std::int64_t in = 8, inner = 32;
  const auto weight = [&](const Dims& dims) {
    return quantized ? b.quantized_weight(dims, 0) : b.weight(dims, -0.3F, 0.3F);
  };
  const auto between = [&](ir::ValueId v, float low, float high) {
    v = b.node("Clip", {v, b.constant(Tensor::scalar(low)), b.constant(Tensor::scalar(high))});
    return quantized ? b.qdq(v, (high - low) / 255, 0) : v;
  };
  ir::ValueId x = b.input("x", ir::Shape::of({1, in, side, side}));
  if (quantized) x = b.qdq(x, 0.01F, 128);
  ir::ValueId y = between(b.node("Conv", {x, weight({inner, in, 1, 1})}), 0, 6);
  y = b.node("Conv", {y, weight({inner, 1, 3, 3})},
             {{"group", inner},
              {"pads", std::vector<std::int64_t>{1, 1, 1, 1}},
              {"strides", std::vector<std::int64_t>{stride, stride}}});
  y = b.node("Conv", {between(y, 0, 6), weight({in, inner, 1, 1})});
  if (stride == 1 && !quantized) y = b.node("Add", {y, x});
  return b.finish({quantized ? b.qdq(y, 0.05F, 128) : y});
}

std::int64_t side_for(std::size_t element) {
  std::int64_t side = 16;
  while (static_cast<std::size_t>(side * side * 32) * element <= runtime::band_bytes() * 5) side += 8;
  return side;
}

TEST(Bands, MobileNetworksRunInThem) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "needs AVX2";
  for (std::int64_t stride : {1, 2})
    for (int threads : {1, 3}) {
      const std::int64_t side = side_for(4);
      const ir::Model model = inverted_residual(side, stride, false);
      exec::CompileOptions options;
      options.threads = threads;
      const Dims in = {1, 8, side, side};
      const auto steps = runtime::backend().compile(model, options)->plan({{"x", in}});
      const auto band =
          std::find_if(steps.begin(), steps.end(), [](const exec::PlanStep& s) { return s.kernel == "bands"; });
      ASSERT_NE(band, steps.end());
      EXPECT_NE(band->reason.find("pointwise_f32"), std::string::npos) << band->reason;
      EXPECT_NE(band->reason.find("depthwise_f32"), std::string::npos) << band->reason;
      EXPECT_NE(band->reason.find("lines of the result at a time"), std::string::npos) << band->reason;
      EXPECT_GE(band->nodes.size(), 3U);
      test::expect_like_reference(model, {{"x", test::random_tensor(in, 7)}}, 1e-5);
    }
}

TEST(Bands, IntegersAreTheSameWithAndWithoutThem) {
  if (!isa_available(Isa::kAmx)) GTEST_SKIP() << "needs AMX: elsewhere oneDNN's expansion is whole";
  for (std::int64_t stride : {1, 2}) {
    const std::int64_t side = side_for(1);
    const ir::Model model = inverted_residual(side, stride, true);
    const NamedTensors in = {{"x", test::random_tensor({1, 8, side, side}, 7)}};
    const auto executor = runtime::backend().compile(model, {});
    const auto steps = executor->plan({{"x", {1, 8, side, side}}});
    EXPECT_TRUE(std::any_of(steps.begin(), steps.end(), [](const exec::PlanStep& s) { return s.kernel == "bands"; }));
    exec::CompileOptions observed;  // a tensor of its own for every value: nothing is joined
    for (ir::ValueId id : model.graph.values())
      if (model.graph.producer(id) != ir::kNoNode && !model.graph.is_output(id) &&
          model.graph.node(model.graph.producer(id)).is("QuantizeLinear"))
        observed.observed.push_back(model.graph.value(id).name);
    const auto apart = runtime::backend().compile(model, observed);
    for (const exec::PlanStep& step : apart->plan({{"x", {1, 8, side, side}}})) EXPECT_NE(step.kernel, "bands");
    const NamedTensors together = executor->run(in), alone = apart->run(in);
    for (const auto& [name, tensor] : together)
      EXPECT_EQ(0, std::memcmp(tensor.raw(), alone.at(name).raw(), tensor.bytes())) << name;
  }
}

}  // namespace
}  // namespace pare
