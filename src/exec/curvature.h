// Second derivatives of a training loss. A Trainer that can differentiate twice is one of these too (dynamic_cast).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "data/dataset.h"

namespace pare::exec {

class Curvature {
 public:
  virtual ~Curvature() = default;
  /// vᵀ(Hv) by parameter, H the Hessian of the batch's mean loss and v random signs in all parameters at once (BatchNorm
  /// and Dropout in inference mode): its mean over `probe` is the trace of each parameter's own block of H (Hutchinson
  /// 1990; terms between two parameters vanish in the mean). The same probe and seed give the same signs.
  virtual std::map<std::string, double> hessian_traces(const data::Batch& batch, std::uint64_t probe) = 0;
};

}  // namespace pare::exec
