// path/CLASS/**.jpg: the class is the subfolder's place in sorted order. Without subfolders the images have no labels.
#include <algorithm>
#include <map>

#include "base/file.h"
#include "base/text.h"
#include "data/file_source.h"
#include "data/image_file.h"
#include "data/reader.h"

namespace pare::data {

namespace {

bool hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

std::vector<fs::path> sorted_entries(const fs::path& folder, bool recursive) {
  std::vector<fs::path> entries;
  try {
    if (recursive) {
      for (const auto& entry :
           fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink)) {
        entries.push_back(entry.path());
      }
    } else {
      for (const auto& entry : fs::directory_iterator(folder)) entries.push_back(entry.path());
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::kIo, folder.string(), "cannot be listed: " + error.code().message());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace

std::shared_ptr<const Source> open_imagefolder(const Settings& split) {
  const fs::path root = split.path("path");
  if (!fs::exists(root)) throw Error(ErrorCode::kBadInput, root.string(), "no such folder");
  if (!fs::is_directory(root)) throw Error(ErrorCode::kBadInput, root.string(), "is a file, not a folder");
  std::vector<ImageFile> loose, images;
  std::vector<std::string> classes;
  for (const fs::path& entry : sorted_entries(root, false)) {
    if (hidden(entry)) continue;
    if (!fs::is_directory(entry)) {
      if (has_image_extension(entry)) loose.push_back({entry, -1, 0});
      continue;
    }
    const std::size_t before = images.size();
    for (const fs::path& path : sorted_entries(entry, true)) {
      if (!hidden(path) && has_image_extension(path))
        images.push_back({path, static_cast<std::int64_t>(classes.size()), 0});
    }
    if (images.size() == before)
      throw Error(ErrorCode::kBadInput, entry.string(), "the class folder holds no jpeg or png images");
    classes.push_back(entry.filename().string());
  }
  if (!loose.empty() && !images.empty()) {
    throw Error(ErrorCode::kBadInput, root.string(), "holds images beside class folders",
                "images in class folders only", loose.front().path.filename().string());
  }
  const bool labelled = loose.empty();
  const auto count = static_cast<std::int64_t>(classes.size());
  return std::make_shared<FileImages>(root.string(), fs::path(), labelled ? std::move(images) : std::move(loose),
                                      labelled, labelled ? count : 0);
}

}  // namespace pare::data
