// Running a model on this CPU.
#pragma once

#include <memory>

#include "pare/control.h"
#include "pare/model.h"
#include "pare/tensor.h"

namespace pare {

struct SessionOptions {
  ExecutionOptions execution;
  /// Run QuantizeLinear/DequantizeLinear exactly as written, around float operators, instead of by integer kernels.
  bool float_qdq = false;
  /// kBFloat16: float32 layers multiply in bfloat16 and sum in float32. Error(kUnsupported) on a CPU without it.
  DType precision = DType::kFloat32;
  /// Choose kernels by timing them where several take a layer, the first time that its shape is seen on this machine;
  /// times are kept in the user's cache folder. Without it choices follow from estimates, the same on every run.
  bool tune = false;
  /// No kernels whose float32 sums round more than a direct product's (Winograd convolutions, 1e-6 of the range).
  bool exact = false;
};

/// A compiled model. run() may be called from several threads at once; plans are cached by input shape.
class Session {
 public:
  /// Throws Error(kUnsupported) naming every node that cannot run, and why.
  explicit Session(const Model& model, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// All outputs by name. Throws Error(kBadInput) naming the input that is missing, unknown, or of another type or
  /// shape than the model's.
  NamedTensors run(const NamedTensors& inputs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Seeded random inputs of a model for a batch size; integer inputs are small and not negative. Symbols other than the
/// batch need `shapes`, else Error(kBadInput) names the input.
NamedTensors random_inputs(const Model& model, std::int64_t batch, const InputShapes& shapes = {},
                           std::uint64_t seed = 0);

}  // namespace pare
