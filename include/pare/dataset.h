// A data set, described by a YAML file (docs/data.md), seen through the inputs of one model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pare/model.h"

namespace pare {

class Dataset {
 public:
  /// No splits at all: for steps that need no data.
  Dataset();
  /// Paths in the description are relative to it; `val` is a fixed tenth held out of `train` unless it is given. Throws
  /// Error(kBadInput or kUsage) naming the key or file: missing files, damaged content, arrays whose shape or type is
  /// not what the model wants, labels beyond the model's classes.
  static Dataset open(const std::string& yaml, const Model& model);

  bool empty() const noexcept;
  const std::string& description() const noexcept;  ///< "idx, 54000 train, 6000 val (held out), 10000 test"
  /// Samples of "train", "val" or "test"; −1 when the split is absent. Error(kUsage) for another name.
  std::int64_t size(const std::string& split) const;
  bool labelled(const std::string& split) const;

  struct Impl;
  const Impl& impl() const noexcept { return *impl_; }

 private:
  explicit Dataset(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// A format that data descriptions may name.
struct FormatInfo {
  std::string name, summary;
};
std::vector<FormatInfo> dataset_formats();

}  // namespace pare
