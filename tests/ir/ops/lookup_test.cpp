// Lookup by all patterns of 8 bits.
#include <gtest/gtest.h>

#include "ir/op.h"
#include "ir/pare_domain.h"

namespace pare::testing {
namespace {

TEST(Lookup, EveryPatternHasItsEntry) {
  ir::Node node;
  node.op_type = "Lookup";
  node.domain = ir::kPareDomain;
  const ir::Operator* op = ir::find_operator(node, 1);
  ASSERT_NE(op, nullptr);
  Tensor x(DType::kInt8, {2, 128}), table(DType::kUint8, {256});
  for (int i = 0; i < 256; ++i) {
    x.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(i);
    table.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(255 - i);
  }
  const std::vector<Tensor> inputs = {x, table};
  const Tensor y = op->evaluate(ir::EvaluateContext{node, 1, inputs})[0];
  EXPECT_EQ(y.dtype(), DType::kUint8);
  EXPECT_EQ(y.dims(), x.dims());
  for (int i = 0; i < 256; ++i) EXPECT_EQ(y.data<std::uint8_t>()[i], 255 - i);
}

}  // namespace
}  // namespace pare::testing
