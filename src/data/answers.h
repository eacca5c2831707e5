// What the samples of a source are judged by: class labels, or the targets of a regression.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::data {

struct Answers {
  std::vector<std::int64_t> labels;
  bool labelled = false;
  Tensor targets;  ///< f32 [N, …]; undefined without

  /// Throws Error(kBadInput) unless there is one for each of the `what` ("samples") of `name`, or none at all.
  void require_count(const std::string& name, std::int64_t samples, const std::string& what) const;
};

/// A one-dimensional integer array as labels; throws Error(kBadInput) otherwise.
Answers as_labels(const std::string& name, const Tensor& array);
/// An array of floats or integers, one row a sample, as targets; throws Error(kBadInput) otherwise, also for an element
/// that is not finite (naming the sample).
Answers as_targets(const std::string& name, const Tensor& array);

}  // namespace pare::data
