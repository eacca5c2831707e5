#include "compress/prune/obs_rows.h"

namespace pare::compress {

ObsRows::ObsRows(const PruneTarget& target, bool keep_zeros, std::int64_t first, std::int64_t count)
    : view(target.view),
      first(first),
      count(static_cast<std::size_t>(count)),
      n(static_cast<std::size_t>(view.taps * view.inputs)),
      weights(n * this->count),
      gone(n * this->count, false) {
  const auto values = target.weight.data<float>();
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t r = 0; r < this->count; ++r) {
      const float value = values[element(j, r)];
      weights[at(j, r)] = static_cast<double>(value);
      gone[at(j, r)] = keep_zeros && value == 0;
    }
}

void ObsRows::write(std::span<float> weight) const {
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t r = 0; r < count; ++r)
      weight[element(j, r)] = gone[at(j, r)] ? 0.0F : static_cast<float>(weights[at(j, r)]);
}

std::vector<std::vector<std::size_t>> column_blocks(const ir::WeightView& view, const ir::SparsityPattern& pattern) {
  std::vector<std::vector<std::size_t>> blocks;
  for (std::int64_t tap = 0; tap < view.taps; ++tap)
    for (std::int64_t input = 0; input < view.inputs; ++input) {
      if (input % pattern.block_inputs == 0) blocks.emplace_back();
      blocks.back().push_back(static_cast<std::size_t>(tap * view.inputs + input));
    }
  return blocks;
}

}  // namespace pare::compress
