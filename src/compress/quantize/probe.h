// Error injection end to end: what a change of the model does to its output, measured on the backend that ships it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compress/method.h"
#include "compress/quantize/placement.h"
#include "data/padding.h"

namespace pare::compress {

/// Some samples of the split that decides (val, else train) and what the float model answers to them.
class Probe {
 public:
  /// A model of a fixed batch gets the last sample again and again where there are too few; only `rows` count.
  struct Batch {
    NamedTensors inputs;
    std::int64_t rows = 0, size = 0;
    Tensor judged(const Tensor& tensor) const { return data::first_rows(tensor, rows, size); }
  };

  /// `samples` > 0 of them, chosen by the seed. Batches are small: memory is that of one.
  Probe(const ir::Model& model, std::int64_t samples, const StepContext& context);

  /// Whether the model has a float output to judge by (its first).
  bool usable() const noexcept { return !output_.empty(); }
  std::int64_t samples() const noexcept { return samples_; }
  /// Σ(a−b)²/Σa² of the output against the float model; infinite when it is not finite.
  double noise(const ir::Model& model) const;

 private:
  const StepContext& context_;
  std::string output_;
  std::int64_t samples_ = 0;
  std::vector<Batch> batches_;
  std::vector<Tensor> reference_;
  double signal_ = 0;
};

/// 10·log10(1/noise), at most 200.
double decibels(double noise);

/// What was seen of each channel of a layer's input.
struct InputChannels {
  std::vector<double> mean, power, largest;  ///< mean of x, of x², and largest |x|
  std::vector<double> magnitude = {};        ///< mean of |x|
};

/// Of values by name, over some training samples; the channels lie on the given axis, −1 being the last.
std::map<std::string, InputChannels> value_channels(const ir::Model& model,
                                                    const std::map<std::string, std::int64_t>& values,
                                                    std::int64_t samples, const StepContext& context);

/// By node name, over some training samples: what bias correction, SmoothQuant and AWQ need.
std::map<std::string, InputChannels> input_channels(const ir::Model& model, const std::vector<Layer>& layers,
                                                    std::int64_t samples, const StepContext& context);

}  // namespace pare::compress
