// fusions/attention.cpp: the forms that exporters write become one step with the same result; what differs stays.
#include "runtime/graphs.h"

namespace pare {
namespace {

using test::Builder;

constexpr std::int64_t kBatch = 2, kPositions = 9, kHeads = 3, kWidth = 5, kHidden = kHeads * kWidth;

struct Form {
  bool flat = true;        ///< Reshape and Transpose around the heads
  bool joined_turn = false;  ///< one Transpose takes K to [B, heads, width, positions]
  bool divide = false;
  Dims mask = {kBatch, 1, 1, kPositions};  ///< {}: none
  bool mask_first = false;
  bool scaled = true;
  int quantized = 0;  ///< the result is, before its heads are put side by side, so many times
};

Dims input_dims(const Form& form) {
  return form.flat ? Dims{kBatch, kPositions, kHidden} : Dims{kBatch, kHeads, kPositions, kWidth};
}

ir::ValueId heads(Builder& b, const Form& form, ir::ValueId x, const std::vector<std::int64_t>& perm) {
  if (!form.flat) return x;
  Tensor target(DType::kInt64, {4});
  std::copy_n(Dims{0, 0, kHeads, kWidth}.begin(), 4, target.mutable_data<std::int64_t>().begin());
  return b.node("Transpose", {b.node("Reshape", {x, b.constant(target)})}, {{"perm", perm}});
}

ir::ValueId scores(Builder& b, const Form& form, ir::ValueId q, ir::ValueId k) {
  const std::vector<std::int64_t> first = {0, 2, 1, 3}, last = {0, 2, 3, 1}, swapped = {0, 1, 3, 2};
  const ir::ValueId turned =
      form.joined_turn ? heads(b, form, k, last) : b.node("Transpose", {heads(b, form, k, first)}, {{"perm", swapped}});
  ir::ValueId s = b.node("MatMul", {heads(b, form, q, first), turned});
  if (form.scaled) s = b.node(form.divide ? "Div" : "Mul", {s, b.constant(Tensor::scalar(form.divide ? 2.2f : 0.45f))});
  if (form.mask.empty()) return s;
  const ir::ValueId mask = b.constant(test::random_tensor(form.mask, 77, -3, 3), "mask");
  return form.mask_first ? b.node("Add", {mask, s}) : b.node("Add", {s, mask});
}

Builder attention(const Form& form, bool second_reader = false) {
  Builder b;
  const ir::Shape shape = ir::Shape::of(input_dims(form));
  const ir::ValueId q = b.input("q", shape), k = b.input("k", shape), v = b.input("v", shape);
  const ir::ValueId weights = b.node("Softmax", {scores(b, form, q, k)}, {{"axis", std::int64_t{-1}}});
  ir::ValueId y = b.node("MatMul", {weights, heads(b, form, v, {0, 2, 1, 3})});
  const auto quantize = [&](int time) {
    if (form.quantized > time) y = b.qdq(y, 0.011f, 117);
  };
  quantize(0);
  if (form.flat) {
    Tensor target(DType::kInt64, {3});
    std::copy_n(Dims{0, 0, kHidden}.begin(), 3, target.mutable_data<std::int64_t>().begin());
    y = b.node("Transpose", {y}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    quantize(1);
    y = b.node("Reshape", {y, b.constant(target)});
    quantize(2);
  }
  std::vector<ir::ValueId> outputs = {y};
  if (second_reader) outputs.push_back(b.node("Neg", {weights}));
  b.finish(outputs);
  return b;
}

std::vector<std::string> kernels_of(const Builder& b, const Form& form) {
  const Dims dims = input_dims(form);
  return test::kernels_of(*runtime::backend().compile(b.model, {}), {{"q", dims}, {"k", dims}, {"v", dims}});
}

void expect_same(const Builder& b, const Form& form) {
  const Dims dims = input_dims(form);
  test::expect_like_reference(b.model, {{"q", test::random_tensor(dims, 1)},
                                        {"k", test::random_tensor(dims, 2)},
                                        {"v", test::random_tensor(dims, 3)}});
}

bool fused(const std::vector<std::string>& kernels) {
  return std::any_of(kernels.begin(), kernels.end(), [](const std::string& k) { return k.starts_with("attention_f32"); });
}

TEST(FuseAttention, EveryFormIsOneStep) {
  const std::vector<Form> forms = {{},
                                   {.joined_turn = true},
                                   {.divide = true},
                                   {.mask = {}},
                                   {.mask = {kPositions}},
                                   {.mask = {kPositions, 1}},
                                   {.mask = {kBatch, kHeads, kPositions, kPositions}},
                                   {.mask_first = true},
                                   {.mask = {}, .scaled = false},
                                   {.scaled = false},
                                   {.flat = false},
                                   {.flat = false, .mask = {1, 1, kPositions, kPositions}}};
  for (std::size_t i = 0; i < forms.size(); ++i) {
    SCOPED_TRACE(i);
    const Builder b = attention(forms[i]);
    EXPECT_EQ(kernels_of(b, forms[i]).size(), 1u);
    EXPECT_TRUE(fused(kernels_of(b, forms[i])));
    expect_same(b, forms[i]);
  }
}

/// As quantizers write it: behind the product, and again behind what moves its elements.
TEST(FuseAttention, AQuantizedResultIsQuantizedBehind) {
  for (const int quantized : {1, 2, 3})
    for (const bool joined_turn : {false, true}) {
      const Form form{.joined_turn = joined_turn, .quantized = quantized};
      const Builder b = attention(form);
      const std::vector<std::string> kernels = kernels_of(b, form);
      EXPECT_TRUE(fused(kernels)) << quantized;
      EXPECT_EQ(std::count(kernels.begin(), kernels.end(), "transpose"), 0);
      EXPECT_EQ(std::count(kernels.begin(), kernels.end(), "quantize"), 1);
      const Dims dims = input_dims(form);
      const NamedTensors inputs = {{"q", test::random_tensor(dims, 1)},
                                   {"k", test::random_tensor(dims, 2)},
                                   {"v", test::random_tensor(dims, 3)}};
      const auto got = test::run(b.model, inputs), want = ir::evaluate(b.model, inputs);
      for (const auto& [name, tensor] : want)  // one step apart where sums were rounded otherwise
        EXPECT_LE(test::max_difference(got.at(name), tensor), 0.0111f);
    }
}

TEST(FuseAttention, WhatAnotherNodeReadsStays) {
  const Builder b = attention({}, true);
  EXPECT_FALSE(fused(kernels_of(b, {})));
  expect_same(b, {});
}

TEST(FuseAttention, AnotherAxisStays) {
  Builder b;
  const Form form{.flat = false};
  const ir::Shape shape = ir::Shape::of(input_dims(form));
  const ir::ValueId q = b.input("q", shape), k = b.input("k", shape), v = b.input("v", shape);
  const ir::ValueId weights = b.node("Softmax", {scores(b, form, q, k)}, {{"axis", std::int64_t{2}}});
  b.finish({b.node("MatMul", {weights, v})});
  EXPECT_FALSE(fused(kernels_of(b, form)));
  expect_same(b, form);
}

TEST(FuseAttention, AMatrixThatIsNoMaskStays) {
  Builder b;  // the other operand of the addition is a product too: the first one found is the scores
  const Form form{.flat = false, .mask = {}};
  const ir::Shape shape = ir::Shape::of(input_dims(form));
  const ir::ValueId q = b.input("q", shape), k = b.input("k", shape), v = b.input("v", shape);
  const ir::ValueId both = b.node("Add", {scores(b, form, q, k), scores(b, form, v, k)});
  b.finish({b.node("MatMul", {b.node("Softmax", {both}, {{"axis", std::int64_t{-1}}}), v})});
  expect_same(b, form);
}

}  // namespace
}  // namespace pare
