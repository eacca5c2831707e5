// The gzip half of file.h, on zlib.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>

#include "base/file.h"
#include "pare/error.h"

namespace pare {

namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest window, gzip header and checksum

uInt clamp_to_uint(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

Bytef* bytes(const void* data) { return static_cast<Bytef*>(const_cast<void*>(data)); }  // zlib's input is not const

struct Inflater {
  z_stream stream{};
  Inflater() {
    if (inflateInit2(&stream, kGzipWindow) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream); }
};

struct Deflater {
  z_stream stream{};
  Deflater() {
    if (deflateInit2(&stream, 6, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  }
  ~Deflater() { deflateEnd(&stream); }
};

// A gzip file ends with the size of its last member, which is all of them as a rule. Deflate reaches about 1032:1, so a
// larger claim is damage.
std::size_t expected_size(std::string_view compressed) {
  if (compressed.size() < 18) return 0;
  std::size_t size = 0;
  for (std::size_t i = 1; i <= 4; ++i) size = size << 8 | static_cast<unsigned char>(compressed[compressed.size() - i]);
  return size <= compressed.size() * 1100 ? size : 0;
}

}  // namespace

std::string gunzip(std::string_view compressed, const std::string& name) {
  Inflater inflater;
  z_stream& stream = inflater.stream;
  std::string content(expected_size(compressed) + 1,
                      '\0');  // one more than wanted, so that the end is seen without growing
  std::size_t used = 0, consumed = 0;
  for (;;) {
    if (used == content.size()) content.resize(std::max(content.size() * 2, compressed.size() * 4 + 1024));
    stream.next_in = bytes(compressed.data() + consumed);
    stream.avail_in = clamp_to_uint(compressed.size() - consumed);
    stream.next_out = bytes(content.data() + used);
    stream.avail_out = clamp_to_uint(content.size() - used);
    const uInt in_before = stream.avail_in, out_before = stream.avail_out;
    const int result = inflate(&stream, Z_NO_FLUSH);
    consumed += in_before - stream.avail_in;
    used += out_before - stream.avail_out;
    if (result == Z_STREAM_END) {
      // Zero padding may follow; anything else must be another gzip member.
      if (compressed.find_first_not_of('\0', consumed) == std::string_view::npos) break;
      if (inflateReset(&stream) != Z_OK) throw Error(ErrorCode::kInternal, name, "zlib cannot be reset");
    } else if (result == Z_BUF_ERROR || (result == Z_OK && consumed == compressed.size() && stream.avail_out > 0)) {
      throw Error(ErrorCode::kBadInput, name, "the gzip file is truncated");
    } else if (result == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (result != Z_OK) {
      const std::string why = stream.msg != nullptr ? stream.msg : "not a gzip stream";
      throw Error(ErrorCode::kBadInput, name, "the gzip file is damaged: " + why);
    }
  }
  content.resize(used);
  if (content.capacity() > used + used / 4) content.shrink_to_fit();
  return content;
}

struct GzipSize::State {
  Deflater deflater;
  std::int64_t total = 0;

  void run(std::string_view piece, int flush) {
    z_stream& stream = deflater.stream;
    std::array<Bytef, 65536> out;
    do {
      stream.next_in = bytes(piece.data());
      stream.avail_in = clamp_to_uint(piece.size());
      piece.remove_prefix(stream.avail_in);
      do {
        stream.next_out = out.data();
        stream.avail_out = static_cast<uInt>(out.size());
        deflate(&stream, piece.empty() ? flush : Z_NO_FLUSH);
        total += static_cast<std::int64_t>(out.size() - stream.avail_out);
      } while (stream.avail_out == 0);
    } while (!piece.empty());
  }
};

GzipSize::GzipSize() : state_(std::make_unique<State>()) {}
GzipSize::~GzipSize() = default;

void GzipSize::add(std::string_view piece) { state_->run(piece, Z_NO_FLUSH); }

std::int64_t GzipSize::finish() {
  state_->run({}, Z_FINISH);
  return state_->total;
}

}  // namespace pare
