// Weights by panels of output channels.
#include <algorithm>
#include <functional>
#include <new>
#include <vector>

#include "base/threads.h"
#include "kernels/pointwise/row.h"
#include "pare/error.h"

namespace pare::kernels {

namespace {

PointwisePacked geometry(const ConvShape& s, const PointwiseKernel* kernel) {
  PointwisePacked packed;
  packed.kernel = kernel ? kernel : &best_pointwise_kernel();
  packed.in_c = s.in_c, packed.out_c = s.out_c;
  return packed;
}

}  // namespace

PointwiseWeights PointwiseWeights::pack(const ConvShape& s, const float* filter, const FilterStrides& f,
                                        const float* bias, const PointwiseKernel* kernel) {
  try {
    PointwisePacked packed = geometry(s, kernel);
    std::vector<float> biases(static_cast<std::size_t>(packed.panels() * packed.width()), 0.0f);
    if (bias) std::copy_n(bias, s.out_c, biases.begin());
    HugeVector<PointwiseLine> lines(packed.lines(), PointwiseLine{});
    const auto panels = [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t panel = first; panel < last; ++panel) {
        const std::int64_t begin = panel * packed.width(), width = packed.vectors(panel) * packed.kernel->lanes,
                           count = std::min(width, s.out_c - begin);
        float* to = lines.data()->values + begin * s.in_c;
        for (std::int64_t i = 0; i < s.in_c; ++i, to += width)
          for (std::int64_t o = 0; o < count; ++o) to[o] = filter[(begin + o) * f.o + i * f.i];
      }
    };
    parallel_for(packed.panels(), 1, std::ref(panels));
    packed.weights = PackedArray<PointwiseLine>(std::move(lines));
    packed.bias = PackedArray<float>(std::move(biases));
    return PointwiseWeights(std::make_shared<const PointwisePacked>(std::move(packed)));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "weights of a product", "do not fit in memory when packed");
  }
}

void PointwiseWeights::write(PackedWriter& writer) const {
  writer.array(packed().weights);
  writer.array(packed().bias);
}

std::optional<PointwiseWeights> PointwiseWeights::view(const ConvShape& s, PackedReader& reader) {
  PointwisePacked packed = geometry(s, nullptr);
  packed.weights = reader.array<PointwiseLine>(packed.lines());
  packed.bias = reader.array<float>(static_cast<std::size_t>(packed.panels() * packed.width()));
  if (!reader.finished()) return std::nullopt;
  return PointwiseWeights(std::make_shared<const PointwisePacked>(std::move(packed)));
}

std::string PointwiseWeights::packing_key(const ConvShape& s, const FilterStrides& f, const float* bias) {
  PackingKey key("pointwise", 1, best_pointwise_kernel().name);
  key.add(s.in_c, s.out_c, f.o, f.i).add_array(bias, s.out_c);
  return key.text();
}

const char* PointwiseWeights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t PointwiseWeights::bytes() const noexcept { return packed().weights.bytes() + packed().bias.bytes(); }

}  // namespace pare::kernels
