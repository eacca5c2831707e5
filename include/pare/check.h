// Is a model valid, and what can Pare do with it?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pare/model.h"

namespace pare {

/// A tensor of the model with elements that are not finite. Infinities outside weights are legitimate (attention
/// masks).
struct NonFiniteTensor {
  std::string tensor;
  std::int64_t nans = 0, infinities = 0, elements = 0;
  bool harmful = true;
};

/// A node that an executor cannot take, and why.
struct RefusalInfo {
  std::string node, op_type, reason;
  std::int64_t opset = 0;           ///< of the operator's domain; 0: none is imported
  std::vector<std::string> inputs;  ///< types and shapes as far as they are known: "float32 [batch, 3, ?]"
};

struct CheckOptions {
  bool train = false;  ///< ask the trainer too (loads the training plug-in)
};

struct CheckReport {
  std::vector<std::string> problems;  ///< broken rules; empty: valid
  std::vector<NonFiniteTensor> non_finite;
  std::vector<RefusalInfo> runtime;  ///< empty: it runs
  bool train_asked = false;
  std::string train_unavailable;      ///< why the trainer could not be asked; "" otherwise
  std::vector<RefusalInfo> train;     ///< empty: it can be trained
  std::vector<std::string> possible;  ///< commands that work on this model

  bool valid() const noexcept;  ///< no problem and no harmful non-finite tensor
};

CheckReport check(const Model& model, const CheckOptions& options = {});

}  // namespace pare
