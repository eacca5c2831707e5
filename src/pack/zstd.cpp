#include "pack/zstd.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "pack/fields.h"
#include "pare/error.h"

namespace pare::pack {

namespace {

constexpr int kLevel = 19;
constexpr std::size_t kLeastPiece = std::size_t{1} << 12, kMostPiece = std::size_t{1} << 20;

/// Bytes to make room for at first: what the frame claims, within bounds.
std::size_t first_piece(std::string_view frame) {
  const unsigned long long claimed = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (claimed == ZSTD_CONTENTSIZE_UNKNOWN || claimed == ZSTD_CONTENTSIZE_ERROR) return kLeastPiece;
  return static_cast<std::size_t>(std::clamp<unsigned long long>(claimed, kLeastPiece, kMostPiece));
}

}  // namespace

std::string compress(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size)) throw Error(ErrorCode::kMemory, "zstd", ZSTD_getErrorName(size));
  out.resize(size);
  return out;
}

std::string decompress(std::string_view frame, std::uint64_t most) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::string out;
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  std::size_t room = first_piece(frame);
  // The size that a frame claims is not believed: memory grows with what really comes out.
  for (std::size_t more = 1; more != 0;) {
    const std::size_t used = out.size();
    if (used > most) throw Damaged("holds more than it says");
    out.resize(used + room);
    ZSTD_outBuffer piece{out.data() + used, room, 0};
    room = kMostPiece;
    more = ZSTD_decompressStream(context.get(), &piece, &in);
    out.resize(used + piece.pos);
    if (ZSTD_isError(more)) throw Damaged(std::string("is no zstd data: ") + ZSTD_getErrorName(more));
    if (more != 0 && piece.pos == 0 && in.pos == in.size) throw Damaged("is a zstd frame that ends early");
  }
  if (in.pos != in.size) throw Damaged("holds bytes after its zstd frame");
  return out;
}

void decompress_into(std::string_view frame, char* out, std::size_t size) {
  const std::size_t got = ZSTD_decompress(out, size, frame.data(), frame.size());
  if (ZSTD_isError(got)) throw Damaged(std::string("is no zstd data of its size: ") + ZSTD_getErrorName(got));
  if (got != size) throw Damaged("holds fewer bytes than its tensor");
}

}  // namespace pare::pack
