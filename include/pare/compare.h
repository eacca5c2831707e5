// Where two models differ: layer by layer, and at the outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pare/control.h"
#include "pare/dataset.h"
#include "pare/evaluate.h"
#include "pare/model.h"

namespace pare {

struct CompareOptions {
  ExecutionOptions execution;
  Control control;
  std::string split;        ///< "train", "val" or "test"; "": test, else val, else train
  std::int64_t limit = 0;   ///< samples, the first ones; 0: all
  std::int64_t batch = 8;   ///< samples run at once; a model with a fixed batch uses its own
  bool float_qdq = false;   ///< quantized nodes as the files spell them, in float, instead of by integer kernels
  bool exact = false;       ///< as SessionOptions::exact
  InputShapes shapes;       ///< of random inputs, where there is no data
  std::int64_t random = 8;  ///< random samples, where there is no data
  /// Samples, the first ones, on which each layer's error alone is put into a; 0: not done. Three compilations and two
  /// passes over them for each layer that differs.
  std::int64_t injection = 0;
};

/// Errors are those of `b` against `a`, over all samples and elements. Elements that are not finite count only as
/// `mismatched`, where they differ.
struct DifferenceInfo {
  bool identical = false;
  /// 10·log10(Σa² / Σ(a−b)²); unset when identical, −infinity when all of a is zero.
  std::optional<double> snr_db;
  double max_error = 0, mean_error = 0;  ///< of |a − b|
  std::optional<double> cosine;          ///< unset when one is zero throughout
  double min_a = 0, max_a = 0, min_b = 0, max_b = 0;
  std::int64_t elements = 0, mismatched = 0;
};

/// Values of a layer in both models, counted in as many even steps of [low, high], which holds both ranges. Fine counts
/// are kept in 8192 bins around zero: a step is right to 1/4096 of the largest magnitude.
struct HistogramInfo {
  double low = 0, high = 0;
  std::vector<std::int64_t> a, b;
};

/// A layer's own error, made on a's inputs to it and put into a, everything else being a's.
struct InjectionInfo {
  std::optional<double> layer_snr_db;  ///< of the layer's value; unset when it makes no error
  bool harmless = false;               ///< the output stays the same
  std::optional<double> snr_db;        ///< of the output; unset when harmless
  std::optional<double> agreement;     ///< percent of top-1; unset for an output without classes
};

/// A value that both models hold as a tensor at run time; what is fused away has no row.
struct LayerComparison {
  std::string layer, op_type;  ///< the node of a, of fused ones the main one; op_type "Input": a quantized input
  std::string value;           ///< its name in a
  std::string other_layer, other_value;  ///< the same in b: for quantized values the DequantizeLinear output
  std::string matched_by;                ///< "name" or "position" (operator, shapes and order)
  Dims dims;                             ///< of one batch
  DifferenceInfo difference;
  /// By how many dB the SNR is lower than that of the worst layer that feeds this one; negative where it is higher.
  /// Layers before count as no better than the best one of the model that differs at all. Unset when identical.
  std::optional<double> drop_db;
  HistogramInfo histogram;
  /// Unset when the layer is identical, when it is an input that b leaves alone, or when it was not asked for.
  std::optional<InjectionInfo> injected;
};

struct UncomparedLayer {
  std::string model;  ///< "a" or "b"
  std::string layer, op_type, value, reason;
};

struct OutputComparison {
  std::string output, other;  ///< names in a and b
  DifferenceInfo difference;
};

struct Comparison {
  std::string split;  ///< "" for random inputs
  std::int64_t samples = 0;
  bool random = false;
  std::string judged_output;  ///< that a, b and agreement belong to; "" when no float output has classes
  Quality a, b;               ///< b's with agreement and SNR against a
  std::vector<OutputComparison> outputs;
  std::vector<LayerComparison> layers;  ///< in the order in which a computes them
  std::vector<UncomparedLayer> uncompared;
  /// Index of the layer with the largest drop of SNR; unset when nothing differs.
  std::optional<std::size_t> damage;
  std::int64_t injection_samples = 0;
  /// Index of the layer whose error alone leaves the lowest SNR at the output; unset when none was injected.
  std::optional<std::size_t> most_sensitive;
};

/// Runs both models side by side over the samples; neither's activations are kept. Layers are matched by the name of
/// their value, then by position; quantized values are compared dequantized. Without a data set (`data` empty) the
/// inputs are random, which says whether two models compute the same, not how much accuracy a difference costs.
/// Throws Error(kBadInput) naming the input or output in which the models differ, or weights that are not finite;
/// Error(kUsage) for a split that is absent; Error(kUnsupported) listing nodes that cannot run.
Comparison compare(const Model& a, const Model& b, const Dataset& data, const CompareOptions& options = {});

}  // namespace pare
