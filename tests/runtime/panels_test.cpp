// Networks of convolutions with sparse weights, whose values stay in panels between them: the reference's numbers, and
// only where nothing else reads a value.
#include "runtime/panels.h"

#include "base/cpu.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using test::Builder;
using Ints = std::vector<std::int64_t>;

Tensor thinned(const Dims& dims, std::uint64_t seed) {
  Tensor weight = test::random_tensor(dims, seed);
  Rng rng(seed, kRngTest);
  for (float& w : weight.mutable_data<float>())
    if (rng.below(30) != 0) w = 0;
  return weight;
}

struct Network {
  Builder b;
  Dims dims;
  ir::ValueId x;

  Network(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) : dims{n, c, h, w} {
    x = b.input("x", ir::Shape({ir::Dim(n), ir::Dim(c), ir::Dim(h), ir::Dim(w)}));
  }
  ir::ValueId conv(ir::ValueId from, std::int64_t in_c, std::int64_t out_c, std::int64_t k, std::int64_t stride = 1) {
    return b.node("Conv", {from, b.constant(thinned({out_c, in_c, k, k}, ++b.seed)), b.weight({out_c})},
                  {{"pads", Ints{k / 2, k / 2, k / 2, k / 2}}, {"strides", Ints{stride, stride}}});
  }
  /// conv → conv → conv, added to a projection of what it read, as residual networks have it.
  ir::ValueId block(ir::ValueId from, std::int64_t in_c, std::int64_t mid, std::int64_t out_c, std::int64_t stride) {
    ir::ValueId y = b.node("Relu", {conv(from, in_c, mid, 1)});
    y = b.node("Relu", {conv(y, mid, mid, 3, stride)});
    y = conv(y, mid, out_c, 1);
    const bool same = stride == 1 && in_c == out_c;
    return b.node("Relu", {b.node("Add", {y, same ? from : conv(from, in_c, out_c, 1, stride)})});
  }
  /// How many steps say that something of them lies in panels; checks the numbers first.
  int in_panels(std::vector<ir::ValueId> outputs) {
    const ir::Model& model = b.finish(std::move(outputs));
    test::expect_like_reference(model, {{"x", test::random_tensor(dims, 7)}});
    int count = 0;
    for (const exec::PlanStep& step : runtime::backend().compile(model, {})->plan({{"x", dims}}))
      count += step.reason.find("in panels") != std::string::npos;
    return count;
  }
};

bool has_panels() { return isa_available(Isa::kAvx512); }

TEST(Panels, ResidualNetworksStayInThem) {
  for (std::int64_t batch : {1, 3})
    for (std::int64_t size : {14, 9}) {
      Network n(batch, 64, size, size);
      ir::ValueId y = n.block(n.x, 64, 64, 256, 1);
      y = n.block(y, 256, 64, 256, 1);
      y = n.block(y, 256, 128, 512, 2);
      const int count = n.in_panels({n.b.node("GlobalAveragePool", {y})});
      EXPECT_EQ(count, has_panels() ? 11 : 0) << "batch " << batch << ", size " << size;
    }
}

TEST(Panels, WhatOthersReadLiesAsTheyReadIt) {
  Network n(1, 128, 12, 12);
  const ir::ValueId a = n.b.node("Relu", {n.conv(n.x, 128, 128, 3)}),
                    between = n.b.node("Relu", {n.conv(a, 128, 128, 3)}), y = n.conv(between, 128, 128, 3);
  // a: in panels but for its second reader
  EXPECT_EQ(n.in_panels({y, n.b.node("AveragePool", {a}, {{"kernel_shape", Ints{2, 2}}})}), has_panels() ? 2 : 0);
}

TEST(Panels, OutputsOfTheGraphDoNot) {
  Network n(1, 128, 12, 12);
  const ir::ValueId a = n.conv(n.x, 128, 128, 3);
  EXPECT_EQ(n.in_panels({a, n.conv(a, 128, 128, 3)}), 0);
}

TEST(Panels, OddChannelsAndOtherActivationsDoNot) {
  Network n(1, 128, 12, 12);
  const ir::ValueId odd = n.conv(n.x, 128, 127, 3);
  ir::ValueId y = n.conv(odd, 127, 128, 3);
  y = n.b.node("Sigmoid", {y});
  EXPECT_EQ(n.in_panels({n.conv(y, 128, 128, 3)}), 0);
}

TEST(Panels, AnAddendThatLiesElsewhereKeepsTheSumOut) {
  Network n(1, 128, 12, 12);
  const ir::ValueId a = n.b.node("Relu", {n.conv(n.x, 128, 128, 3)});
  const ir::ValueId sum = n.b.node("Add", {n.conv(a, 128, 128, 3), n.x});  // x lies channels-last
  EXPECT_EQ(n.in_panels({n.b.node("GlobalAveragePool", {n.conv(n.b.node("Relu", {sum}), 128, 128, 3)})}),
            has_panels() ? 2 : 0);
}

}  // namespace
}  // namespace pare
