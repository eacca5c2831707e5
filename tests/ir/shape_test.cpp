#include "ir/shape.h"

#include <gtest/gtest.h>

namespace pare::ir {
namespace {

TEST(Dim, UnknownEqualsNothingAtRunTime) {
  EXPECT_FALSE(Dim().same_as(Dim()));
  EXPECT_TRUE(Dim(3).same_as(Dim(3)));
  EXPECT_FALSE(Dim(3).same_as(Dim(4)));
  EXPECT_TRUE(Dim::symbol("batch").same_as(Dim::symbol("batch")));
  EXPECT_FALSE(Dim::symbol("batch").same_as(Dim::symbol("seq")));
}

TEST(Shape, PrintsEveryKindOfDimension) {
  EXPECT_EQ(to_string(Shape({Dim::symbol("batch"), Dim(3), Dim()})), "[batch, 3, ?]");
  EXPECT_EQ(to_string(Shape()), "[...]");
  EXPECT_EQ(to_string(Shape(std::vector<Dim>{})), "[]");
}

TEST(Shape, IsStaticOnlyWhenAllIntegers) {
  EXPECT_EQ(Shape({2, 3}).static_dims(), (Dims{2, 3}));
  EXPECT_FALSE(Shape({Dim(2), Dim()}).static_dims());
  EXPECT_FALSE(Shape().static_dims());
}

TEST(Merge, TakesTheMoreSpecificDimension) {
  const Shape declared({Dim::symbol("N"), Dim(), Dim(8)});
  const Shape inferred({Dim(4), Dim::symbol("C"), Dim()});
  EXPECT_EQ(merge(declared, inferred), Shape({Dim(4), Dim::symbol("C"), Dim(8)}));
  EXPECT_EQ(merge(Shape(), declared), declared);
  EXPECT_EQ(merge(declared, Shape()), declared);
}

TEST(Merge, RefusesContradictions) {
  EXPECT_FALSE(merge(Shape({2}), Shape({3})));
  EXPECT_FALSE(merge(Shape({2}), Shape({2, 1})));
}

}  // namespace
}  // namespace pare::ir
