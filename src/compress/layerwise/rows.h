// Some of the rows that layers multiply, for errors that have no closed form in what layers see.
#pragma once

#include <map>
#include <vector>

#include "compress/method.h"
#include "compress/targets.h"

namespace pare::compress {

struct LayerRows {
  std::int64_t rows = 0, columns = 0, groups = 1;  ///< columns = taps · inputs in the order of the weight's view
  std::vector<std::vector<float>> x;               ///< of each group [rows, columns]
};

/// About `rows` rows of every layer that can be unfolded (why_no_hessian), by node: as many from each batch of `samples`
/// training samples, at positions that the seed draws, or all where there are no more. Positions that a mask hides (hidden.h) do not count.
std::map<ir::NodeId, LayerRows> sample_rows(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                                            std::int64_t rows, const StepContext& context);

}  // namespace pare::compress
