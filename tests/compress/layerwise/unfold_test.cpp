#include "compress/layerwise/unfold.h"

#include <gtest/gtest.h>

#include "../fakes.h"
#include "compress/layerwise/gram_sum.h"

namespace pare::compress {
namespace {

ir::Node conv(std::vector<std::int64_t> strides, std::vector<std::int64_t> pads, std::vector<std::int64_t> dilations) {
  ir::Node node;
  node.op_type = "Conv";
  node.set("strides", strides);
  node.set("pads", pads);
  node.set("dilations", dilations);
  return node;
}

TEST(Unfold, RowsTimesTheWeightAreTheConvolution) {
  // [2, 6, 7, 5], two groups of three channels, 3×2 taps, every attribute uneven.
  Builder b;
  const Tensor x = random_tensor({2, 6, 7, 5}, 1), weight = random_tensor({8, 3, 3, 2}, 2);
  const ir::Node node = conv({2, 1}, {1, 0, 2, 1}, {1, 2});
  const ir::ValueId in = b.input("x", {2, 6, 7, 5});
  const ir::ValueId out = b.add("Conv", "conv", {in, b.constant("w", weight)},
                                {{"strides", std::vector<std::int64_t>{2, 1}},
                                 {"pads", std::vector<std::int64_t>{1, 0, 2, 1}},
                                 {"dilations", std::vector<std::int64_t>{1, 2}},
                                 {"group", std::int64_t{2}}});
  const Tensor want = ir::evaluate(b.finish(out), {{"x", x}}).begin()->second;
  const std::int64_t each = want.dim(2) * want.dim(3);
  for (std::int64_t group = 0; group < 2; ++group) {
    std::int64_t positions = 0;
    const std::vector<float> rows = unfold(x, node, weight.dims(), group, positions);
    ASSERT_EQ(positions, 2 * each);
    for (std::int64_t p = 0; p < positions; ++p)
      for (std::int64_t o = 0; o < 4; ++o) {
        double sum = 0;
        for (std::int64_t t = 0; t < 6; ++t)
          for (std::int64_t c = 0; c < 3; ++c)
            sum += static_cast<double>(rows[static_cast<std::size_t>(p * 18 + t * 3 + c)]) *
                   static_cast<double>(weight.data<float>()[static_cast<std::size_t>(((group * 4 + o) * 3 + c) * 6 + t)]);
        const std::int64_t at = (p / each * 8 + group * 4 + o) * each + p % each;
        EXPECT_NEAR(sum, want.data<float>()[static_cast<std::size_t>(at)], 1e-5);
      }
  }
}

TEST(GramSum, OfPiecesIsThatOfTheWhole) {
  const std::int64_t columns = 3, rows = 2500;  // two flushes and a rest
  const Tensor x = random_tensor({rows, columns}, 5);
  const auto values = x.data<float>();
  std::vector<double> sum(9, 0.0);
  GramSum gram(columns, sum);
  for (std::int64_t done = 0; done < rows;) {
    const std::int64_t piece = std::min<std::int64_t>(rows - done, done == 0 ? 1500 : 333);
    gram.add(piece, [&](std::int64_t first, std::int64_t count, std::span<float> out) {
      std::copy_n(values.begin() + (done + first) * columns, count * columns, out.begin());
    });
    done += piece;
  }
  gram.finish();
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      double want = 0;
      for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r)
        want += static_cast<double>(values[r * 3 + i]) * static_cast<double>(values[r * 3 + j]);
      EXPECT_NEAR(sum[i * 3 + j], want, 1e-3);
    }
}

}  // namespace
}  // namespace pare::compress
