#include "compress/layerwise/hidden.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/threads.h"
#include "compress/statistics.h"
#include "data/padding.h"

namespace pare::compress {
namespace {

bool is_mask(const Tensor& tensor) {
  if (tensor.dtype() != DType::kInt64 || tensor.rank() != 2) return false;
  const auto values = tensor.data<std::int64_t>();
  return std::ranges::all_of(values, [](std::int64_t x) { return x == 0 || x == 1; }) &&
         std::ranges::find(values, 0) != values.end();
}

/// Inputs that are no mask, with other content where the mask is 0: what stands at a shown position of the row.
/// False: nothing was there to change.
bool change_hidden(NamedTensors& inputs, const std::string& mask) {
  const Tensor hides = inputs.at(mask);
  const auto shows = hides.data<std::int64_t>();
  const auto length = static_cast<std::size_t>(hides.dim(1));
  bool changed = false;
  for (auto& [name, tensor] : inputs) {
    if (name == mask || tensor.dtype() != DType::kInt64 || tensor.dims() != hides.dims()) continue;
    Tensor other = tensor.clone();
    auto values = other.mutable_data<std::int64_t>();
    for (std::size_t row = 0; row < values.size(); row += length)
      for (std::size_t at = 0, shown = 0; at < length; ++at) {
        if (shows[row + at] != 0) {
          shown = at;
        } else if (values[row + at] != values[row + shown]) {
          values[row + at] = values[row + shown];
          changed = true;
        }
      }
    tensor = other;
  }
  return changed;
}

bool same(const NamedTensors& a, const NamedTensors& b) {
  constexpr double kRounding = 1e-5;
  for (const auto& [name, left] : a) {
    const Tensor& right = b.at(name);
    if (left.dims() != right.dims() || left.dtype() != right.dtype()) return false;
    if (left.dtype() != DType::kFloat32) {
      if (!left.identical(right)) return false;
      continue;
    }
    const auto x = left.data<float>(), y = right.data<float>();
    double largest = 0, off = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      largest = std::max(largest, std::fabs(static_cast<double>(x[i])));
      off = std::max(off, std::fabs(static_cast<double>(x[i]) - static_cast<double>(y[i])));
    }
    if (!(off <= kRounding * largest)) return false;
  }
  return true;
}

}  // namespace

HiddenPositions::HiddenPositions(const ir::Model& model, const StepContext& context) {
  constexpr std::int64_t kSamples = 8;
  const data::Split& split = *context.dataset.train;
  const std::int64_t fixed = fixed_batch(model);
  const auto indices = calibration_indices(split.size(), fixed > 0 ? fixed : kSamples, context.execution.seed);
  NamedTensors inputs = split.batch(indices).inputs;
  if (fixed > 1) data::fill_up(inputs, static_cast<std::int64_t>(indices.size()), fixed);
  const auto found = std::ranges::find_if(inputs, [](const auto& entry) { return is_mask(entry.second); });
  if (found == inputs.end()) return;
  NamedTensors changed = inputs;
  if (!change_hidden(changed, found->first)) return;
  auto executor = context.backend.compile(model, {.threads = resolve_threads(context.execution.threads),
                                                  .max_memory = context.execution.max_memory});
  if (same(executor->run(inputs), executor->run(changed))) mask_ = found->first;
}

Tensor HiddenPositions::shown(const Tensor& value, const NamedTensors& inputs) const {
  if (mask_.empty() || value.rank() < 3 || value.dtype() != DType::kFloat32) return value;
  const Tensor& mask = inputs.at(mask_);
  if (value.dim(0) != mask.dim(0) || value.dim(1) != mask.dim(1)) return value;
  const auto shows = mask.data<std::int64_t>();
  const auto from = value.data<float>();
  const std::size_t width = from.size() / shows.size();
  std::vector<float> rows;
  rows.reserve(from.size());
  std::int64_t count = 0;
  for (std::size_t at = 0; at < shows.size(); ++at) {
    if (shows[at] == 0) continue;
    rows.insert(rows.end(), from.begin() + static_cast<std::ptrdiff_t>(at * width),
                from.begin() + static_cast<std::ptrdiff_t>((at + 1) * width));
    ++count;
  }
  Dims dims = {count};
  for (std::int64_t axis = 2; axis < value.rank(); ++axis) dims.push_back(value.dim(axis));
  return Tensor::from(dims, rows);
}

}  // namespace pare::compress
