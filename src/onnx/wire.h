// The protocol-buffer wire format, as far as walking over a message needs it
// (https://protobuf.dev/programming-guides/encoding/).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pare::onnx {

/// The bytes are not a protocol-buffer message; `offset` counts from the start of the outermost one.
struct WireError : std::runtime_error {
  WireError(const std::string& problem, std::uint64_t offset) : std::runtime_error(problem), offset(offset) {}
  std::uint64_t offset;
};

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  std::uint32_t number;
  WireType type;
  std::uint64_t value;       ///< of a varint
  std::string_view payload;  ///< of length-delimited bytes
  std::string_view whole;    ///< tag, length and payload
};

/// Walks over the fields of one message. Groups, which ONNX never used, are refused.
class WireReader {
 public:
  /// `base`: where `message` starts in the outermost one (for error offsets).
  explicit WireReader(std::string_view message, std::uint64_t base = 0) : message_(message), base_(base) {}

  bool done() const noexcept { return at_ == message_.size(); }
  /// Throws WireError when the bytes end early or are not a field.
  WireField next();
  /// Offset of a view into this message, counted from the outermost one.
  std::uint64_t offset_of(std::string_view part) const noexcept {
    return base_ + static_cast<std::uint64_t>(part.data() - message_.data());
  }

 private:
  std::uint64_t varint();
  std::string_view take(std::uint64_t bytes);
  [[noreturn]] void fail(const std::string& problem) const;

  std::string_view message_;
  std::uint64_t base_;
  std::size_t at_ = 0;
};

void append_varint(std::string& out, std::uint64_t value);
/// Tag and length of a length-delimited field; its payload follows.
void append_bytes_header(std::string& out, std::uint32_t number, std::uint64_t length);

}  // namespace pare::onnx
