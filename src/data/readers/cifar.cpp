// CIFAR-10 and CIFAR-100 binary batches (Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html): records of one label
// byte (CIFAR-100: coarse, then fine; the fine one counts) and 3·32·32 bytes, plane after plane.
#include "base/file.h"
#include "data/memory_source.h"
#include "data/reader.h"

namespace pare::data {

namespace {

constexpr std::size_t kSide = 32, kPlane = kSide * kSide, kPixels = 3 * kPlane;

void append_records(const fs::path& path, std::size_t label_bytes, std::vector<std::uint8_t>& pixels,
                    std::vector<std::int64_t>& labels) {
  std::string content = read_file(path);
  if (content.starts_with("\x1f\x8b")) content = gunzip(content, path.string());
  const std::size_t record = label_bytes + kPixels;
  if (content.empty() || content.size() % record != 0) {
    throw Error(ErrorCode::kBadInput, path.string(),
                "is not a whole number of CIFAR records; truncated, or the other variant?",
                "a multiple of " + std::to_string(record) + " bytes", std::to_string(content.size()));
  }
  const auto* in = reinterpret_cast<const std::uint8_t*>(content.data());
  for (std::size_t start = 0; start < content.size(); start += record) {
    labels.push_back(in[start + label_bytes - 1]);
    const std::uint8_t* planes = in + start + label_bytes;
    for (std::size_t i = 0; i < kPlane; ++i) {
      pixels.insert(pixels.end(), {planes[i], planes[kPlane + i], planes[2 * kPlane + i]});
    }
  }
}

}  // namespace

std::shared_ptr<const Source> open_cifar(const Settings& split) {
  const std::string variant = split.has("variant") ? split.text("variant") : "cifar10";
  if (variant != "cifar10" && variant != "cifar100") {
    throw split.error("variant", "unknown value", "cifar10 or cifar100", "'" + variant + "'");
  }
  std::vector<fs::path> files = split.paths("files");
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  for (const fs::path& path : files) append_records(path, variant == "cifar100" ? 2 : 1, pixels, labels);
  const auto count = static_cast<std::int64_t>(labels.size());
  const std::string name = files.front().string();
  Tensor images = Tensor::from<std::uint8_t>({count, kSide, kSide, 3}, pixels);
  return std::make_shared<MemoryImages>(name, std::move(images), Answers{std::move(labels), true, {}},
                                        std::move(files));
}

}  // namespace pare::data
