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

  /// Whether there is an output to judge by: the one that the data names, else all of floats that are not 0 throughout
  /// (a detector has boxes and scores).
  bool usable() const noexcept { return !outputs_.empty(); }
  /// Why not.
  const std::string& why_not() const noexcept { return why_not_; }
  std::vector<std::string> outputs() const;  ///< that are judged
  std::int64_t samples() const noexcept { return samples_; }
  /// Σ(a−b)²/Σa² of each output against the float model, and the mean over the outputs: each counts by its own power.
  /// Elements that are not finite in the float model do not count; infinite when others are not finite. An output that
  /// has another size than the float model's, as what survives a threshold may, has lost what it said in that batch.
  double noise(const ir::Model& model) const;

 private:
  struct Output {
    std::string name;
    std::vector<Tensor> wanted;  ///< by batch, float32
    double power = 0;            ///< of all batches
  };
  double noise(const Output& output, std::size_t batch, const Tensor& answer) const;

  const StepContext& context_;
  std::string why_not_;
  std::int64_t samples_ = 0;
  std::vector<Batch> batches_;
  std::vector<Output> outputs_;
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
