// The small numbers of a .pare file: little-endian words and varints, read with every bound checked.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pare::pack {

/// The bytes are not what a writer of this version writes; what() goes on after the name of the part at fault.
struct Damaged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class FieldWriter {
 public:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_.push_back(static_cast<char>(value | 128));
    bytes_.push_back(static_cast<char>(value));
  }
  template <class T>
  void word(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view text) {
    varint(text.size());
    bytes_.append(text);
  }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint64_t byte = static_cast<std::uint8_t>(take(1)[0]);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw Damaged("holds a number without end");
  }
  /// A varint of at most `most`.
  std::uint64_t varint(std::uint64_t most, const char* what) {
    const std::uint64_t value = varint();
    if (value > most) throw Damaged(std::string("holds an impossible ") + what + ": " + std::to_string(value));
    return value;
  }
  template <class T>
  T word() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(varint()); }
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size() - at_) throw Damaged("ends early");
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
  }
  std::size_t left() const noexcept { return bytes_.size() - at_; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace pare::pack
