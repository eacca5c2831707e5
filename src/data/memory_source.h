// Images that lie in memory as uint8, one after the other: what idx, cifar and numpy images become.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/answers.h"
#include "data/dataset.h"

namespace pare::data {

class MemoryImages : public Source {
 public:
  /// `images`: uint8 N×H×W×C. `answers`: N of them or none. Throws Error(kBadInput) when their numbers differ or N is
  /// 0.
  MemoryImages(std::string name, Tensor images, Answers answers, std::vector<std::filesystem::path> files);

  std::int64_t size() const override { return images_.dim(0); }
  Sample read(std::int64_t index) const override;
  bool labelled() const override { return answers_.labelled; }
  Tensor targets() const override { return answers_.targets; }
  bool images() const override { return true; }
  std::int64_t label(std::int64_t index) const override;
  std::string where(std::int64_t index) const override { return name_ + " image " + std::to_string(index); }
  std::vector<std::filesystem::path> files() const override { return files_; }

 private:
  std::string name_;
  Tensor images_;
  Answers answers_;
  std::vector<std::filesystem::path> files_;
  Dims image_dims_;
  std::size_t image_bytes_;
  std::shared_ptr<const Tensor> owner_;  ///< keeps the pixels alive in the views that read() returns
};

/// N×H×W (one channel) or N×H×W×C with C of 1, 3 or 4 as N×H×W×C; throws Error(kBadInput) otherwise.
Tensor as_images(const std::string& name, const Tensor& array);

}  // namespace pare::data
