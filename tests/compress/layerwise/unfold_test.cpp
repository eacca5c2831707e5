#include "compress/layerwise/unfold.h"

#include <gtest/gtest.h>

#include "../fakes.h"
#include "compress/layerwise/gram_sum.h"

namespace pare::compress {
namespace {

using Attributes = std::vector<std::pair<std::string, ir::AttributeValue>>;
using Ints = std::vector<std::int64_t>;

/// Rows times the weight, against the convolution by its definition.
void expect_convolution(const Dims& x_dims, const Dims& weight_dims, Attributes attributes, std::int64_t groups) {
  Builder b;
  const Tensor x = random_tensor(x_dims, 1), weight = random_tensor(weight_dims, 2);
  attributes.emplace_back("group", groups);
  const ir::ValueId in = b.input("x", std::vector<ir::Dim>(x_dims.begin(), x_dims.end()));
  const ir::Model model = b.finish(b.add("Conv", "conv", {in, b.constant("w", weight)}, attributes));
  const Tensor want = ir::evaluate(model, {{"x", x}}).begin()->second;
  const Layer layer = find_layers(model.graph)[0];
  const ir::WeightView& view = layer.weight.view;
  const std::int64_t each = want.numel() / want.dim(0) / want.dim(1), outputs = want.dim(1);
  for (std::int64_t o = 0; o < outputs; ++o) {
    std::int64_t positions = 0;
    const std::vector<float> rows =
        unfold(x, model.graph.node(layer.node), weight.dims(), o / (outputs / groups), positions);
    ASSERT_EQ(positions, want.dim(0) * each);
    ASSERT_EQ(static_cast<std::int64_t>(rows.size()), positions * view.taps * view.inputs);
    for (std::int64_t p = 0; p < positions; ++p) {
      double sum = 0;
      for (std::int64_t t = 0; t < view.taps; ++t)
        for (std::int64_t c = 0; c < view.inputs; ++c)
          sum += static_cast<double>(rows[static_cast<std::size_t>((p * view.taps + t) * view.inputs + c)]) *
                 static_cast<double>(weight.data<float>()[static_cast<std::size_t>(view.index(o, t, c))]);
      const std::int64_t at = (p / each * outputs + o) * each + p % each;
      EXPECT_NEAR(sum, want.data<float>()[static_cast<std::size_t>(at)], 1e-5);
    }
  }
}

TEST(Unfold, RowsTimesTheWeightAreTheConvolution) {
  // Two groups of three channels, 3×2 taps, every attribute uneven.
  expect_convolution({2, 6, 7, 5}, {8, 3, 3, 2},
                     {{"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 2, 1}}, {"dilations", Ints{1, 2}}}, 2);
}

TEST(Unfold, OneAndThreeAxes) {
  expect_convolution({2, 4, 11}, {6, 2, 3}, {{"strides", Ints{2}}, {"pads", Ints{2, 1}}, {"dilations", Ints{2}}}, 2);
  expect_convolution({1, 3, 9}, {4, 3, 4}, {}, 1);
  expect_convolution({2, 4, 5, 4, 3}, {4, 2, 3, 1, 2},
                     {{"strides", Ints{2, 1, 1}}, {"pads", Ints{1, 0, 1, 0, 0, 0}}, {"dilations", Ints{1, 1, 2}}}, 2);
}

TEST(Unfold, PadsThatTheSizeGives) {
  for (const char* padding : {"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"})
    for (const std::int64_t stride : {1, 2, 3}) {
      SCOPED_TRACE(padding + std::string(" ") + std::to_string(stride));
      expect_convolution({1, 2, 7, 6}, {3, 2, 4, 3},
                         {{"auto_pad", std::string(padding)}, {"strides", Ints{stride, stride}}}, 1);
      expect_convolution({1, 2, 8}, {3, 2, 4}, {{"auto_pad", std::string(padding)}, {"strides", Ints{stride}}}, 1);
    }
}

TEST(Unfold, WhatDoesNotFitIsToldByTheNode) {
  ir::Node node;
  node.op_type = "Conv";
  node.name = "narrow";
  const Error error = error_of([&] { Unfolder(random_tensor({1, 1, 2, 2}, 1), node, {1, 1, 3, 3}); });
  EXPECT_EQ(error.code(), ErrorCode::kBadInput);
  EXPECT_NE(std::string(error.what()).find("narrow"), std::string::npos);
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
