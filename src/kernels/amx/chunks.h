// How what an output pixel reads is cut into what a tile register holds, for packing and for multiplying; no inline
// code, since files of different instruction sets include it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel.h"

namespace pare::kernels::amx {

inline constexpr std::int64_t kChunk = 64;  ///< bytes that are multiplied at once

/// The inputs of a pixel and group are segments: the lines of a kernel, where the taps of a line lie side by side, or
/// all in one. Segments of at most a chunk are one of just as many bytes, made a multiple of four; longer ones are
/// whole chunks, the last of which ends with the segment and overlaps the one before.
struct Chunks {
  /// `element`: bytes of an input.
  Chunks(const ConvShape& shape, std::int64_t element) noexcept;

  std::int64_t segments, segment_bytes;
  std::int64_t count, bytes;  ///< of a segment's chunks, and of one of them
  std::int64_t last;          ///< where a segment's last one begins
  /// Quadruples of bytes in all chunks together.
  std::int64_t steps() const noexcept;
  /// Where byte `k` of a pixel's inputs is among those of all chunks.
  std::int64_t place(std::int64_t k) const noexcept;
};

/// Rows or lines of the image that are copied to be multiplied: bytes from one row to the next, and how many rows at a time.
std::int64_t gathered_stride(const Chunks& chunks) noexcept;
std::int64_t gathered_rows(const Chunks& chunks) noexcept;

/// An image of which `lines` lines with their padding are copied at a time, as many as `out_lines` lines of the output
/// read; where it is not padded it is read where it lies.
struct Band {
  Band(const ConvShape& shape, std::int64_t element) noexcept;
  bool padded;
  std::int64_t line_bytes, lines, out_lines;
  std::int64_t left, right;  ///< pixels of padding
};

/// Scratch memory that a part of the work takes.
std::size_t scratch_bytes(const ConvShape& shape, std::int64_t element) noexcept;

}  // namespace pare::kernels::amx
