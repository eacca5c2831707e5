// numpy arrays in files of their own: `images` (uint8) or `file` (ready for the model's only input), and `labels`.
#include "data/npy.h"

#include "base/file.h"
#include "data/array_source.h"
#include "data/memory_source.h"
#include "data/reader.h"

namespace pare::data {

std::shared_ptr<const Source> open_npy(const Settings& split) {
  const bool images = split.has("images");
  if (images == split.has("file"))
    throw split.error("", "needs one of images (uint8 pixels) and file (a finished input)");
  const fs::path path = split.path(images ? "images" : "file");
  std::vector<fs::path> files{path};
  Tensor array = read_npy(path);
  std::vector<std::int64_t> labels;
  const bool labelled = split.has("labels");
  if (labelled) {
    files.push_back(split.path("labels"));
    labels = as_labels(files.back().string(), read_npy(files.back()));
  }
  if (images) {
    return std::make_shared<MemoryImages>(path.string(), as_images(path.string(), array), std::move(labels), labelled,
                                          std::move(files));
  }
  NamedTensors arrays;
  arrays.emplace("", std::move(array));
  return std::make_shared<Arrays>(path.string(), std::move(arrays), std::move(labels), labelled, std::move(files));
}

}  // namespace pare::data
