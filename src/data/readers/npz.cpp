// numpy archives: arrays by the names of the model's inputs (or by `inputs: {input: array}`), or one array of images.
#include "base/file.h"
#include "base/text.h"
#include "data/array_source.h"
#include "data/memory_source.h"
#include "data/npy.h"
#include "data/reader.h"

namespace pare::data {

namespace {

Tensor take(NamedTensors& arrays, const std::string& name, const Settings& split, const std::string& key) {
  const auto found = arrays.find(name);
  if (found != arrays.end()) {
    Tensor array = std::move(found->second);
    arrays.erase(found);
    return array;
  }
  std::vector<std::string> names;
  for (const auto& [other, tensor] : arrays) names.push_back(other);
  throw split.error(key, "no such array in the npz file" + did_you_mean(name, names), "one of " + join(names, ", "),
                    "'" + name + "'");
}

}  // namespace

std::shared_ptr<const Source> open_npz(const Settings& split) {
  const fs::path path = split.path("file");
  NamedTensors arrays = read_npz(path);
  if (split.has("labels") && split.has("targets"))
    throw split.error("targets", "cannot be combined with labels: a model is judged by classes or by numbers");
  Answers answers;
  for (const char* key : {"labels", "targets"}) {
    if (!split.has(key)) continue;
    const std::string name = split.text(key), subject = path.string() + " array '" + name + "'";
    const Tensor array = take(arrays, name, split, key);
    answers = std::string_view(key) == "labels" ? as_labels(subject, array) : as_targets(subject, array);
  }
  if (split.has("images")) {
    if (split.has("inputs"))
      throw split.error("inputs", "cannot be combined with images, which feed the model's only input");
    const std::string key = split.text("images"), name = path.string() + " array '" + key + "'";
    Tensor images = as_images(name, take(arrays, key, split, "images"));
    return std::make_shared<MemoryImages>(name, std::move(images), std::move(answers), std::vector<fs::path>{path});
  }
  if (split.has("inputs")) {
    const Settings renames = split.map("inputs");
    NamedTensors chosen;
    for (const std::string& input : renames.keys())
      chosen.emplace(input, take(arrays, renames.text(input), renames, input));
    arrays = std::move(chosen);
  }
  return std::make_shared<Arrays>(path.string(), std::move(arrays), std::move(answers), std::vector<fs::path>{path});
}

}  // namespace pare::data
