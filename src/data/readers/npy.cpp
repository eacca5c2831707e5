// numpy arrays in files of their own: `images` (uint8) or `file` (ready for the model's only input), and `labels`
// or `targets`.
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
  if (split.has("labels") && split.has("targets"))
    throw split.error("targets", "cannot be combined with labels: a model is judged by classes or by numbers");
  Answers answers;
  for (const char* key : {"labels", "targets"}) {
    if (!split.has(key)) continue;
    files.push_back(split.path(key));
    const std::string file = files.back().string();
    answers = std::string_view(key) == "labels" ? as_labels(file, read_npy(file)) : as_targets(file, read_npy(file));
  }
  if (images) {
    return std::make_shared<MemoryImages>(path.string(), as_images(path.string(), array), std::move(answers),
                                          std::move(files));
  }
  NamedTensors arrays;
  arrays.emplace("", std::move(array));
  return std::make_shared<Arrays>(path.string(), std::move(arrays), std::move(answers), std::move(files));
}

}  // namespace pare::data
