// Every row of fusions.inc: the pattern becomes one step with the same result; what differs by a constant stays.
#include "runtime/graphs.h"

namespace pare {
namespace {

using test::Builder;

constexpr float kRootHalf = 0.70710678f;

std::int64_t steps_named(const Builder& b, const std::string& kernel) {
  const auto names = test::kernels_of(*runtime::backend().compile(b.model, {}), {{"x", {3, 40}}});
  return std::count(names.begin(), names.end(), kernel);
}

void expect_same(const Builder& b) {
  test::expect_like_reference(b.model, {{"x", test::random_tensor({3, 40}, 5, -6, 6)}}, 1e-6);
}

ir::ValueId scalar(Builder& b, float value) { return b.constant(Tensor::scalar(value), "s"); }

/// 0.5 · x · (1 + inner) with the products in one of three orders.
ir::ValueId gate(Builder& b, ir::ValueId x, ir::ValueId inner, int order, float half = 0.5f) {
  const ir::ValueId sum = b.node("Add", {scalar(b, 1), inner}), factor = scalar(b, half);
  if (order == 0) return b.node("Mul", {b.node("Mul", {x, sum}), factor});
  if (order == 1) return b.node("Mul", {x, b.node("Mul", {sum, factor})});
  return b.node("Mul", {b.node("Mul", {factor, x}), sum});
}

ir::ValueId input(Builder& b) { return b.input("x", ir::Shape({ir::Dim(3), ir::Dim(40)})); }

TEST(Fusion, GeluInEveryOrder) {
  for (int order : {0, 1, 2})
    for (bool divide : {false, true}) {
      SCOPED_TRACE(std::to_string(order) + (divide ? " divided" : " multiplied"));
      Builder b;
      const ir::ValueId x = input(b);
      const ir::ValueId scaled =
          divide ? b.node("Div", {x, scalar(b, 1 / kRootHalf)}) : b.node("Mul", {scalar(b, kRootHalf), x});
      b.finish({gate(b, x, b.node("Erf", {scaled}), order)});
      EXPECT_EQ(steps_named(b, "unary_f32"), 1);
      EXPECT_EQ(steps_named(b, "binary_f32"), 0);
      expect_same(b);
    }
}

TEST(Fusion, TanhGeluWithEitherCube) {
  for (bool power : {false, true}) {
    Builder b;
    const ir::ValueId x = input(b);
    const ir::ValueId cube = power ? b.node("Pow", {x, scalar(b, 3)}) : b.node("Mul", {x, b.node("Mul", {x, x})});
    const ir::ValueId sum = b.node("Add", {x, b.node("Mul", {cube, scalar(b, 0.044715f)})});
    b.finish({gate(b, x, b.node("Tanh", {b.node("Mul", {sum, scalar(b, 0.7978845608f)})}), 0)});
    EXPECT_EQ(steps_named(b, "unary_f32"), 1);
    EXPECT_EQ(steps_named(b, "binary_f32"), 0);
    expect_same(b);
  }
}

TEST(Fusion, AlmostGeluStaysAsWritten) {
  Builder b;
  const ir::ValueId x = input(b);
  b.finish({gate(b, x, b.node("Erf", {b.node("Mul", {x, scalar(b, kRootHalf)})}), 0, 0.51f)});
  EXPECT_GT(steps_named(b, "binary_f32"), 0);
  expect_same(b);
  Builder read_twice;
  const ir::ValueId z = input(read_twice),
                    erf = read_twice.node("Erf", {read_twice.node("Mul", {z, scalar(read_twice, kRootHalf)})});
  read_twice.finish({gate(read_twice, z, erf, 0), read_twice.node("Neg", {erf})});
  EXPECT_GT(steps_named(read_twice, "binary_f32"), 0);
  expect_same(read_twice);
}

TEST(Fusion, SwishAloneAndBehindAProduct) {
  Builder alone;
  const ir::ValueId x = input(alone);
  alone.finish({alone.node("Mul", {alone.node("Sigmoid", {x}), x})});
  EXPECT_EQ(steps_named(alone, "unary_f32"), 1);
  EXPECT_EQ(steps_named(alone, "binary_f32"), 0);
  expect_same(alone);
  Builder behind;
  const ir::ValueId y = behind.node("MatMul", {input(behind), behind.weight({40, 7})});
  behind.finish({behind.node("Mul", {y, behind.node("Sigmoid", {y})})});
  EXPECT_EQ(steps_named(behind, "unary_f32"), 0) << "the product applies it";
  expect_same(behind);
}

/// Exporters' forms of HardSwish: 0 by HardSigmoid, 1 the product before the division, 2 after it, 3 a product with 1/6.
ir::ValueId hard_swish(Builder& b, ir::ValueId x, int form, float upper = 6) {
  if (form == 0) return b.node("Mul", {x, b.node("HardSigmoid", {x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}})});
  const ir::ValueId clipped = b.node("Clip", {b.node("Add", {x, scalar(b, 3)}), scalar(b, 0), scalar(b, upper)});
  if (form == 1) return b.node("Div", {b.node("Mul", {clipped, x}), scalar(b, 6)});
  if (form == 2) return b.node("Mul", {x, b.node("Div", {clipped, scalar(b, 6)})});
  return b.node("Mul", {b.node("Mul", {clipped, scalar(b, 1.0f / 6)}), x});
}

TEST(Fusion, HardSwishInEveryForm) {
  for (int form : {0, 1, 2, 3}) {
    SCOPED_TRACE(form);
    Builder b;
    b.finish({hard_swish(b, input(b), form)});
    EXPECT_EQ(steps_named(b, "unary_f32"), 1);
    EXPECT_EQ(steps_named(b, "binary_f32"), 0);
    expect_same(b);
  }
}

TEST(Fusion, AlmostHardSwishStaysAsWritten) {
  Builder b;
  b.finish({hard_swish(b, input(b), 1, 5)});
  EXPECT_GT(steps_named(b, "binary_f32"), 0);
  expect_same(b);
  Builder steep;
  const ir::ValueId x = input(steep);
  steep.finish({steep.node("Mul", {x, steep.node("HardSigmoid", {x})})});  // α is 0.2
  EXPECT_GT(steps_named(steep, "binary_f32"), 0);
  expect_same(steep);
}

struct Norm {
  bool power = true, twice = false, scale = true, bias = true;
  std::vector<std::int64_t> axes = {-1};
};

ir::ValueId layer_norm(Builder& b, ir::ValueId x, const Norm& form) {
  const auto mean = [&](ir::ValueId of) { return b.node("ReduceMean", {of}, {{"axes", form.axes}}); };
  const auto centred = [&] { return b.node("Sub", {x, mean(x)}); };
  const ir::ValueId d = centred(), squared = form.twice ? centred() : d;
  const ir::ValueId square = form.power ? b.node("Pow", {squared, scalar(b, 2)}) : b.node("Mul", {squared, squared});
  ir::ValueId y = b.node("Div", {d, b.node("Sqrt", {b.node("Add", {mean(square), scalar(b, 1e-3f)})})});
  if (form.scale) y = b.node("Mul", {y, b.weight({40})});
  return form.bias ? b.node("Add", {b.weight({40}), y}) : y;
}

TEST(Fusion, LayerNormInEveryForm) {
  for (const Norm& form : {Norm{}, Norm{.power = false}, Norm{.twice = true}, Norm{.bias = false},
                           Norm{.scale = false, .bias = false}, Norm{.axes = {1}}}) {
    Builder b;
    b.model.opsets[""] = 13;
    b.finish({layer_norm(b, input(b), form)});
    const auto names = test::kernels_of(*runtime::backend().compile(b.model, {}), {{"x", {3, 40}}});
    EXPECT_EQ(names, std::vector<std::string>{"layer_norm_f32"});
    test::expect_like_reference(b.model, {{"x", test::random_tensor({3, 40}, 5, -6, 6)}}, 1e-5);
  }
}

TEST(Fusion, AMeanOverTheFirstAxisIsNoLayerNorm) {
  Builder b;
  b.model.opsets[""] = 13;
  b.finish({layer_norm(b, input(b), {.axes = {0}})});
  EXPECT_EQ(steps_named(b, "layer_norm_f32"), 0);
  expect_same(b);
}

TEST(Fusion, ProductsOfBatchesBroadcast) {
  struct Case {
    Dims a, b;
  };
  const std::vector<Case> cases = {{{2, 3, 5, 7}, {2, 3, 7, 4}}, {{5, 7}, {2, 3, 7, 4}},
                                   {{2, 1, 5, 7}, {3, 7, 4}},    {{4, 1, 1}, {1, 1, 6}},
                                   {{1, 3, 5, 7}, {2, 1, 7, 1}}, {{2, 3, 1, 64}, {2, 3, 64, 33}}};
  for (const Case& c : cases) {
    Builder b;
    const ir::ValueId left = b.input("a", ir::Shape::of(c.a)), right = b.input("b", ir::Shape::of(c.b));
    b.finish({b.node("MatMul", {left, right})});
    SCOPED_TRACE(c.a.size() * 10 + c.b.size());
    test::expect_like_reference(b.model, {{"a", test::random_tensor(c.a, 1)}, {"b", test::random_tensor(c.b, 2)}});
    const auto names = test::kernels_of(*runtime::backend().compile(b.model, {}), {{"a", c.a}, {"b", c.b}});
    EXPECT_EQ(std::count(names.begin(), names.end(), "matmul_f32__onednn"), 1);
  }
}

}  // namespace
}  // namespace pare
