// AdaRound against brute force, and what must hold of it, of fitted scales and of their alternation.
#include "compress/quantize/adaround.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "compress/quantize/fit_scales.h"
#include "compress/quantize/params.h"
#include "compress/quantize/round_layer.h"
#include "fakes.h"

namespace pare::compress {
namespace {

/// A layer of few inputs that are correlated, as layers' are.
struct Small {
  std::int64_t outputs, inputs, groups;
  Tensor weight;
  ir::WeightView view;
  passes::QuantParams params;
  passes::ParamMap map;
  std::vector<double> hessian;

  Small(std::int64_t outputs, std::int64_t inputs, const WeightSpec& spec, std::int64_t groups = 1)
      : outputs(outputs),
        inputs(inputs),
        groups(groups),
        weight(random_tensor({outputs, inputs}, 2)),
        view{.outputs = outputs, .inputs = inputs, .output_stride = inputs},
        params(weight_params(weight, 0, spec)),
        map(params, weight.dims()) {
    const auto n = static_cast<std::size_t>(inputs);
    for (std::int64_t g = 0; g < groups; ++g) {
      std::vector<double> own(n * n, 0.0);
      Tensor x = random_tensor({100, inputs}, 3 + static_cast<std::uint64_t>(g), 1.0f);
      for (std::size_t s = 0; s < 100; ++s) {
        float* row = &x.mutable_data<float>()[s * n];
        for (std::size_t i = 1; i < n; ++i) row[i] += 0.9f * row[i - 1];
        for (std::size_t i = 0; i < n * n; ++i)
          own[i] += static_cast<double>(row[i / n]) * static_cast<double>(row[i % n]);
      }
      hessian.insert(hessian.end(), own.begin(), own.end());
    }
  }
  RoundedLayer layer() const { return {weight.data<float>(), view, params, map, hessian, groups}; }
  double total(std::span<const std::int32_t> levels) const {
    const std::vector<double> errors = output_errors(layer(), levels);
    return std::accumulate(errors.begin(), errors.end(), 0.0);
  }
};

/// Of all 2^n ways to round an output up or down.
double least_error(const Small& small, std::int64_t output) {
  const auto n = static_cast<std::size_t>(small.inputs);
  const auto [low, high] = passes::integer_limits(small.params);
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t ups = 0; ups < (std::size_t{1} << n); ++ups) {
    std::vector<double> off;
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t at = static_cast<std::size_t>(output) * n + j;
      const double s = static_cast<double>(small.params.scale[small.map(at)]),
                   w = static_cast<double>(small.weight.data<float>()[at]);
      const double z = small.params.zero_point[small.map(at)];
      off.push_back((std::clamp(std::floor(w / s) + z + static_cast<double>(ups >> j & 1), low, high) - z) * s - w);
    }
    double error = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) error += off[i] * off[j] * small.hessian[i * n + j];
    least = std::min(least, error);
  }
  return least;
}

TEST(AdaRound, ComesCloseToTheBestOfAllRoundings) {
  for (const bool symmetric : {true, false}) {
    const Small small(24, 10, {.bits = 3, .symmetric = symmetric, .group = 5});
    const std::vector<std::int32_t> nearest = nearest_levels(small.layer()), learned = adaround(small.layer(), {});
    const std::vector<double> errors = output_errors(small.layer(), learned);
    double least = 0;
    int best = 0;
    for (std::int64_t o = 0; o < small.outputs; ++o) {
      const double bound = least_error(small, o), error = errors[static_cast<std::size_t>(o)];
      EXPECT_GE(error, bound * (1 - 1e-6)) << "only up or down";
      best += error <= bound * (1 + 1e-6);
      least += bound;
    }
    EXPECT_LT(small.total(learned), 1.35 * least);
    EXPECT_GT(small.total(nearest), 2 * least);
    EXPECT_GE(best, small.outputs / 3);
  }
}

TEST(AdaRound, NoOutputIsWorseThanTheNearest) {
  for (const int iterations : {1, 30, 300}) {
    const Small small(40, 12, {.bits = 2});
    const std::vector<double> nearest = output_errors(small.layer(), nearest_levels(small.layer())),
                              learned = output_errors(small.layer(), adaround(small.layer(), {.iterations = iterations}));
    for (std::size_t o = 0; o < nearest.size(); ++o) EXPECT_LE(learned[o], nearest[o]) << o;
  }
}

TEST(AdaRound, LearnsEachGroupOfAConvolutionByItsOwnInputs) {
  const Small small(12, 9, {.bits = 3}, 4);
  const std::vector<std::int32_t> learned = adaround(small.layer(), {});
  EXPECT_LT(small.total(learned), 0.7 * small.total(nearest_levels(small.layer())));
}

TEST(AdaRound, ZerosStayZero) {
  Small small(8, 12, {.bits = 3, .symmetric = false, .group = 4});
  for (std::size_t i = 0; i < 96; i += 3) small.weight.mutable_data<float>()[i] = 0;
  const std::vector<std::int32_t> learned = adaround(small.layer(), {});
  for (std::size_t i = 0; i < 96; i += 3) EXPECT_EQ(learned[i], small.params.zero_point[small.map(i)]) << i;
}

TEST(AdaRound, StopsWhenAsked) {
  const Small small(8, 12, {.bits = 3});
  int ticks = 0;
  EXPECT_THROW(adaround(small.layer(), {}, [&] { if (++ticks == 5) throw Error(ErrorCode::kInterrupted, "test", "stop"); }),
               Error);
  EXPECT_EQ(ticks, 5);
}

/// The gradient of an output's error by each of its scales, by differences.
TEST(FitScales, ArriveWhereTheGradientIsZero) {
  for (const std::int64_t group : {0, 4}) {
    Small small(10, 12, {.bits = 3, .group = group});
    const std::vector<std::int32_t> levels = nearest_levels(small.layer());
    const double before = small.total(levels);
    small.params = fit_scales(small.layer(), levels);
    const double after = small.total(levels);
    EXPECT_LT(after, before);
    for (float& scale : small.params.scale) {
      const float kept = scale;
      for (const float factor : {0.99F, 1.01F}) {
        scale = kept * factor;
        EXPECT_GE(small.total(levels), after) << group;
      }
      scale = kept;
    }
  }
}

TEST(FitScales, AScaleOfTheTensorServesAllOutputs) {
  Small small(10, 12, {.bits = 4, .per_channel = false});
  const std::vector<std::int32_t> levels = nearest_levels(small.layer());
  const double before = small.total(levels);
  small.params = fit_scales(small.layer(), levels);
  ASSERT_EQ(small.params.scale.size(), 1U);
  const double after = small.total(levels);
  EXPECT_LT(after, before);
  for (const float factor : {0.998F, 1.002F}) {
    Small other = small;
    other.params.scale[0] *= factor;
    EXPECT_GT(other.total(levels), after);
  }
}

TEST(FitScales, InputsThatAreNeverSeenLeaveTheirScale) {
  Small small(6, 8, {.bits = 4, .group = 4});
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t j = 0; j < 8; ++j)
      if (i < 4 || j < 4) small.hessian[i * 8 + j] = 0;
  const passes::QuantParams fitted = fit_scales(small.layer(), nearest_levels(small.layer()));
  for (std::size_t at = 0; at < 48; ++at)
    if (at % 8 < 4) {
      EXPECT_NEAR(fitted.scale[small.map(at)] / small.params.scale[small.map(at)], 1, 1e-4);
    }
}

TEST(RoundLayer, EverySweepAndFitHelps) {
  const Small small(40, 24, {.bits = 3, .symmetric = false, .group = 8});
  const auto error = [&](const RoundingOptions& options) {
    const RoundedWeight rounded =
        round_layer(small.weight, small.view, small.params, small.hessian, small.groups, options);
    Small with = small;
    with.params = rounded.params;
    return with.total(rounded.levels);
  };
  for (const std::string method : {"gptq", "adaround"}) {
    const double plain = error({.method = method}), swept = error({.method = method, .refine = 4}),
                 fitted = error({.method = method, .fit_scales = true}),
                 both = error({.method = method, .refine = 4, .fit_scales = true});
    EXPECT_LE(swept, plain) << method;
    EXPECT_LT(fitted, plain) << method;
    EXPECT_LT(both, swept) << method;
    EXPECT_LT(both, fitted) << method;
  }
}

}  // namespace
}  // namespace pare::compress
