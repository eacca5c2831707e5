// The error that each layer of a model makes on its own, put into the model that it is compared with: what one layer
// costs at the output while all others are exact.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/difference.h"
#include "eval/layers.h"
#include "pare/control.h"

namespace pare::eval {

/// A layer as both models know it.
struct LayerPair {
  LayerValue a, b;
  bool identical = false;  ///< nothing to inject
};

struct InjectedError {
  Difference layer;   ///< b's layer on a's inputs against a's layer
  Difference output;  ///< of a with that layer's error against a
  std::optional<double> agreement;  ///< percent of samples with a's top-1; unset where the output has no classes
};

/// A batch for a, the same with the names and types of b's inputs, and how many of its samples count.
struct PairedBatch {
  NamedTensors a, b;
  std::int64_t rows = 0;
};

struct InjectionOptions {
  exec::CompileOptions compile;
  std::string output;            ///< of a, that effects are measured at
  bool classes = false;          ///< its top-1 means something
  std::int64_t fixed_batch = 0;  ///< as CompareOptions
};

/// By layer, in the order of `layers`; nullopt where the layer is identical, where b hands on an input as it is, or where
/// its shape depends on data. The part of b between the nearest compared layers and this one runs on a's values, so that
/// it makes no error but its own (layers that were not compared lie inside such a part); its result takes the place of
/// the layer's value in a. Quantized parts of b meet float inputs there and so run as written, in float between their
/// integer weights and the rounding of their result. Three compilations and two passes over the samples for each layer;
/// memory is that of one batch.
std::vector<std::optional<InjectedError>> inject_errors(const exec::Backend& backend, const ir::Model& a,
                                                        const ir::Model& b, const std::vector<LayerPair>& layers,
                                                        std::span<const PairedBatch> samples,
                                                        const InjectionOptions& options, const Control& control);

}  // namespace pare::eval
