// A float layer with everything that it reads.
#pragma once

#include <benchmark/benchmark.h>

#include "base/rng.h"
#include "base/threads.h"
#include "layers.h"

namespace pare::kernels::bench {

struct FloatLayer {
  ConvShape shape;
  Buffer<float> weights, input, output, bias;

  FloatLayer(const Layer& layer, double zeros) : shape(shape_of(layer)) {
    Rng rng(1);
    const auto fill = [&](Buffer<float>& v, std::int64_t count) {
      v.resize(static_cast<std::size_t>(count));
      for (float& x : v) x = static_cast<float>(rng.uniform()) - 0.5f;
    };
    fill(weights, shape.out_c * shape.taps() * shape.in_c);
    fill(input, shape.batch * shape.in_h * shape.in_w * shape.in_c);
    fill(bias, shape.out_c);
    for (float& w : weights)
      if (rng.uniform() < zeros) w = 0;
    output.resize(static_cast<std::size_t>(shape.pixels() * shape.out_c));
  }
};

inline void count_macs(benchmark::State& state, const ConvShape& s) {
  state.counters["dense_GMAC/s"] =
      benchmark::Counter(static_cast<double>(s.macs()) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace pare::kernels::bench
