// BRECQ (Li et al., BRECQ: Pushing the Limit of Post-Training Quantization by Block Reconstruction, 2021): all weights of a
// block learn together, up or down, what makes the block's output most like that of the float model.
#pragma once

#include <string>
#include <vector>

#include "compress/method.h"
#include "compress/quantize/soft_rounding.h"
#include "compress/targets.h"
#include "passes/qdq.h"

namespace pare::compress {

struct BlockRounding {
  std::string output;               ///< value that the block makes
  std::vector<std::string> layers;  ///< node names
  double before = 0, after = 0;     ///< (weighted) mean squared error of the output, as rounded layer by layer and as learned
  std::string why_not;              ///< not learned, for this reason
  std::string error = "squared";    ///< or "fisher"
  std::string why_squared = {};     ///< where Fisher information was asked for
};

/// `plan` has the layers' grids and integers, rounded layer by layer. Block after block (blocks.h), whose inputs are those
/// that the rounded blocks before make, minimizes the mean squared error to the float model's output over `samples` of
/// train by Adam on V (soft_rounding.h) of all its weights, in batches of 32; gradients are the training plug-in's. A
/// block keeps its integers where those learned are no better over all samples. `fisher`: each element of the error counts
/// by the squared gradient of the loss there (fisher.h; equation 10), of mean 1, where the trainer takes the whole model;
/// without it all count alike, which needs no labels.
std::vector<BlockRounding> round_blocks(const ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                                        const SoftRoundingOptions& options, bool fisher, const StepContext& context,
                                        passes::QdqPlan& plan);

}  // namespace pare::compress
