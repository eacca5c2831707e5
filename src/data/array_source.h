// Arrays by input name, one sample a row: what npz and npy become unless they hold images.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/answers.h"
#include "data/dataset.h"

namespace pare::data {

class Arrays : public Source {
 public:
  /// Throws Error(kBadInput) when there is no array, when the numbers of rows or labels differ or are 0, and for NaN
  /// and infinite values (naming array and sample).
  Arrays(std::string name, NamedTensors arrays, Answers answers, std::vector<std::filesystem::path> files);

  std::int64_t size() const override { return rows_; }
  Sample read(std::int64_t index) const override;
  bool labelled() const override { return answers_.labelled; }
  Tensor targets() const override { return answers_.targets; }
  bool images() const override { return false; }
  std::int64_t label(std::int64_t index) const override {
    return answers_.labelled ? answers_.labels[static_cast<std::size_t>(index)] : -1;
  }
  std::string where(std::int64_t index) const override { return name_ + " sample " + std::to_string(index); }
  std::vector<std::filesystem::path> files() const override { return files_; }

 private:
  std::string name_;
  std::shared_ptr<const NamedTensors> arrays_;
  Answers answers_;
  std::vector<std::filesystem::path> files_;
  std::int64_t rows_ = 0;
};

}  // namespace pare::data
