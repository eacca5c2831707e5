// Images in files of their own, decoded when they are read: what imagefolder and csv become.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace pare::data {

struct ImageFile {
  std::filesystem::path path;
  std::int64_t label = -1;
  std::int64_t line = 0;  ///< of the csv that names it; 0: none does
};

class FileImages : public Source {
 public:
  /// `list`: the csv that names the images, or empty. Throws Error(kBadInput) without images.
  FileImages(std::string name, std::filesystem::path list, std::vector<ImageFile> images, bool labelled,
             std::int64_t classes);

  std::int64_t size() const override { return static_cast<std::int64_t>(images_.size()); }
  Sample read(std::int64_t index) const override;
  bool labelled() const override { return labelled_; }
  bool images() const override { return true; }
  std::int64_t classes() const override { return classes_; }
  std::int64_t label(std::int64_t index) const override { return images_[static_cast<std::size_t>(index)].label; }
  std::string where(std::int64_t index) const override;
  std::vector<std::filesystem::path> files() const override;

 private:
  std::filesystem::path list_;
  std::vector<ImageFile> images_;
  bool labelled_;
  std::int64_t classes_;
};

}  // namespace pare::data
