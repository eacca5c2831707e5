// One tensor of a .pare file: by which coding, told in its record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pack/byte_model.h"
#include "pack/fields.h"
#include "pare/tensor.h"

namespace pare::pack {

enum class Coding : std::uint8_t {
  kStored = 0,        ///< as it is, to be mapped
  kZstd = 1,          ///< one frame
  kPlanes = 2,        ///< planes.h
  kBytes = 3,         ///< ByteModel, after MaskModel where masked; in a stream
  kMaskedPlanes = 4,  ///< MaskModel in a stream, planes of the elements that are not zero
};

struct Record {
  DType dtype = DType::kUndefined;
  Dims dims;
  Coding coding = Coding::kStored;
  ByteMode mode;             ///< kBytes, kMaskedPlanes
  std::uint64_t stream = 0;  ///< kBytes, kMaskedPlanes
  std::uint64_t offset = 0;    ///< kStored: from the first byte of data
  std::uint64_t checksum = 0;  ///< kStored: piece_checksum() of the data
  std::uint64_t size = 0;    ///< kZstd, kPlanes, kMaskedPlanes: bytes of its own

  bool in_stream() const noexcept { return coding == Coding::kBytes || coding == Coding::kMaskedPlanes; }
  bool has_own() const noexcept { return coding != Coding::kStored && coding != Coding::kBytes; }
  void write(FieldWriter& out) const;
  /// Throws Damaged for what no writer writes.
  static Record read(FieldReader& in, std::uint64_t streams);
  std::size_t bytes() const { return bytes_for(dtype, dims); }
};

/// What tensors of one stream share.
struct StreamModel {
  MaskModel mask;
  ByteModel bytes;
};

/// The shortest coding as far as the beginning of the tensor tells, given what the stream has learned.
Record choose(const Tensor& tensor, const StreamModel& learned);
/// Appends to the stream what goes there; returns the tensor's own bytes.
std::string encode(const Tensor& tensor, const Record& record, StreamModel& model, RangeEncoder& stream);
/// `own`: the tensor's own bytes; `model` and `stream` are read where record.in_stream().
void decode(const Record& record, std::string_view own, StreamModel* model, RangeDecoder* stream, std::byte* out);

}  // namespace pare::pack
