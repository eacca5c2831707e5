// One layer's weights as indices into a codebook.
#pragma once

#include "compress/quantize/levels.h"
#include "compress/targets.h"
#include "ir/model.h"

namespace pare::compress {

struct CodebookSpec {
  const Levels* levels = nullptr;
  int entries = 16;
  bool per_channel = false;
  bool keep_zeros = true;
  std::string start = "auto";
};

struct LayerCodebook {
  Tensor indices;                ///< uint8 of the weight's shape
  std::vector<float> codebook;   ///< [parts, entries]: parts are the output channels, or one
  std::int64_t parts = 1, entries = 0;
  int axis = -1;                 ///< of the output channels, where there are several parts
  double error = 0;              ///< Σ(ŵ − w)² / Σw²
};

/// `rng` draws random starts. Error(kBadInput) names a weight that is not finite.
LayerCodebook make_codebook(const Layer& layer, const Tensor& weight, const CodebookSpec& spec, Rng& rng);

/// The layer reads, instead of its weight,
///   indices (uint4 up to 16 entries, else uint8) → Cast(int32) [→ Add(channel · entries)] → Gather(codebook, ·)
/// which any runtime folds into the weight when it loads. uint4 asks for opset 21.
void insert_codebook(ir::Model& model, const Layer& layer, const LayerCodebook& codebook);

}  // namespace pare::compress
