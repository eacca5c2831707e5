#include "compress/finite.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>

#include "base/threads.h"

namespace pare::compress {
namespace {

bool all_finite(std::span<const float> values) {
  constexpr std::int64_t kGrain = 1 << 16;
  std::atomic<bool> finite = true;
  parallel_for(static_cast<std::int64_t>(values.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::uint32_t largest = 0;  // of the bits without the sign: those of infinity and NaN are the largest
    for (std::int64_t i = begin; i < end; ++i)
      largest = std::max(largest, std::bit_cast<std::uint32_t>(values[static_cast<std::size_t>(i)]) & 0x7fffffffU);
    if (largest >= 0x7f800000U) finite = false;
  });
  return finite;
}

}  // namespace

Error not_finite(const ir::Graph& graph, const std::string& value, const Tensor& tensor) {
  const ir::ValueId id = graph.find_value(value);
  const ir::NodeId maker = id == ir::kNoValue ? ir::kNoNode : graph.producer(id);
  std::int64_t nans = 0, infinite = 0;
  for (const float x : tensor.data<float>()) {
    nans += std::isnan(x) ? 1 : 0;
    infinite += std::isinf(x) ? 1 : 0;
  }
  const std::string problem = "is not finite on samples of the data";
  return {
      ErrorCode::kBadInput, maker == ir::kNoNode ? "input '" + value + "'" : "layer '" + graph.node(maker).name + "'",
      maker == ir::kNoNode ? problem : "its output '" + value + "' " + problem, "finite numbers",
      std::to_string(nans) + " NaN and " + std::to_string(infinite) + " infinite of " + std::to_string(tensor.numel())};
}

void require_finite(const ir::Graph& graph, const std::string& value, const Tensor& tensor) {
  if (tensor.dtype() == DType::kFloat32 && !all_finite(tensor.data<float>())) throw not_finite(graph, value, tensor);
}

}  // namespace pare::compress
