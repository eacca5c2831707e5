// Which kernel runs an integer product: by its zeros, by the few values of weights and inputs, by what a packed file
// holds, by timing.
#include <filesystem>
#include <fstream>

#include "base/cpu.h"
#include "base/hash.h"
#include "kernels/random.h"
#include "runtime/executor.h"
#include "runtime/graphs.h"
#include "runtime/tuner.h"

namespace pare {
namespace {

using ir::Shape;
using ir::ValueId;
using test::Builder;
using Ints = std::vector<std::int64_t>;

/// Weights of s8 behind DequantizeLinear with one scale, from `value(o, i)`, o along axis 0 of a convolution or 1 of a
/// matrix.
template <class Value>
ValueId weight(Builder& b, const Dims& dims, Value value) {
  Tensor q(DType::kInt8, dims);
  const bool conv = dims.size() == 4;
  const std::int64_t inner = conv ? dims[1] * dims[2] * dims[3] : dims[1];
  for (std::int64_t i = 0; i < q.numel(); ++i) {
    const std::int64_t o = conv ? i / inner : i % inner, in = conv ? i % inner / (dims[2] * dims[3]) : i / inner;
    q.mutable_data<std::int8_t>()[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(value(o, in));
  }
  const ValueId scale = b.constant(Tensor::scalar(0.02F), "ws");
  return b.node("DequantizeLinear", {b.constant(q, "wq"), scale}, {}, "w");
}

/// x → Clip [0, 3 · step] → Q → DQ → Conv, or the same with a matrix.
template <class Value>
ir::Model product(const Dims& x, const Dims& w, bool clipped, Value value) {
  Builder b;
  b.model.opsets = {{"", 17}};
  ValueId in = b.input("x", Shape::of(x));
  if (clipped) in = b.node("Clip", {in, b.constant(Tensor::scalar(0.0F), "lo"), b.constant(Tensor::scalar(0.6F), "hi")}, {}, "c");
  in = b.qdq(in, clipped ? 0.2F : 0.01F, clipped ? 0 : 128);
  const ValueId weights = weight(b, w, value);
  if (w.size() == 2) return b.finish({b.node("MatMul", {in, weights}, {}, "y")});
  return b.finish({b.node("Conv", {in, weights}, {{"pads", Ints{1, 1, 1, 1}}}, "y")});
}

/// The product's; a convolution's result is turned into ONNX order after it.
exec::PlanStep step_of(exec::Executor& executor, const Dims& x) {
  for (const exec::PlanStep& step : executor.plan({{"x", x}}))
    if (step.macs > 0) return step;
  return {};
}

/// Without AMX, whose tiles multiply dense weights faster than most that is sparse or of few bits.
class Choice : public ::testing::Test {
  const kernels::test::ScopedEnv no_tiles_{"PARE_FORCE_ISA", std::string(name(std::min(active_isa(), Isa::kAvx512Bf16))).c_str()};
};

TEST_F(Choice, BinaryAndTernaryWeightsOfTwoBitInputsRunByBits) {
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "needs AVX2";
  const Dims x = {1, 64, 12, 12}, w = {48, 64, 3, 3};
  Rng rng(3, kRngTest);
  const auto binary = [&](std::int64_t, std::int64_t) { return rng.below(2) ? 1 : -1; };
  const auto ternary = [&](std::int64_t, std::int64_t) { return static_cast<int>(rng.below(3)) - 1; };
  const ir::Model of_bits = product(x, w, true, binary);
  test::expect_like_reference(of_bits, {{"x", test::random_tensor(x, 9)}}, 2e-5);
  const exec::PlanStep step = step_of(*runtime::backend().compile(of_bits, {}), x);
  EXPECT_TRUE(step.kernel.starts_with("bitconv")) << step.kernel << " " << step.reason;
  EXPECT_TRUE(step.reason.starts_with("binary weights, 2-bit inputs")) << step.reason;
  test::expect_like_reference(product(x, w, true, ternary), {{"x", test::random_tensor(x, 9)}}, 2e-5);
  // Inputs of eight bits are no bits.
  const ir::Model wide = product(x, w, false, binary);
  EXPECT_FALSE(step_of(*runtime::backend().compile(wide, {}), x).kernel.starts_with("bitconv"));
}

TEST_F(Choice, FewRowsReadWeightsOfFewBits) {
  if (!isa_available(Isa::kAvx512Vnni)) GTEST_SKIP() << "dense products are estimated to be faster without VNNI";
  const std::int64_t k = 2048, n = 2 * std::max<std::int64_t>(cpu_info().l2, 1 << 19) / k;
  Rng rng(3, kRngTest);
  const auto few = [&](std::int64_t, std::int64_t) { return static_cast<int>(rng.below(3)) - 1; };
  for (const std::int64_t m : {1, 3}) {
    const ir::Model model = product({m, k}, {k, n}, false, few);
    const exec::PlanStep step = step_of(*runtime::backend().compile(model, {}), {m, k});
    EXPECT_TRUE(step.kernel.starts_with("qbits")) << step.kernel << " " << step.reason;
    exec::CompileOptions as_written;
    as_written.float_qdq = true;
    const NamedTensors in = {{"x", test::random_tensor({m, k}, 9)}};
    EXPECT_LE(test::max_difference(test::run(model, in).at("y"), test::run(model, in, as_written).at("y")), 1e-3);
  }
}

int eighth(std::int64_t o, std::int64_t i) { return (i * 37 + o * 11) % 64 < 8 ? static_cast<int>((o + i) % 100) + 1 : 0; }

/// Packed weights by key, as a file would hold them.
class Held final : public exec::PackedWeights {
 public:
  explicit Held(std::vector<exec::PackedBlob> blobs) : blobs_(std::move(blobs)) {}
  std::optional<exec::PackedView> find(const Tensor& source, std::uint64_t key) const override {
    for (const exec::PackedBlob& blob : blobs_)
      if (blob.source.raw() == source.raw() && blob.key_hash == key) {
        ++found_;
        auto copy = std::make_shared<const Tensor>(Tensor::from<std::uint8_t>(
            {static_cast<std::int64_t>(blob.bytes.size())}, std::vector<std::uint8_t>(blob.bytes.begin(), blob.bytes.end())));
        return exec::PackedView{std::span(copy->raw(), copy->bytes()), copy};
      }
    ++missed_;
    return std::nullopt;
  }
  mutable int found_ = 0, missed_ = 0;

 private:
  std::vector<exec::PackedBlob> blobs_;
};

TEST_F(Choice, SparseWeightsAreFoundPacked) {
  if (!isa_available(Isa::kAvx512VnniVbmi)) GTEST_SKIP() << "dense products are estimated to be faster without VBMI";
  const Dims x = {1, 128, 14, 14};
  const ir::Model model = product(x, {128, 128, 3, 3}, false, eighth);
  const auto first = runtime::backend().compile(model, {});
  const exec::PlanStep step = step_of(*first, x);
  EXPECT_TRUE(step.kernel.starts_with("spconv")) << step.kernel << " " << step.reason;
  EXPECT_NE(step.reason.find("87.5 % zeros (8:64)"), std::string::npos) << step.reason;
  const auto held = std::make_shared<const Held>(first->packed_weights());
  exec::CompileOptions options;
  options.packed = held;
  const auto second = runtime::backend().compile(model, options);
  EXPECT_EQ(step_of(*second, x).kernel, step.kernel);
  EXPECT_EQ(step_of(*second, x).reason, step.reason);
  EXPECT_EQ(held->found_, 2);  // the weights, and what a look at them found
  EXPECT_EQ(held->missed_, 0);
  const NamedTensors in = {{"x", test::random_tensor(x, 9)}};
  EXPECT_TRUE(first->run(in).at("y").identical(second->run(in).at("y")));
}

/// Without padding, where a zero point is folded into the bias.
TEST(Library, WhatItReadsOfDenseWeightsIsFoundPacked) {
  if (!isa_available(Isa::kAvx512Vnni)) GTEST_SKIP() << "oneDNN's products are not used without VNNI";
  const Dims x = {1, 64, 56, 56};
  Builder b;
  b.model.opsets = {{"", 17}};
  const ValueId in = b.qdq(b.input("x", Shape::of(x)), 0.01F, 128);
  const ValueId w = weight(b, {64, 64, 1, 1}, [](std::int64_t o, std::int64_t i) { return (o * 7 + i) % 50 - 20; });
  const ir::Model model = b.finish({b.node("Conv", {in, w}, {}, "y")});
  const auto first = runtime::backend().compile(model, {});
  const std::string kernel = step_of(*first, x).kernel;
  if (kernel != "qconv__onednn") GTEST_SKIP() << kernel << " is estimated to be faster";
  const auto held = std::make_shared<const Held>(first->packed_weights());
  exec::CompileOptions options;
  options.packed = held;
  const auto second = runtime::backend().compile(model, options);
  const NamedTensors given = {{"x", test::random_tensor(x, 9)}};
  EXPECT_TRUE(first->run(given).at("y").identical(second->run(given).at("y")));
  EXPECT_EQ(held->found_, 3);  // the weights, a look at them, and the bias that holds their sums
  EXPECT_EQ(held->missed_, 0);
}

TEST(Depthwise, WhatItReadsOfIntegerWeightsIsFoundPacked) {
  const Dims x = {1, 48, 14, 14};
  Builder b;
  b.model.opsets = {{"", 17}};
  const ValueId in = b.qdq(b.input("x", Shape::of(x)), 0.01F, 128);
  const ValueId w = weight(b, {48, 1, 3, 3}, [](std::int64_t o, std::int64_t) { return o * 7 % 50 - 20; });
  const ir::Model model = b.finish({b.node("Conv", {in, w}, {{"group", std::int64_t{48}}}, "y")});
  const auto first = runtime::backend().compile(model, {});
  ASSERT_TRUE(step_of(*first, x).kernel.starts_with("qdepthwise")) << step_of(*first, x).kernel;
  const auto held = std::make_shared<const Held>(first->packed_weights());
  exec::CompileOptions options;
  options.packed = held;
  const auto second = runtime::backend().compile(model, options);
  const NamedTensors given = {{"x", test::random_tensor(x, 9)}};
  EXPECT_TRUE(first->run(given).at("y").identical(second->run(given).at("y")));
  EXPECT_EQ(held->found_, 1);
  EXPECT_EQ(held->missed_, 0);
}

class Tuning : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("pare_tuning_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
  const kernels::test::ScopedEnv no_tiles_{"PARE_FORCE_ISA", std::string(name(std::min(active_isa(), Isa::kAvx512Bf16))).c_str()};
};

runtime::Tuner::Race race(std::size_t runs) { return {[] {}, std::vector<runtime::Tuner::Run>(runs, [] {})}; }

TEST_F(Tuning, WhatWasMeasuredIsKept) {
  int asked = 0;
  const auto make = [&] {
    ++asked;
    return race(2);
  };
  std::vector<double> times;
  {
    runtime::Tuner tuner(folder_);
    times = tuner.microseconds("a task, of 3x3", {"one", "two"}, make);
    EXPECT_EQ(tuner.microseconds("a task, of 3x3", {"two", "one"}, make), (std::vector<double>{times[1], times[0]}));
    EXPECT_EQ(asked, 1);
    tuner.save();
  }
  runtime::Tuner again(folder_);
  const std::vector<double> kept = again.microseconds("a task, of 3x3", {"one", "two"}, make);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(kept[i], times[i], 1e-5);
  EXPECT_EQ(asked, 1);
  again.microseconds("a task, of 3x3", {"one", "three"}, make);  // not all are known
  EXPECT_EQ(asked, 2);
}

TEST_F(Tuning, ADamagedFileIsMeasuredAgain) {
  runtime::Tuner(folder_).microseconds("t", {"one"}, [] { return race(1); });
  {
    runtime::Tuner tuner(folder_);
    tuner.microseconds("t", {"one"}, [] { return race(1); });
    tuner.save();
  }
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    std::string text;
    std::getline(std::ifstream(file.path()), text);
    std::ofstream(file.path()) << text << "\nt\tone=nonsense\n\t\t\nt\tone";
  }
  int asked = 0;
  runtime::Tuner(folder_).microseconds("t", {"one"}, [&] {
    ++asked;
    return race(1);
  });
  EXPECT_EQ(asked, 1);
}

TEST_F(Tuning, AFolderThatCannotBeWrittenIsNoError) {
  std::ofstream(folder_) << "a file";
  runtime::Tuner tuner(folder_);
  tuner.microseconds("t", {"one"}, [] { return race(1); });
  EXPECT_NO_THROW(tuner.save());
}

TEST_F(Tuning, APlanSaysWhatWasMeasured) {
  if (!isa_available(Isa::kAvx512Vnni)) GTEST_SKIP() << "one candidate alone without VNNI";
  const Dims x = {1, 128, 14, 14};
  // 24:64: near enough to dense that the estimate does not settle it.
  const auto some = [](std::int64_t o, std::int64_t i) { return (i * 37 + o * 11) % 64 < 24 ? static_cast<int>((o + i) % 100) + 1 : 0; };
  const ir::Model model = product(x, {128, 128, 3, 3}, false, some);
  const auto tuner = std::make_shared<runtime::Tuner>(folder_);
  runtime::CpuExecutor executor(model, {}, tuner);
  const std::string reason = step_of(executor, x).reason;
  EXPECT_NE(reason.find("measured "), std::string::npos) << reason;
  EXPECT_NE(reason.find(" µs against "), std::string::npos) << reason;
  EXPECT_FALSE(std::filesystem::is_empty(folder_));
  runtime::CpuExecutor again(model, {}, std::make_shared<runtime::Tuner>(folder_));
  EXPECT_EQ(step_of(again, x).reason, reason);
  const NamedTensors in = {{"x", test::random_tensor(x, 9)}};
  EXPECT_LE(test::max_difference(executor.run(in).at("y"), test::run(model, in).at("y")), 1e-4);
}

}  // namespace
}  // namespace pare
