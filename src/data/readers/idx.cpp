// The idx format of MNIST (LeCun et al., http://yann.lecun.com/exdb/mnist): 0 0 TYPE RANK, big-endian dims, raw
// elements.
#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "data/memory_source.h"
#include "data/reader.h"

namespace pare::data {

namespace {

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string magic_text(std::string_view content) {
  char text[16];
  const auto at = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(content[i])); };
  std::snprintf(text, sizeof text, "%02x %02x %02x %02x", at(0), at(1), at(2), at(3));
  return text;
}

// The whole file as a uint8 tensor that shares the read buffer.
Tensor read_idx(const fs::path& path) {
  auto content = std::make_shared<std::string>(read_file(path));
  if (content->starts_with("\x1f\x8b")) *content = gunzip(*content, path.string());
  if (content->size() < 4) {
    throw Error(ErrorCode::kBadInput, path.string(), "is too short to be an idx file", "at least 4 bytes",
                std::to_string(content->size()));
  }
  const auto rank = static_cast<std::size_t>(static_cast<unsigned char>((*content)[3]));
  if ((*content)[0] != 0 || (*content)[1] != 0 || rank == 0 || rank > 4) {
    throw Error(ErrorCode::kBadInput, path.string(), "is not an idx file", "magic number 00 00 08 01 … 04",
                magic_text(*content));
  }
  if ((*content)[2] != 8) {
    throw Error(ErrorCode::kUnsupported, path.string(), "idx elements must be unsigned bytes", "type 08",
                magic_text(*content));
  }
  const std::size_t header = 4 + 4 * rank;
  if (content->size() < header) throw Error(ErrorCode::kBadInput, path.string(), "the idx header is truncated");
  Dims dims;
  for (std::size_t i = 0; i < rank; ++i) dims.push_back(big_endian(std::string_view(*content).substr(4 + 4 * i)));
  const std::size_t wanted = bytes_for(DType::kUint8, dims), got = content->size() - header;
  if (wanted != got) {
    throw Error(ErrorCode::kBadInput, path.string(),
                got < wanted ? "the idx file is truncated" : "the idx file goes on after its last element",
                std::to_string(wanted) + " bytes for " + to_string(dims), std::to_string(got));
  }
  const char* elements = content->data() + header;
  return Tensor::view(DType::kUint8, std::move(dims), elements, std::move(content));
}

}  // namespace

std::shared_ptr<const Source> open_idx(const Settings& split) {
  const fs::path image_path = split.path("images");
  std::vector<fs::path> files{image_path};
  const Tensor images = read_idx(image_path);
  if (images.rank() < 3) {
    throw Error(
        ErrorCode::kBadInput, image_path.string(),
        images.rank() == 1 ? "holds labels, not images; are images and labels swapped?" : "does not hold images",
        "3 or 4 dimensions", to_string(images.dims()));
  }
  Answers answers;
  if (split.has("labels")) {
    const fs::path label_path = split.path("labels");
    files.push_back(label_path);
    const Tensor array = read_idx(label_path);
    if (array.rank() != 1) {
      throw Error(ErrorCode::kBadInput, label_path.string(), "does not hold labels", "1 dimension",
                  to_string(array.dims()));
    }
    answers = as_labels(label_path.string(), array);
  }
  return std::make_shared<MemoryImages>(image_path.string(), as_images(image_path.string(), images), std::move(answers),
                                        std::move(files));
}

}  // namespace pare::data
