// QuantEase's coordinate descent: against its update written down literally, and by what must hold at its end.
#include "compress/quantize/refine.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/float16.h"
#include "compress/quantize/gptq.h"
#include "compress/quantize/params.h"
#include "fakes.h"

namespace pare::compress {
namespace {

constexpr std::size_t kInputs = 7, kOutputs = 40;

struct Layer40 {
  Tensor weight = random_tensor({kOutputs, kInputs}, 2);
  ir::WeightView view{.outputs = kOutputs, .inputs = kInputs, .output_stride = kInputs};
  passes::QuantParams params = weight_params(weight, 0, {.bits = 3});
  std::vector<double> hessian = std::vector<double>(kInputs * kInputs, 0.0);

  Layer40() {
    Tensor x = random_tensor({60, kInputs}, 3, 1.0f);
    for (std::size_t s = 0; s < 60; ++s) {
      float* row = &x.mutable_data<float>()[s * kInputs];
      for (std::size_t i = 1; i < kInputs; ++i) row[i] += 0.9f * row[i - 1];
      for (std::size_t i = 0; i < kInputs; ++i)
        for (std::size_t j = 0; j < kInputs; ++j)
          hessian[i * kInputs + j] += static_cast<double>(row[i]) * static_cast<double>(row[j]);
    }
  }

  std::vector<std::int32_t> nearest() const {
    const Tensor stored = passes::quantize_tensor(weight, params);
    std::vector<std::int32_t> levels;
    for (std::int64_t i = 0; i < stored.numel(); ++i)
      levels.push_back(static_cast<std::int32_t>(element_as_double(stored, i)));
    return levels;
  }
  double w(std::size_t o, std::size_t i) const { return static_cast<double>(weight.data<float>()[o * kInputs + i]); }
  double scale(std::size_t o) const { return static_cast<double>(params.scale[o]); }

  /// (ŵ − w)ᵀ H (ŵ − w) of output o.
  double error(const std::vector<std::int32_t>& levels, std::size_t o) const {
    double sum = 0;
    for (std::size_t i = 0; i < kInputs; ++i)
      for (std::size_t j = 0; j < kInputs; ++j)
        sum += hessian[i * kInputs + j] * (levels[o * kInputs + i] * scale(o) - w(o, i)) *
               (levels[o * kInputs + j] * scale(o) - w(o, j));
    return sum;
  }
  void run(std::vector<std::int32_t>& levels, int sweeps) const {
    refine(weight.data<float>(), view, params, passes::ParamMap(params, weight.dims()), hessian, 1, sweeps, levels);
  }
};

TEST(Refine, OneSweepIsThePapersUpdate) {
  const Layer40 layer;
  std::vector<std::int32_t> got = layer.nearest(), want = got;
  layer.run(got, 1);
  for (std::size_t o = 0; o < kOutputs; ++o)
    for (std::size_t j = 0; j < kInputs; ++j) {
      double target = layer.w(o, j);
      for (std::size_t k = 0; k < kInputs; ++k)
        if (k != j)
          target -= layer.hessian[j * kInputs + k] / layer.hessian[j * kInputs + j] *
                    (want[o * kInputs + k] * layer.scale(o) - layer.w(o, k));
      want[o * kInputs + j] =
          static_cast<std::int32_t>(std::clamp(std::nearbyint(target / layer.scale(o)), -3.0, 3.0));
    }
  EXPECT_EQ(got, want);
  EXPECT_NE(got, layer.nearest());
}

TEST(Refine, NoSingleStepIsLeftThatHelps) {
  const Layer40 layer;
  std::vector<std::int32_t> levels = layer.nearest();
  const std::vector<std::int32_t> start = levels;
  layer.run(levels, 100);
  for (std::size_t o = 0; o < kOutputs; ++o) {
    const double least = layer.error(levels, o);
    EXPECT_LE(least, layer.error(start, o));
    for (std::size_t i = 0; i < kInputs; ++i)
      for (const int step : {-1, 1}) {
        std::vector<std::int32_t> other = levels;
        other[o * kInputs + i] += step;
        if (std::abs(other[o * kInputs + i]) > 3) continue;
        EXPECT_GE(layer.error(other, o), least * (1 - 1e-9)) << o << i;
      }
  }
}

TEST(Refine, LowersWhatGptqLeaves) {
  const Layer40 layer;
  const auto total = [&](int sweeps) {
    const Tensor chosen = gptq(layer.weight, layer.view, layer.params, layer.hessian, 1, {.refine = sweeps});
    std::vector<std::int32_t> levels;
    for (std::int64_t i = 0; i < chosen.numel(); ++i)
      levels.push_back(static_cast<std::int32_t>(element_as_double(chosen, i)));
    double sum = 0;
    for (std::size_t o = 0; o < kOutputs; ++o) sum += layer.error(levels, o);
    return sum;
  };
  EXPECT_LT(total(2), total(0));
}

TEST(Refine, ZerosStayZero) {
  Layer40 layer;
  for (std::size_t i = 0; i < kOutputs * kInputs; i += 3) layer.weight.mutable_data<float>()[i] = 0;
  const Tensor chosen = gptq(layer.weight, layer.view, layer.params, layer.hessian, 1, {.refine = 5});
  for (std::int64_t i = 0; i < chosen.numel(); i += 3) EXPECT_EQ(element_as_double(chosen, i), 0) << i;
}

TEST(Refine, InputsThatAreNeverSeenKeepTheirLevels) {
  Layer40 layer;
  std::fill(layer.hessian.begin(), layer.hessian.end(), 0.0);
  std::vector<std::int32_t> levels = layer.nearest();
  layer.run(levels, 3);
  EXPECT_EQ(levels, layer.nearest());
}

}  // namespace
}  // namespace pare::compress
