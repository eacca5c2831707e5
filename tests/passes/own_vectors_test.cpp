#include "passes/own_vectors.h"

#include <gtest/gtest.h>

#include "../compress/fakes.h"
#include "ir/verify.h"

namespace pare::passes {
namespace {

using compress::Builder;
using compress::random_tensor;

/// Two layers of one bias, of one weight, and of one scalar.
ir::Model shared() {
  Builder b;
  ir::ValueId x = b.input("x", {ir::Dim::symbol("N"), 4});
  const ir::ValueId weight = b.constant("w", random_tensor({4, 4}, 1)), bias = b.constant("b", random_tensor({4}, 2)),
                    half = b.constant("half", Tensor::from<float>({1}, {0.5F}));
  for (const std::string name : {"a", "c"}) {
    x = b.add("Add", name + "_add", {b.add("MatMul", name, {x, weight}), bias});
    x = b.add("Mul", name + "_half", {x, half});
  }
  return b.finish(x);
}

std::size_t readers(const ir::Model& model, const char* name) {
  return model.graph.value(model.graph.find_value(name)).consumers.size();
}

TEST(OwnVectors, EveryReaderOfAVectorGetsItsOwn) {
  const ir::Model model = shared();
  ir::Model own = model;
  const auto copies = own_vectors(own);
  ir::verify(own);
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].of, "b");
  EXPECT_EQ(readers(own, "b"), 1U);
  EXPECT_EQ(readers(own, copies[0].name.c_str()), 1U);
  EXPECT_EQ(readers(own, "w"), 2U) << "shared on purpose";
  EXPECT_EQ(readers(own, "half"), 2U);
  const NamedTensors inputs = {{"x", random_tensor({3, 4}, 5)}};
  EXPECT_TRUE(ir::evaluate(own, inputs).begin()->second.identical(ir::evaluate(model, inputs).begin()->second));
}

TEST(OwnVectors, WhatIsStillEqualIsSharedAgain) {
  ir::Model model = shared();
  const auto copies = own_vectors(model);
  share_vectors(model, copies);
  ir::verify(model);
  EXPECT_EQ(readers(model, "b"), 2U);
  EXPECT_EQ(model.graph.find_value(copies[0].name), ir::kNoValue);
}

TEST(OwnVectors, WhatBecameAnotherStays) {
  ir::Model model = shared();
  const auto copies = own_vectors(model);
  model.graph.set_constant(model.graph.find_value("b"), random_tensor({4}, 9));
  share_vectors(model, copies);
  EXPECT_EQ(readers(model, "b"), 1U);
  EXPECT_EQ(readers(model, copies[0].name.c_str()), 1U);
}

}  // namespace
}  // namespace pare::passes
