// QuantizeLinear and DequantizeLinear beyond the packaged node tests: rounding, saturation, blocks, narrow types.
#include <gtest/gtest.h>

#include "base/float16.h"
#include "ir/node_tests.h"
#include "ir/op_case.h"
#include "pare/error.h"

namespace pare::testing {
namespace {

Tensor floats(Dims dims, const std::vector<float>& values) { return Tensor::from<float>(std::move(dims), values); }

TEST(QuantizeLinear, RoundsHalvesToEvenAndSaturates) {
  const Tensor x = floats({8}, {0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 1000, -1000, 3.49F});
  const Tensor scale = Tensor::scalar<float>(1);
  EXPECT_EQ(difference(Tensor::from<std::int8_t>({8}, {0, 2, 2, 0, -2, 127, -128, 3}),
                       run_one("QuantizeLinear", 13, {x, scale, Tensor::scalar<std::int8_t>(0)})),
            "");
  EXPECT_EQ(difference(Tensor::from<std::uint8_t>({8}, {10, 12, 12, 10, 8, 255, 0, 13}),
                       run_one("QuantizeLinear", 13, {x, scale, Tensor::scalar<std::uint8_t>(10)})),
            "");
  // Without a zero point: uint8.
  EXPECT_EQ(difference(Tensor::from<std::uint8_t>({8}, {0, 2, 2, 0, 0, 255, 0, 3}),
                       run_one("QuantizeLinear", 13, {x, scale})),
            "");
}

TEST(QuantizeLinear, SixteenBitsAndOutputType) {
  const Tensor x = floats({3}, {-1e6F, 7, 1e6F}), scale = Tensor::scalar<float>(2);
  EXPECT_EQ(difference(Tensor::from<std::int16_t>({3}, {-32768, 4, 32767}),
                       run_one("QuantizeLinear", 21, {x, scale}, {{"output_dtype", std::int64_t{5}}})),
            "");
  EXPECT_EQ(difference(Tensor::from<std::uint16_t>({3}, {0, 4, 65535}),
                       run_one("QuantizeLinear", 21, {x, scale, Tensor::scalar<std::uint16_t>(0)})),
            "");
}

TEST(QuantizeLinear, FourBitsSaturate) {
  const Tensor x = floats({2, 3}, {-100, -7.6F, -1, 2.5F, 7.4F, 100}), scale = Tensor::scalar<float>(1);
  const Tensor q = run_one("QuantizeLinear", 21, {x, scale, cast(Tensor::scalar<std::int8_t>(0), DType::kInt4)});
  EXPECT_EQ(q.dtype(), DType::kInt4);
  EXPECT_EQ(difference(Tensor::from<std::int8_t>({2, 3}, {-8, -8, -1, 2, 7, 7}), cast(q, DType::kInt8)), "");
  const Tensor u = run_one("QuantizeLinear", 21, {x, scale, cast(Tensor::scalar<std::uint8_t>(1), DType::kUint4)});
  EXPECT_EQ(difference(Tensor::from<std::uint8_t>({2, 3}, {0, 0, 0, 3, 8, 15}), cast(u, DType::kUint8)), "");
}

TEST(QuantizeLinear, FloatOfEightBits) {
  const Tensor x = floats({3}, {0.3F, 1000, -3}), scale = Tensor::scalar<float>(1);
  const Tensor q = run_one("QuantizeLinear", 19, {x, scale, Tensor(DType::kFloat8E4M3FN, {})});
  // e4m3: 0.3 lies between 0.28125 and 0.3125; the largest number is 448.
  EXPECT_EQ(difference(floats({3}, {0.3125F, 448, -3}), cast(q, DType::kFloat32)), "");
}

TEST(QuantizeLinear, PerAxisFollowsTheAxis) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor rows = run_one("QuantizeLinear", 13, {x, floats({2}, {1, 2}), Tensor::from<std::int8_t>({2}, {0, 1})},
                              {{"axis", std::int64_t{0}}});
  EXPECT_EQ(difference(Tensor::from<std::int8_t>({2, 3}, {1, 2, 3, 3, 3, 4}), rows), "");
  const Tensor columns = run_one("QuantizeLinear", 13, {x, floats({3}, {1, 2, 3}), Tensor(DType::kInt8, {3})},
                                 {{"axis", std::int64_t{-1}}});
  EXPECT_EQ(difference(Tensor::from<std::int8_t>({2, 3}, {1, 1, 1, 4, 2, 2}), columns), "");
}

TEST(Blocked, QuantizeAndDequantizeShareTheBlocks) {
  // Axis 1 of length 5 in blocks of 2: scales for columns {0,1}, {2,3}, {4}.
  const std::map<std::string, ir::AttributeValue> blocked = {{"axis", std::int64_t{1}},
                                                             {"block_size", std::int64_t{2}}};
  const Tensor x = floats({2, 5}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), scale = floats({2, 3}, {1, 2, 5, 0.5F, 1, 10});
  const Tensor zero(DType::kInt8, {2, 3});
  const Tensor q = run_one("QuantizeLinear", 21, {x, scale, zero}, blocked);
  EXPECT_EQ(difference(Tensor::from<std::int8_t>({2, 5}, {1, 2, 2, 2, 1, 12, 14, 8, 9, 1}), q), "");
  EXPECT_EQ(difference(floats({2, 5}, {1, 2, 4, 4, 5, 6, 7, 8, 9, 10}),
                       run_one("DequantizeLinear", 21, {q, scale, zero}, blocked)),
            "");
}

TEST(DequantizeLinear, SubtractsTheZeroPointAndTakesTheScalesType) {
  const Tensor q = Tensor::from<std::uint8_t>({3}, {0, 128, 255});
  EXPECT_EQ(
      difference(floats({3}, {-64, 0, 63.5F}),
                 run_one("DequantizeLinear", 13, {q, Tensor::scalar<float>(0.5F), Tensor::scalar<std::uint8_t>(128)})),
      "");
  const Tensor half =
      run_one("DequantizeLinear", 19,
              {q, cast(Tensor::scalar<float>(0.5F), DType::kFloat16), Tensor::scalar<std::uint8_t>(128)});
  EXPECT_EQ(half.dtype(), DType::kFloat16);
  const Tensor bias = Tensor::from<std::int32_t>({2}, {-70000, 70000});
  EXPECT_EQ(difference(floats({2}, {-700, 700}), run_one("DequantizeLinear", 13, {bias, Tensor::scalar<float>(0.01F)})),
            "");
}

TEST(QuantizeInference, ScalesMustFit) {
  const auto quantize = [](ir::Shape x, ir::Shape scale) {
    return one_node("QuantizeLinear", 13, {{DType::kFloat32, x}, {DType::kFloat32, scale}, {DType::kInt8, scale}},
                    {{"axis", std::int64_t{0}}});
  };
  EXPECT_EQ(inferred(quantize(ir::Shape::of({4, 2}), ir::Shape::of({4}))), "[4, 2]");
  EXPECT_THROW(inferred(quantize(ir::Shape::of({4, 2}), ir::Shape::of({3}))), Error);
}

/// With the batch open, the expansion cannot be made; the type is float all the same.
TEST(QuantizeInference, AttentionOfIntegersGivesFloatsWhateverIsKnown) {
  ir::Model model = one_node("QAttention", 17,
                             {{DType::kUint8, ir::Shape({ir::Dim(), ir::Dim(5), ir::Dim()})},
                              {DType::kInt8, ir::Shape({ir::Dim(), ir::Dim()})},
                              {DType::kFloat32, ir::Shape::of({24})},
                              {DType::kFloat32, ir::Shape::of({})},
                              {DType::kFloat32, ir::Shape::of({})}},
                             {{"num_heads", std::int64_t{2}}});
  model.graph.node(model.graph.nodes().front()).domain = "com.microsoft";
  model.opsets["com.microsoft"] = 1;
  ir::infer_shapes(model);
  EXPECT_EQ(model.graph.value(model.graph.find_value("y0")).dtype, DType::kFloat32);
}

}  // namespace
}  // namespace pare::testing
