#include "data/memory_source.h"

#include <utility>

#include "pare/error.h"

namespace pare::data {

MemoryImages::MemoryImages(std::string name, Tensor images, Answers answers, std::vector<std::filesystem::path> files)
    : name_(std::move(name)), images_(std::move(images)), answers_(std::move(answers)), files_(std::move(files)) {
  const std::int64_t count = images_.dim(0);
  if (images_.numel() == 0) throw Error(ErrorCode::kBadInput, name_, "holds no images");
  answers_.require_count(name_, count, "images");
  image_dims_ = {images_.dim(1), images_.dim(2), images_.dim(3)};
  image_bytes_ = images_.bytes() / static_cast<std::size_t>(count);
  owner_ = std::make_shared<const Tensor>(images_);
}

Sample MemoryImages::read(std::int64_t index) const {
  Sample sample;
  const std::byte* pixels = owner_->raw() + static_cast<std::size_t>(index) * image_bytes_;
  sample.inputs.emplace("", Tensor::view(DType::kUint8, image_dims_, pixels, owner_));
  sample.label = label(index);
  return sample;
}

std::int64_t MemoryImages::label(std::int64_t index) const {
  return answers_.labelled ? answers_.labels[static_cast<std::size_t>(index)] : -1;
}

Tensor as_images(const std::string& name, const Tensor& array) {
  const std::string got = std::string(pare::name(array.dtype())) + " " + to_string(array.dims());
  const std::string expected = "uint8, images x height x width (x 1, 3 or 4 channels, last)";
  const bool shaped =
      array.rank() == 3 || (array.rank() == 4 && (array.dim(3) == 1 || array.dim(3) == 3 || array.dim(3) == 4));
  if (array.dtype() != DType::kUint8 || !shaped) {
    const bool planar = array.rank() == 4 && (array.dim(1) == 1 || array.dim(1) == 3);
    throw Error(ErrorCode::kBadInput, name, planar ? "holds images with the channels first" : "does not hold images",
                expected, got);
  }
  return array.rank() == 4 ? array : array.reshaped({array.dim(0), array.dim(1), array.dim(2), 1});
}

}  // namespace pare::data
