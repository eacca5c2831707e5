// Temporary data sets for the tests of src/data.
#pragma once

#include <gtest/gtest.h>
#include <spng.h>
#include <stdlib.h>
#include <turbojpeg.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "pare/error.h"

namespace pare::data {

namespace fs = std::filesystem;

class DataTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "pare-data-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& content) const {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  /// Opens a data YAML of this content.
  Dataset open(const std::string& yaml, const std::vector<InputSpec>& inputs = {}, std::int64_t classes = 0) const {
    return open_dataset(write("data.yaml", yaml), inputs, classes);
  }
  /// Expects open() to fail with `code` and a message that holds every one of `parts`.
  void expect_error(const std::string& yaml, ErrorCode code, const std::vector<std::string>& parts,
                    const std::vector<InputSpec>& inputs = {}, std::int64_t classes = 0) const {
    expect_failure([&] { open(yaml, inputs, classes); }, code, parts);
  }
  static void expect_failure(const std::function<void()>& action, ErrorCode code,
                             const std::vector<std::string>& parts) {
    try {
      action();
      ADD_FAILURE() << "no error; expected one with: " << (parts.empty() ? "" : parts.front());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      for (const std::string& part : parts)
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }

  fs::path folder_;
};

inline std::string idx(const std::vector<std::uint32_t>& dims, const std::vector<std::uint8_t>& values) {
  std::string content{'\0', '\0', '\x08', static_cast<char>(dims.size())};
  for (const std::uint32_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) content += static_cast<char>(dim >> shift & 255);
  }
  content.append(values.begin(), values.end());
  return content;
}

inline std::string gzip(const std::string& content) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// uint8 H×W×C with pixel values that depend on position and channel.
inline Tensor pattern(std::int64_t height, std::int64_t width, std::int64_t channels) {
  Tensor image(DType::kUint8, {height, width, channels});
  std::uint8_t* out = image.mutable_data<std::uint8_t>().data();
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) {
        *out++ = static_cast<std::uint8_t>(37 * x + 101 * y + 59 * c + (x * y * y) % 23 * 11);
      }
    }
  }
  return image;
}

/// One colour everywhere, which jpeg keeps but for rounding.
inline Tensor plain(std::int64_t height, std::int64_t width, std::vector<std::uint8_t> color) {
  Tensor image(DType::kUint8, {height, width, static_cast<std::int64_t>(color.size())});
  auto out = image.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = color[i % color.size()];
  return image;
}

inline std::string png(const Tensor& image) {
  spng_ctx* context = spng_ctx_new(SPNG_CTX_ENCODER);
  spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(image.dim(1));
  header.height = static_cast<std::uint32_t>(image.dim(0));
  header.bit_depth = 8;
  const std::int64_t channels = image.dim(2);
  header.color_type = channels == 1   ? SPNG_COLOR_TYPE_GRAYSCALE
                      : channels == 3 ? SPNG_COLOR_TYPE_TRUECOLOR
                                      : SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
  spng_set_ihdr(context, &header);
  EXPECT_EQ(spng_encode_image(context, image.raw(), image.bytes(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE), 0);
  std::size_t size = 0;
  int error = 0;
  void* buffer = spng_get_png_buffer(context, &size, &error);
  EXPECT_EQ(error, 0);
  std::string content(static_cast<const char*>(buffer), size);
  std::free(buffer);
  spng_ctx_free(context);
  return content;
}

inline std::string jpeg(const Tensor& image) {
  tjhandle encoder = tjInitCompress();
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  const bool gray = image.dim(2) == 1;
  EXPECT_EQ(tjCompress2(encoder, reinterpret_cast<const unsigned char*>(image.raw()), static_cast<int>(image.dim(1)), 0,
                        static_cast<int>(image.dim(0)), gray ? TJPF_GRAY : TJPF_RGB, &buffer, &size,
                        gray ? TJSAMP_GRAY : TJSAMP_444, 95, 0),
            0);
  std::string content(reinterpret_cast<const char*>(buffer), size);
  tjFree(buffer);
  tjDestroy(encoder);
  return content;
}

inline const Tensor& only_input(const Batch& batch) { return batch.inputs.begin()->second; }

}  // namespace pare::data
