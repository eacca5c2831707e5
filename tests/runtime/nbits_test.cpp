// Low-bit weights run packed, whichever way the model spells them, and give what the reference gives.
#include "runtime/graphs.h"

namespace pare {
namespace {

using ir::Shape;
using ir::ValueId;

Tensor random_bytes(DType dtype, const Dims& dims, std::uint64_t seed) {
  Rng rng(seed, kRngTest);
  Tensor tensor(dtype, dims);
  for (std::size_t i = 0; i < tensor.bytes(); ++i) tensor.mutable_raw()[i] = static_cast<std::byte>(rng.below(256));
  return tensor;
}

struct Operator {
  std::int64_t m, k, n, bits, block;
  bool zero = false, float_zero = false, bias = false;
  std::int64_t level = 0;
};

ir::Model model_of(const Operator& o) {
  test::Builder b;
  b.model.opsets = {{"", 17}, {"com.microsoft", 1}};
  const std::int64_t blocks = (o.k + o.block - 1) / o.block;
  ir::Node node;
  node.op_type = "MatMulNBits", node.domain = "com.microsoft", node.name = "nbits";
  node.inputs = {b.input("x", Shape::of({o.m, o.k})),
                 b.constant(random_bytes(DType::kUint8, {o.n, blocks, o.block * o.bits / 8}, 3), "b"),
                 b.constant(test::random_tensor({o.n * blocks}, 4, 0.01F, 0.1F), "s"),
                 ir::kNoValue,
                 ir::kNoValue,
                 ir::kNoValue};
  if (o.zero) node.inputs[3] = b.constant(random_bytes(DType::kUint8, {o.n * ((blocks * o.bits + 7) / 8)}, 5), "z");
  if (o.float_zero) node.inputs[3] = b.constant(test::random_tensor({o.n * blocks}, 5, 0, 10), "z");
  if (o.bias) node.inputs[5] = b.constant(test::random_tensor({o.n}, 6), "bias");
  for (const auto& [name, value] : {std::pair("K", o.k), {"N", o.n}, {"bits", o.bits}, {"block_size", o.block}})
    node.set(name, value);
  if (o.level) node.set("accuracy_level", o.level);
  node.outputs = {b.model.graph.add_value("y")};
  const ValueId y = node.outputs[0];
  b.model.graph.add_node(node);
  return b.finish({y});
}

void expect_packed(const ir::Model& model, const Dims& x, double tolerance) {
  test::expect_like_reference(model, {{"x", test::random_tensor(x, 9)}}, tolerance);
  const auto executor = runtime::backend().compile(model, {});
  const auto kernels = test::kernels_of(*executor, {{"x", x}});
  ASSERT_EQ(kernels.size(), 1U);
  EXPECT_TRUE(kernels[0].starts_with("nbits")) << kernels[0];
}

TEST(NBits, TheOperatorRunsPacked) {
  for (const std::int64_t m : {1, 3, 20})
    for (const std::int64_t bits : {2, 4, 8})
      for (const Operator o :
           {Operator{m, 96, 40, bits, 32}, Operator{m, 100, 17, bits, 16, true},
            Operator{m, 64, 33, bits, 64, false, true, true}, Operator{m, 300, 5, bits, 128, true, false, true}})
        expect_packed(model_of(o), {m, o.k}, 2e-5);
}

TEST(NBits, AccuracyLevelsMayRoundActivations) {
  for (const std::int64_t level : {3, 4})
    for (const std::int64_t rows : {9, 20})
      for (const std::int64_t block : {32, 128}) {
        const Operator o{rows, 512, 48, 4, block, true, false, true, level};
        expect_packed(model_of(o), {rows, 512}, level == 3 ? 5e-3 : 2e-2);
      }
}

TEST(NBits, AnUnusualBlockIsExpanded) {
  const ir::Model model = model_of({3, 24, 8, 4, 8});
  test::expect_like_reference(model, {{"x", test::random_tensor({3, 24}, 9)}});
}

/// DequantizeLinear of `type` [k, n] (or [n, k], transposed) and the product that reads it.
ir::Model dequantized(DType type, std::int64_t block, bool zero, bool transposed, bool per_output) {
  constexpr std::int64_t kM = 9, kK = 64, kN = 24;
  test::Builder b;
  b.model.opsets = {{"", 21}};
  const Dims q = transposed ? Dims{kN, kK} : Dims{kK, kN};
  Dims scales = per_output ? Dims{kN} : Dims{};
  if (block > 0) scales = transposed ? Dims{kN, kK / block} : Dims{kK / block, kN};
  const std::int64_t axis = (block > 0) == transposed ? 1 : 0;
  const ValueId x = b.input("x", Shape::of({kM, kK}));
  const ValueId w = b.constant(random_bytes(type, q, 3), "q"),
                s = b.constant(test::random_tensor(scales, 4, 0.01F, 0.1F), "s");
  const ValueId z = zero ? b.constant(random_bytes(type, scales, 5), "z") : ir::kNoValue;
  const std::int64_t shown = block > 0 ? axis : (transposed ? 0 : 1);
  const ValueId d = b.node("DequantizeLinear", {w, s, z}, {{"axis", shown}, {"block_size", block}}, "d");
  if (!transposed) return b.finish({b.node("MatMul", {x, d}, {}, "y")});
  const ValueId bias = b.constant(test::random_tensor({kN}, 6), "bias");
  return b.finish({b.node("Gemm", {x, d, bias}, {{"transB", std::int64_t{1}}}, "y")});
}

TEST(NBits, ABiasBehindTheProductIsTakenAlong) {
  ir::Model model = dequantized(DType::kInt4, 16, true, false, true);
  ir::Graph& graph = model.graph;
  ir::Node add;
  add.op_type = "Add", add.name = "add";
  add.inputs = {graph.outputs[0], graph.add_initializer("behind", test::random_tensor({24}, 6))};
  add.outputs = {graph.add_value("sum")};
  graph.outputs = add.outputs;
  graph.add_node(add);
  ir::infer_shapes(model);
  expect_packed(model, {9, 64}, 2e-5);
}

/// x → Q → DQ → MatMul or Conv with weights of 2 or 4 bits, a scale an output: integer kernels, on bytes.
TEST(NBits, PackedWeightsOfQuantizedActivationsRunAsBytes) {
  for (const auto& [conv, type] : {std::pair{false, DType::kInt4}, {true, DType::kInt4}, {true, DType::kInt2}, {false, DType::kInt2}}) {
    test::Builder b;
    b.model.opsets = {{"", bits(type) == 2 ? 25 : 21}};
    const Dims shape = conv ? Dims{1, 8, 6, 6} : Dims{9, 64};
    const ValueId x = b.input("x", Shape::of(shape));
    const ValueId s = b.constant(Tensor::from({}, std::vector<float>{0.02F}), "xs"),
                  z = b.constant(Tensor::from({}, std::vector<std::uint8_t>{128}), "xz");
    const ValueId in = b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, s, z}, {}, "q"), s, z}, {}, "dq");
    const ValueId w = b.constant(random_bytes(type, conv ? Dims{24, 8, 3, 3} : Dims{64, 24}, 3), "w"),
                  ws = b.constant(test::random_tensor({24}, 4, 0.01F, 0.1F), "ws");
    const std::int64_t axis = conv ? 0 : 1;
    const ValueId d = b.node("DequantizeLinear", {w, ws}, {{"axis", axis}}, "wd");
    const ir::Model model = b.finish({b.node(conv ? "Conv" : "MatMul", {in, d}, {}, "y")});
    const NamedTensors inputs = {{"x", test::random_tensor(shape, 9)}};
    test::expect_like_reference(model, inputs, 2e-4);
    const auto executor = runtime::backend().compile(model, {});
    const auto kernels = test::kernels_of(*executor, {{"x", shape}});
    EXPECT_TRUE(std::ranges::any_of(kernels, [](const std::string& name) { return name.starts_with("qconv"); }));
    for (const std::string& kernel : kernels) EXPECT_EQ(kernel.find("reference"), std::string::npos) << kernel;
  }
}

/// Conv with a scale for 4 input channels at each tap: float kernels, on weights that are dequantized once.
TEST(NBits, BlocksOfConvolutionsBecomeFloats) {
  for (const DType type : {DType::kUint4, DType::kInt2, DType::kInt8}) {
    test::Builder b;
    b.model.opsets = {{"", 25}};
    const Dims shape = {2, 8, 6, 6}, scales = {24, 2, 3, 3};
    const ValueId x = b.input("x", Shape::of(shape));
    const ValueId w = b.constant(random_bytes(type, {24, 8, 3, 3}, 3), "w"),
                  s = b.constant(test::random_tensor(scales, 4, 0.01F, 0.1F), "s"),
                  z = b.constant(random_bytes(type, scales, 5), "z");
    const ValueId d = b.node("DequantizeLinear", {w, s, z}, {{"axis", std::int64_t{1}}, {"block_size", std::int64_t{4}}}, "wd");
    const ir::Model model = b.finish({b.node("Relu", {b.node("Conv", {x, d}, {}, "y")}, {}, "relu")});
    test::expect_like_reference(model, {{"x", test::random_tensor(shape, 9)}}, 2e-4);
    const auto kernels = test::kernels_of(*runtime::backend().compile(model, {}), {{"x", shape}});
    EXPECT_LE(kernels.size(), 3U) << "channels last, the convolution with its Relu, channels first";
    EXPECT_TRUE(std::ranges::any_of(kernels, [](const std::string& name) { return name.find("conv") != std::string::npos; }));
    for (const std::string& kernel : kernels) EXPECT_EQ(kernel.find("reference"), std::string::npos) << kernel;
  }
}

TEST(NBits, DequantizedWeightsStayPacked) {
  for (const DType type : {DType::kInt4, DType::kUint4, DType::kInt8, DType::kUint8})
    for (const bool zero : {false, true})
      for (const bool transposed : {false, true}) {
        expect_packed(dequantized(type, 16, zero, transposed, true), {9, 64}, 2e-5);
        if (type == DType::kInt4 || type == DType::kUint4)
          for (const bool per_output : {false, true})
            expect_packed(dequantized(type, 0, zero, transposed, per_output), {9, 64}, 2e-5);
      }
}

/// Integers of `type` [64, 24] from `low` to `high`, in blocks of 32 or with a scale an output, and the product.
ir::Model few_values(DType type, std::int64_t block, int low, int high) {
  test::Builder b;
  b.model.opsets = {{"", 21}};
  Rng rng(7, kRngTest);
  std::vector<std::int32_t> q(64 * 24);
  for (std::int32_t& w : q) w = low + static_cast<int>(rng.below(static_cast<std::uint32_t>(high - low + 1)));
  q[0] = low, q[1] = high;
  Tensor packed(type, {64, 24});
  for (std::size_t i = 0; i < q.size(); ++i) {
    auto& byte = packed.mutable_raw()[bits(type) == 4 ? i / 2 : i];
    const auto code = static_cast<std::byte>(static_cast<unsigned>(q[i]) & (bits(type) == 4 ? 15U : 255U));
    byte = bits(type) == 4 ? byte | (i % 2 ? code << 4 : code) : code;
  }
  const ValueId x = b.input("x", Shape::of({9, 64})), w = b.constant(packed, "q"),
                s = b.constant(test::random_tensor(block > 0 ? Dims{64 / block, 24} : Dims{24}, 4, 0.01F, 0.1F), "s");
  const ValueId d = b.node("DequantizeLinear", {w, s}, {{"axis", std::int64_t{block > 0 ? 0 : 1}}, {"block_size", block}}, "d");
  return b.finish({b.node("MatMul", {x, d}, {}, "y")});
}

std::string reason_of(const ir::Model& model, const Dims& x) {
  return runtime::backend().compile(model, {})->plan({{"x", x}}).back().reason;
}

TEST(NBits, WeightsThatUseFewerValuesTakeFewerBits) {
  struct Case {
    DType type;
    std::int64_t block;
    int low, high;
    const char* bits;
  };
  for (const Case& c : {Case{DType::kInt8, 32, -4, 3, "3-bit"}, Case{DType::kInt8, 0, -3, 3, "3-bit"},
                        Case{DType::kInt4, 32, -4, 3, "3-bit"}, Case{DType::kInt4, 0, -2, 1, "2-bit"},
                        Case{DType::kInt8, 32, 10, 20, "4-bit"}, Case{DType::kInt8, 16, -4, 3, "4-bit"},
                        Case{DType::kUint8, 32, 100, 103, "2-bit"}, Case{DType::kInt8, 32, -60, 60, "8-bit"}}) {
    const ir::Model model = few_values(c.type, c.block, c.low, c.high);
    expect_packed(model, {9, 64}, 2e-5);
    EXPECT_TRUE(reason_of(model, {9, 64}).starts_with(c.bits)) << c.bits << " " << reason_of(model, {9, 64});
  }
  const auto kernels = test::kernels_of(*runtime::backend().compile(few_values(DType::kInt8, 0, -60, 60), {}), {{"x", {9, 64}}});
  EXPECT_TRUE(std::ranges::none_of(kernels, [](const std::string& name) { return name.starts_with("nbits"); }));
}

/// Gather(values, Cast(indices) [+ first]) as `quantize --method codebook` writes it, and the product that reads it.
ir::Model codebook(std::int64_t m, int width, bool by_output, bool transposed, bool twice = false) {
  constexpr std::int64_t kK = 70, kN = 24;
  test::Builder b;
  b.model.opsets = {{"", width == 2 ? 25 : 21}};
  const Dims dims = transposed ? Dims{kN, kK} : Dims{kK, kN};
  const std::int64_t entries = std::int64_t{1} << width;
  std::vector<std::int32_t> first;
  for (std::int64_t n = 0; n < kN; ++n) first.push_back(static_cast<std::int32_t>(n * entries));
  const ValueId x = b.input("x", Shape::of({m, kK})),
                values = b.constant(test::random_tensor({by_output ? kN * entries : entries}, 4), "values"),
                stored = b.constant(
                    random_bytes(width == 2 ? DType::kUint2 : width == 4 ? DType::kUint4 : DType::kUint8, dims, 3), "indices");
  ValueId at = b.node("Cast", {stored}, {{"to", std::int64_t{6}}}, "at");
  if (by_output) at = b.node("Add", {at, b.constant(Tensor::from(transposed ? Dims{kN, 1} : Dims{1, kN}, first), "first")}, {}, "in_part");
  const ValueId w = b.node("Gather", {values, at}, {{"axis", std::int64_t{0}}}, "w");
  const ValueId bias = b.constant(test::random_tensor({kN}, 6), "bias");
  std::vector<ValueId> outputs = {transposed ? b.node("Gemm", {x, w, bias}, {{"transB", std::int64_t{1}}}, "y")
                                             : b.node("MatMul", {x, w}, {}, "y")};
  if (twice) outputs.push_back(b.node("Relu", {w}, {}, "z"));
  return b.finish(outputs);
}

TEST(NBits, CodebooksStayIndices) {
  for (const std::int64_t m : {1, 5, 40})
    for (const int width : {2, 4, 8})
      for (const bool by_output : {false, true})
        for (const bool transposed : {false, true}) expect_packed(codebook(m, width, by_output, transposed), {m, 70}, 2e-5);
}

TEST(NBits, ACodebookThatOthersReadBecomesWeights) {
  const ir::Model model = codebook(3, 4, true, false, true);
  test::expect_like_reference(model, {{"x", test::random_tensor({3, 70}, 9)}});
  const auto kernels = test::kernels_of(*runtime::backend().compile(model, {}), {{"x", {3, 70}}});
  EXPECT_TRUE(std::ranges::none_of(kernels, [](const std::string& name) { return name.starts_with("nbits"); }));
}

}  // namespace
}  // namespace pare
