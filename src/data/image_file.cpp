#include "data/image_file.h"

#include <spng.h>
#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <string>

#include "base/file.h"
#include "pare/error.h"

namespace pare::data {

namespace {

struct JpegClose {
  void operator()(void* handle) const { tjDestroy(handle); }
};
struct PngClose {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

Error damaged(const fs::path& path, const std::string& why) {
  return Error(ErrorCode::kBadInput, path.string(), "the image is damaged: " + why);
}

// Adobe's CMYK jpegs hold inverted ink, so the colour is ink times black.
void cmyk_to_rgb(const Tensor& inks, Tensor& image) {
  const std::uint8_t* in = inks.data<std::uint8_t>().data();
  std::uint8_t* out = image.mutable_data<std::uint8_t>().data();
  for (std::int64_t i = 0; i < image.numel() / 3; ++i, in += 4, out += 3) {
    for (int c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>((in[c] * in[3] + 127) / 255);
  }
}

Tensor read_jpeg(const std::string& content, const fs::path& path) {
  const std::unique_ptr<void, JpegClose> decoder(tjInitDecompress());
  if (!decoder) throw Error(ErrorCode::kMemory, path.string(), "no jpeg decoder could be made");
  const auto* bytes = reinterpret_cast<const unsigned char*>(content.data());
  int width = 0, height = 0, sampling = 0, space = 0;
  if (tjDecompressHeader3(decoder.get(), bytes, content.size(), &width, &height, &sampling, &space) != 0) {
    throw damaged(path, tjGetErrorStr2(decoder.get()));
  }
  if (width <= 0 || height <= 0) throw damaged(path, "the jpeg file is truncated");  // nothing but tables
  // A block of 64 pixels takes at least a bit, so a larger claim is damage that would only make us allocate.
  const auto claimed = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  if (claimed / 4096 > content.size() + 256) throw damaged(path, "the jpeg file is too short for its dimensions");
  const bool inks = space == TJCS_CMYK || space == TJCS_YCCK;
  Tensor image(DType::kUint8, {height, width, 3});
  Tensor pixels = inks ? Tensor(DType::kUint8, {height, width, 4}) : std::move(image);
  const int result = tjDecompress2(decoder.get(), bytes, content.size(), pixels.mutable_data<std::uint8_t>().data(),
                                   width, 0, height, inks ? TJPF_CMYK : TJPF_RGB, 0);
  // The decoder fills what a truncated file lacks with gray and only warns; oddities that lose no pixels are left
  // alone.
  const std::string message = result == 0 ? "" : tjGetErrorStr2(decoder.get());
  if (result != 0 && tjGetErrorCode(decoder.get()) == TJERR_FATAL) throw damaged(path, message);
  if (message.find("Premature end") != std::string::npos) throw damaged(path, "the jpeg file is truncated");
  if (!inks) return pixels;
  image = Tensor(DType::kUint8, {height, width, 3});
  cmyk_to_rgb(pixels, image);
  return image;
}

Tensor read_png(const std::string& content, const fs::path& path) {
  const std::unique_ptr<spng_ctx, PngClose> decoder(spng_ctx_new(0));
  if (!decoder) throw Error(ErrorCode::kMemory, path.string(), "no png decoder could be made");
  const auto check = [&](int result) {
    if (result != 0) throw damaged(path, spng_strerror(result));
  };
  check(spng_set_image_limits(decoder.get(), 1 << 16, 1 << 16));
  check(spng_set_png_buffer(decoder.get(), content.data(), content.size()));
  spng_ihdr header{};
  check(spng_get_ihdr(decoder.get(), &header));
  Tensor image(DType::kUint8, {header.height, header.width, 3});
  check(spng_decode_image(decoder.get(), image.mutable_raw(), image.bytes(), SPNG_FMT_RGB8, 0));
  return image;
}

}  // namespace

Tensor read_image(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  if (content.starts_with("\xff\xd8\xff")) return read_jpeg(content, path);
  if (content.starts_with("\x89PNG\r\n\x1a\n")) return read_png(content, path);
  throw Error(ErrorCode::kBadInput, path.string(),
              content.empty() ? "the image file is empty" : "is neither a jpeg nor a png file");
}

bool has_image_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

}  // namespace pare::data
