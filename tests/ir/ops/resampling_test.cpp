// Pools, regions and grids that the packaged node tests do not reach.
#include <gtest/gtest.h>

#include "ir/node_tests.h"
#include "ir/op_case.h"

namespace pare::testing {
namespace {

Tensor floats(Dims dims, const std::vector<float>& values) { return Tensor::from<float>(std::move(dims), values); }
Tensor ints(const std::vector<std::int64_t>& values) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}
using Ints = std::vector<std::int64_t>;

TEST(LpPooling, WindowsAndPlanes) {
  const Tensor x = floats({1, 1, 2, 3}, {3, 0, 1, 4, 0, -2});
  EXPECT_EQ(
      difference(floats({1, 1, 1, 2}, {5, 2.236068F}), run_one("LpPool", 18, {x}, {{"kernel_shape", Ints{2, 2}}})), "");
  EXPECT_EQ(difference(floats({1, 1, 1, 1}, {10}), run_one("GlobalLpPool", 17, {x}, {{"p", std::int64_t{1}}})), "");
}

TEST(Regions, MaxRoiPoolTakesTheLargestOfEachBin) {
  std::vector<float> image(16);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i);
  const Tensor y =
      run_one("MaxRoiPool", 17, {floats({1, 1, 4, 4}, image), floats({2, 5}, {0, 0, 0, 3, 3, 0, 1, 1, 2, 2})},
              {{"pooled_shape", Ints{2, 2}}});
  EXPECT_EQ(difference(floats({2, 1, 2, 2}, {5, 7, 13, 15, 5, 6, 9, 10}), y), "");
}

TEST(Grids, AffineGridOfTheIdentityReadsTheImageBack) {
  std::vector<float> image(12);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i * i);
  const Tensor x = floats({1, 1, 3, 4}, image), theta = floats({1, 2, 3}, {1, 0, 0, 0, 1, 0});
  for (std::int64_t align : {0, 1}) {
    const Tensor grid = run_one("AffineGrid", 20, {theta, ints({1, 1, 3, 4})}, {{"align_corners", align}});
    for (const char* mode : {"nearest", "linear", "cubic"}) {
      const Tensor y = run_one("GridSample", 20, {x, grid}, {{"align_corners", align}, {"mode", std::string(mode)}});
      EXPECT_EQ(difference(x, y), "") << mode << " " << align;
    }
  }
}

TEST(Images, Col2ImAddsOverlappingBlocks) {
  // Blocks of 2 on a line of 3: the middle is in both.
  const Tensor y = run_one("Col2Im", 18, {floats({1, 2, 2}, {1, 2, 10, 20}), ints({3}), ints({2})});
  EXPECT_EQ(difference(floats({1, 1, 3}, {1, 12, 20}), y), "");
}

TEST(Images, CenterCropPad) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(difference(floats({1, 5}, {0, 1, 2, 3, 0}), run_one("CenterCropPad", 18, {x, ints({1, 5})})), "");
}

TEST(Images, SpaceToDepthCrdIsTheInverseOfDepthToSpaceCrd) {
  std::vector<float> numbers(32);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  const Tensor x = Tensor::from<float>({1, 2, 4, 4}, numbers);
  const std::map<std::string, ir::AttributeValue> how = {{"blocksize", std::int64_t{2}}, {"mode", std::string("CRD")}};
  const Tensor deep = run_one("SpaceToDepth", 28, {x}, how);
  EXPECT_EQ(deep.dims(), (Dims{1, 8, 2, 2}));
  EXPECT_TRUE(run_one("DepthToSpace", 13, {deep}, how).identical(x));
}

TEST(Resampling, SymbolsSurviveWhatKeepsTheirSize) {
  const ir::Dim n = ir::Dim::symbol("N");
  ir::Model model = one_node("Resize", 13,
                             {{DType::kFloat32, ir::Shape({n, 3, 8, ir::Dim::symbol("W")})},
                              {DType::kUndefined, {}},
                              {DType::kFloat32, ir::Shape({4})}});
  const ir::ValueId scales = model.graph.find_value("x2");
  const ir::ValueId fixed = model.graph.add_initializer("scales", floats({4}, {1, 1, 2, 2}));
  model.graph.replace_uses(scales, fixed);
  EXPECT_EQ(inferred(model), "[N, 3, 16, ?]");
}

TEST(Resampling, ConvTransposeUndoesTheSizeOfConv) {
  ir::Model model = one_node(
      "ConvTranspose", 17,
      {{DType::kFloat32, ir::Shape({ir::Dim::symbol("N"), 6, 5, 5})}, {DType::kFloat32, ir::Shape({6, 4, 3, 3})}},
      {{"strides", Ints{2, 2}},
       {"pads", Ints{1, 1, 1, 1}},
       {"group", std::int64_t{2}},
       {"output_padding", Ints{1, 1}}});
  EXPECT_EQ(inferred(model), "[N, 8, 10, 10]");
}

}  // namespace
}  // namespace pare::testing
