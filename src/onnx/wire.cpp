#include "onnx/wire.h"

namespace pare::onnx {

void WireReader::fail(const std::string& problem) const { throw WireError(problem, base_ + at_); }

std::uint64_t WireReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (done()) fail("ends inside a number");
    const auto byte = static_cast<unsigned char>(message_[at_++]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fail("holds a number of more than 64 bits");
}

std::string_view WireReader::take(std::uint64_t bytes) {
  const std::uint64_t left = message_.size() - at_;
  if (bytes > left) fail("announces " + std::to_string(bytes) + " bytes where " + std::to_string(left) + " are left");
  const std::string_view part = message_.substr(at_, bytes);
  at_ += static_cast<std::size_t>(bytes);
  return part;
}

WireField WireReader::next() {
  const std::size_t start = at_;
  const std::uint64_t tag = varint();
  const std::uint64_t number = tag >> 3;
  if (number == 0 || number > 0x1fffffff) fail("holds an impossible field number");
  WireField field{static_cast<std::uint32_t>(number), static_cast<WireType>(tag & 7), 0, {}, {}};
  switch (field.type) {
    case WireType::kVarint:
      field.value = varint();
      break;
    case WireType::kFixed64:
      field.payload = take(8);
      break;
    case WireType::kBytes:
      field.payload = take(varint());
      break;
    case WireType::kFixed32:
      field.payload = take(4);
      break;
    default:
      fail("holds a field of unknown wire type " + std::to_string(tag & 7));
  }
  field.whole = message_.substr(start, at_ - start);
  return field;
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_bytes_header(std::string& out, std::uint32_t number, std::uint64_t length) {
  append_varint(out, static_cast<std::uint64_t>(number) << 3 | static_cast<std::uint64_t>(WireType::kBytes));
  append_varint(out, length);
}

}  // namespace pare::onnx
