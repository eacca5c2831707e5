// QDQ graphs: integer execution against the graph run as written.
#include "base/cpu.h"
#include "kernels/random.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using test::Builder;
using Ints = std::vector<std::int64_t>;

/// Runs the model both ways; a difference is at most one step of the last quantization. Returns the kernels used.
std::vector<std::string> expect_within_one_step(const ir::Model& model, const Dims& in, float step) {
  const NamedTensors inputs = {{"x", test::random_tensor(in, 11)}};
  exec::CompileOptions as_written;
  as_written.float_qdq = true;
  const NamedTensors got = test::run(model, inputs), want = test::run(model, inputs, as_written);
  for (const auto& [name, tensor] : want) EXPECT_LE(test::max_difference(got.at(name), tensor), step * 1.001) << name;
  double spread = 0;
  for (const auto& [name, tensor] : want)
    for (float x : tensor.data<float>()) spread = std::max(spread, static_cast<double>(std::abs(x)));
  EXPECT_GT(spread, 10 * step) << "the test is vacuous: the outputs are all but constant";
  return test::kernels_of(*runtime::backend().compile(model, {}), {{"x", in}});
}

bool uses(const std::vector<std::string>& kernels, const std::string& part) {
  return std::any_of(kernels.begin(), kernels.end(),
                     [&](const std::string& k) { return k.find(part) != std::string::npos; });
}

/// On the best instruction set (oneDNN's products, where it has VNNI) and on our own kernels.
class IntegerOn : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (*GetParam()) force_.emplace("PARE_FORCE_ISA", GetParam());
  }
  /// AMX tiles multiply dense weights faster than most that is sparse.
  void without_tiles() { force_.emplace("PARE_FORCE_ISA", std::string(name(std::min(active_isa(), Isa::kAvx512Bf16))).c_str()); }
  std::optional<kernels::test::ScopedEnv> force_;
};
INSTANTIATE_TEST_SUITE_P(Isa, IntegerOn, ::testing::Values("", "avx2"),
                         [](const auto& info) { return *info.param ? std::string(info.param) : "best"; });

TEST_P(IntegerOn, ConvolutionWithActivationAndResidual) {
  for (DType type : {DType::kUint8, DType::kInt8})
    for (std::int64_t groups : {1, 8})
      for (bool residual : {false, true}) {
        Builder b;
        const int zero = type == DType::kUint8 ? 120 : -7;
        const ir::ValueId x =
            b.qdq(b.input("x", ir::Shape({ir::Dim(2), ir::Dim(8), ir::Dim(7), ir::Dim(6)})), 1 / 120.0f, zero, type);
        ir::ValueId y = b.node("Conv", {x, b.quantized_weight({8, 8 / groups, 3, 3}, 0), b.weight({8})},
                               {{"group", groups}, {"pads", Ints{1, 1, 1, 1}}});
        if (residual) y = b.node("Add", {y, x});
        y = b.node("Relu", {y});
        const ir::Model& model = b.finish({b.qdq(y, 0.03f, type == DType::kUint8 ? 0 : -128, type)});
        SCOPED_TRACE(std::to_string(groups) + (residual ? " residual " : " ") + std::string(name(type)));
        const auto kernels = expect_within_one_step(model, {2, 8, 7, 6}, 0.03f);
        EXPECT_TRUE(uses(kernels, groups == 1 ? "qconv" : "qdepthwise"));
        EXPECT_FALSE(uses(kernels, "f32"));
      }
}

/// Conv → Q → DQ → Add → [Relu →] Q: the rounding in between stays.
TEST_P(IntegerOn, AdditionBehindAQuantizedProduct) {
  for (bool relu : {false, true})
    for (bool first : {false, true})
      for (std::int64_t channels : {8, 64}) {
        SCOPED_TRACE(std::to_string(channels) + (relu ? " relu" : "") + (first ? " first" : ""));
        Builder b;
        const ir::ValueId in = b.input("x", ir::Shape({ir::Dim(2), ir::Dim(channels), ir::Dim(7), ir::Dim(6)}));
        const ir::ValueId x = b.qdq(in, 1 / 120.0f, 120);
        const ir::ValueId y = b.qdq(
            b.node("Conv", {x, b.quantized_weight({channels, channels, 1, 1}, 0), b.weight({channels})}), 0.05f, 117);
        ir::ValueId sum = first ? b.node("Add", {x, y}) : b.node("Add", {y, x});
        if (relu) sum = b.node("Relu", {sum});
        const ir::Model& model = b.finish({b.qdq(sum, 0.04f, relu ? 0 : 130)});
        const auto kernels = expect_within_one_step(model, {2, channels, 7, 6}, 0.04f);
        EXPECT_FALSE(uses(kernels, "f32"));
        EXPECT_FALSE(uses(kernels, "binary_8bit"));
      }
}

/// MatMul → Q → DQ → Add of a quantized constant → Q, as exporters leave a bias; also of a Conv.
TEST_P(IntegerOn, QuantizedBiasBehindAQuantizedProduct) {
  for (bool conv : {false, true})
    for (bool first : {false, true}) {
      SCOPED_TRACE(std::string(conv ? "conv" : "matmul") + (first ? " first" : ""));
      constexpr std::int64_t kInputs = 48, kOutputs = 70;
      Builder b;
      const Dims dims = conv ? Dims{2, kInputs, 7, 6} : Dims{2, 5, kInputs};
      const ir::ValueId in = b.input("x", ir::Shape::of(dims));
      const ir::ValueId x = b.qdq(in, 1 / 120.0f, 120);
      const ir::ValueId product = conv ? b.node("Conv", {x, b.quantized_weight({kOutputs, kInputs, 1, 1}, 0)})
                                       : b.node("MatMul", {x, b.quantized_weight({kInputs, kOutputs}, 1)});
      const ir::ValueId y = b.qdq(product, 0.05f, 117);
      const ir::ValueId bias = b.qdq(b.weight(conv ? Dims{1, kOutputs, 1, 1} : Dims{kOutputs}), 0.01f, 100);
      const ir::Model& model = b.finish({b.qdq(first ? b.node("Add", {bias, y}) : b.node("Add", {y, bias}), 0.04f, 130)});
      const auto kernels = expect_within_one_step(model, dims, 0.04f);
      EXPECT_FALSE(uses(kernels, "f32"));
      EXPECT_EQ(uses(kernels, "binary_8bit"), !isa_available(Isa::kAmx));
    }
}

/// 4 of each 64 input channels, behind DequantizeLinear.
ir::ValueId few_weights(Builder& b, const Dims& dims) {
  Tensor weight(DType::kInt8, dims);
  const std::int64_t taps = dims[2] * dims[3];
  std::int64_t i = 0;
  for (std::int8_t& w : weight.mutable_data<std::int8_t>()) {
    w = static_cast<std::int8_t>(i / taps % dims[1] * 29 % 64 < 4 ? i * 37 % 253 - 126 : 0);
    ++i;
  }
  const ir::ValueId scales = b.constant(test::random_tensor({dims[0]}, 3, 0.002f, 0.01f), "scale");
  return b.node("DequantizeLinear",
                {b.constant(weight, "wq"), scales, b.constant(Tensor(DType::kInt8, {dims[0]}), "zero")},
                {{"axis", std::int64_t{0}}});
}

/// The first layer of an image network.
TEST_P(IntegerOn, FewInputChannels) {
  without_tiles();
  for (DType type : {DType::kUint8, DType::kInt8}) {
    Builder b;
    const ir::ValueId x = b.qdq(b.input("x", ir::Shape({ir::Dim(2), ir::Dim(3), ir::Dim(40), ir::Dim(36)})), 1 / 120.0f,
                                type == DType::kUint8 ? 120 : -7, type);
    ir::ValueId y = b.node("Conv", {x, b.quantized_weight({64, 3, 7, 7}, 0), b.weight({64})},
                           {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}});
    const ir::Model& model = b.finish({b.qdq(b.node("Relu", {y}), 0.05f, 0)});
    const auto kernels = expect_within_one_step(model, {2, 3, 40, 36}, 0.05f);
    EXPECT_TRUE(uses(kernels, isa_available(Isa::kAvx512VnniVbmi) ? "qlines__" : "qconv__"));
  }
}

/// Few weights in each group of 64: the gathering kernel where the CPU has it, the same integers everywhere.
TEST_P(IntegerOn, SparseWeights) {
  without_tiles();
  Builder b;
  const ir::ValueId in = b.input("x", ir::Shape({ir::Dim(1), ir::Dim(256), ir::Dim(7), ir::Dim(7)}));
  const ir::ValueId x = b.qdq(in, 1 / 120.0f, 120);
  const ir::ValueId dense = few_weights(b, {128, 256, 3, 3});
  const ir::ValueId y = b.node("Relu", {b.node("Conv", {x, dense, b.weight({128})}, {{"pads", Ints{1, 1, 1, 1}}})});
  const ir::Model& model = b.finish({b.qdq(y, 0.03f, 0)});
  const auto kernels = expect_within_one_step(model, {1, 256, 7, 7}, 0.03f);
  EXPECT_TRUE(uses(kernels, isa_available(Isa::kAvx512VnniVbmi) ? "spconv__" : "spconv_1x4"));
}

/// The sum of a sparse product is rounded, added to and rounded again in one step.
TEST_P(IntegerOn, SparseWeightsWithAnAddition) {
  without_tiles();
  for (bool relu : {false, true}) {
    Builder b;
    const ir::ValueId in = b.input("x", ir::Shape({ir::Dim(1), ir::Dim(256), ir::Dim(7), ir::Dim(7)}));
    const ir::ValueId x = b.qdq(in, 1 / 120.0f, 120);
    const ir::ValueId y = b.qdq(b.node("Conv", {x, few_weights(b, {256, 256, 1, 1}), b.weight({256})}), 0.03f, 117);
    ir::ValueId sum = b.node("Add", {x, y});
    if (relu) sum = b.node("Relu", {sum});
    const ir::Model& model = b.finish({b.qdq(sum, 0.04f, relu ? 0 : 130)});
    const auto kernels = expect_within_one_step(model, {1, 256, 7, 7}, 0.04f);
    EXPECT_TRUE(uses(kernels, "spconv"));
    EXPECT_FALSE(uses(kernels, "binary_8bit"));
  }
}

TEST_P(IntegerOn, ProductsWithAndWithoutQuantizedOutput) {
  for (bool quantized : {false, true}) {
    Builder b;
    const ir::ValueId x = b.qdq(b.input("x", ir::Shape({ir::Dim(3), ir::Dim(40)})), 1 / 120.0f, 120);
    ir::ValueId y = b.node("Gemm", {x, b.quantized_weight({9, 40}, 0), b.weight({9})}, {{"transB", std::int64_t{1}}});
    if (quantized) y = b.qdq(y, 0.01f, 128);
    EXPECT_TRUE(uses(expect_within_one_step(b.finish({y}), {3, 40}, quantized ? 0.01f : 1e-4f), "qconv"));
  }
  Builder b;
  const ir::ValueId x = b.qdq(b.input("x", ir::Shape({ir::Dim(2), ir::Dim(3), ir::Dim(40)})), 1 / 120.0f, 120);
  const ir::ValueId y = b.node("Add", {b.node("MatMul", {x, b.quantized_weight({40, 5}, 1)}), b.weight({5})});
  EXPECT_TRUE(uses(expect_within_one_step(b.finish({b.qdq(y, 0.01f, 128)}), {2, 3, 40}, 0.01f), "qconv"));
}

TEST(Integer, PoolsAddsTablesAndMovesStayOn8Bits) {
  Builder b;
  const ir::ValueId x =
      b.qdq(b.input("x", ir::Shape({ir::Dim(2), ir::Dim(4), ir::Dim(8), ir::Dim(8)})), 1 / 120.0f, 120);
  const ir::ValueId pooled =
      b.qdq(b.node("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}), 1 / 120.0f, 120);
  const ir::ValueId mean =
      b.qdq(b.node("AveragePool", {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}), 1 / 200.0f, 110);
  const ir::ValueId added = b.qdq(b.node("Add", {pooled, mean}), 1 / 100.0f, 100);
  const ir::ValueId soft = b.qdq(b.node("Sigmoid", {added}), 1 / 255.0f, 0);
  const ir::ValueId joined = b.qdq(b.node("Concat", {soft, pooled}, {{"axis", std::int64_t{1}}}), 1 / 110.0f, 100);
  const ir::ValueId flat = b.node("Flatten", {b.qdq(b.node("GlobalAveragePool", {joined}), 1 / 300.0f, 20)});
  const auto kernels = expect_within_one_step(b.finish({flat}), {2, 4, 8, 8}, 1 / 100.0f);
  for (const char* part : {"max_pool_8bit", "average_pool_8bit", "binary_8bit", "table_8bit", "concat",
                           "global_average_pool_8bit", "requantize"})
    EXPECT_TRUE(uses(kernels, part)) << part;
  EXPECT_FALSE(uses(kernels, "f32"));
}

TEST(Integer, AFloatActivationIsQuantizedInOneStep) {
  Builder b;
  const ir::ValueId x = b.qdq(b.input("x", ir::Shape({ir::Dim(9), ir::Dim(32)})), 1 / 120.0f, 120);
  const ir::ValueId product = b.node("MatMul", {x, b.quantized_weight({32, 48}, 1)});
  const ir::Model& model = b.finish({b.qdq(b.node("Softsign", {product}), 1 / 127.0f, 128)});
  const auto kernels = expect_within_one_step(model, {9, 32}, 1 / 127.0f);
  EXPECT_TRUE(uses(kernels, "unary_to_8bit"));
  EXPECT_FALSE(uses(kernels, "unary_f32"));
  EXPECT_EQ(std::count(kernels.begin(), kernels.end(), "quantize"), 1);  // the input
}

TEST(Integer, QuantizationRisesPastMaxPool) {
  Builder b;
  const ir::ValueId x =
      b.qdq(b.input("x", ir::Shape({ir::Dim(1), ir::Dim(3), ir::Dim(8), ir::Dim(8)})), 1 / 120.0f, 120);
  const ir::ValueId y = b.node("Relu", {b.node("Conv", {x, b.quantized_weight({4, 3, 3, 3}, 0)})});
  const ir::Model& model = b.finish({b.qdq(b.node("MaxPool", {y}, {{"kernel_shape", Ints{2, 2}}}), 0.02f, 0)});
  const auto kernels = expect_within_one_step(model, {1, 3, 8, 8}, 0.02f);
  EXPECT_TRUE(uses(kernels, "max_pool_8bit"));
  EXPECT_FALSE(uses(kernels, "max_pool_f32"));
}

TEST(Integer, UnfusableBiasFallsBackToFloat) {
  Builder b;
  const ir::ValueId x =
      b.qdq(b.input("x", ir::Shape({ir::Dim(1), ir::Dim(2), ir::Dim(4), ir::Dim(4)})), 1 / 120.0f, 120);
  // A bias of 1e9 at scale input · weight does not fit into 32 bits.
  const ir::ValueId huge = b.constant(Tensor::from<float>({2}, {1e9f, 0.0f}));
  const ir::Model& model = b.finish({b.node("Conv", {x, b.quantized_weight({2, 2, 1, 1}, 0), huge})});
  const auto kernels = test::kernels_of(*runtime::backend().compile(model, {}), {{"x", {1, 2, 4, 4}}});
  EXPECT_TRUE(uses(kernels, "conv_f32"));
}

}  // namespace
}  // namespace pare
