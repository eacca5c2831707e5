#include "data/file_source.h"

#include <utility>

#include "data/image_file.h"
#include "pare/error.h"

namespace pare::data {

FileImages::FileImages(std::string name, std::filesystem::path list, std::vector<ImageFile> images, bool labelled,
                       std::int64_t classes)
    : list_(std::move(list)), images_(std::move(images)), labelled_(labelled), classes_(classes) {
  if (images_.empty()) throw Error(ErrorCode::kBadInput, name, "names no images");
}

Sample FileImages::read(std::int64_t index) const {
  const ImageFile& image = images_[static_cast<std::size_t>(index)];
  Sample sample;
  sample.inputs.emplace("", read_image(image.path));
  sample.label = image.label;
  return sample;
}

std::string FileImages::where(std::int64_t index) const {
  const ImageFile& image = images_[static_cast<std::size_t>(index)];
  if (image.line == 0) return image.path.string();
  return list_.string() + " line " + std::to_string(image.line) + " (" + image.path.string() + ")";
}

std::vector<std::filesystem::path> FileImages::files() const {
  std::vector<std::filesystem::path> paths;
  if (!list_.empty()) paths.push_back(list_);
  for (const ImageFile& image : images_) paths.push_back(image.path);
  return paths;
}

}  // namespace pare::data
