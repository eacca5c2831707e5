// One layer's weights as indices into a codebook, of numbers or of vectors.
#pragma once

#include <span>

#include "compress/quantize/levels.h"
#include "compress/targets.h"
#include "ir/model.h"
#include "pare/error.h"

namespace pare::compress {

inline constexpr std::int64_t kFourBitEntries = 16;  ///< up to these, indices take 4 bits (opset 21)
inline constexpr std::int64_t kTwoBitEntries = 4;    ///< up to these, 2 bits, where the opset has them
inline constexpr std::int64_t kTwoBitIndexOpset = 25;

struct CodebookSpec {
  /// Which weights share a codebook: all of the tensor, those of so many output channels, or, of vectors, those at the
  /// same inputs (product quantization).
  enum class Sharing { kTensor, kChannels, kPosition };

  const Levels* levels = nullptr;  ///< of numbers; vectors are always centroids
  int entries = 16;
  Sharing sharing = Sharing::kTensor;
  std::int64_t channels = 1;  ///< of kChannels
  int vector = 1;             ///< weights of one output, next to each other, that an index stands for
  bool keep_zeros = true;
  std::string start = "auto";
  bool two_bits = false;  ///< indices may take uint2
};

struct LayerCodebook {
  Tensor indices;               ///< uint8 of the weight's shape; of vectors [outputs, inputs of an output / vector]
  DType index_type = DType::kUint8;  ///< as they are stored
  std::vector<float> codebook;  ///< [parts, entries, vector]; 0 is the first entry of a part that has it
  std::int64_t parts = 1, entries = 0, vector = 1;
  Tensor first;                 ///< int32: the entry at which an index' part begins; broadcasts to the indices
  double error = 0;             ///< Σ(ŵ − w)² / Σw²

  /// Of a weight, codebook and all.
  double bits() const;
};

/// What make_codebook() throws where `inputs` of a layer are no multiple of the vector; Error(kUnsupported).
Error not_whole_vectors(const Layer& layer, std::int64_t inputs, std::int64_t vector);

/// `rng` draws random starts. `importance`: what the squared error of each weight counts, in the weight's layout; empty:
/// all alike. Error(kBadInput) names a weight that is not finite, Error(kUnsupported) a layer whose inputs do not come in
/// whole vectors, or, with keep_zeros, whose zeros do not.
LayerCodebook make_codebook(const Layer& layer, const Tensor& weight, const CodebookSpec& spec, Rng& rng,
                            std::span<const float> importance = {});

/// The layer reads, instead of its weight,
///   indices (of index_type) → Cast(int32) [→ Add(first)] → Gather(codebook, ·)
/// and, of vectors, → Reshape [→ Transpose], which any runtime folds into the weight when it loads.
void insert_codebook(ir::Model& model, const Layer& layer, const LayerCodebook& codebook);

}  // namespace pare::compress
