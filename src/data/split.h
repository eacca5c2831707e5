// The samples of a source that make one split, and their batches.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/preprocess.h"

namespace pare::data {

/// What a split needs to make batches; shared by its subsets.
struct SplitContext {
  std::shared_ptr<const Source> source;
  Preprocess preprocess;
  Augment augment;
  std::vector<InputSpec> inputs;                 ///< of the model; empty: unknown
  InputSpec image_input;                         ///< what images feed (images only)
  std::shared_ptr<const Normalizer> normalizer;  ///< images only
  std::int64_t classes = 0;
  Tensor targets;        ///< of every sample of the source, in the shape of the model's output; undefined without
  std::string identity;  ///< the settings, for the fingerprint
};

std::shared_ptr<const Split> make_split(std::shared_ptr<const SplitContext> context, std::vector<std::int64_t> indices);

/// Batches of `samples` (indices of the source), without labels and indices.
NamedTensors batch_images(const SplitContext& context, std::span<const std::int64_t> samples, std::uint64_t seed,
                          std::int64_t augment_epoch);
NamedTensors batch_arrays(const SplitContext& context, std::span<const std::int64_t> samples);

}  // namespace pare::data
