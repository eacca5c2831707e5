// Weights as kernels read them, written to a file and viewed from it. A family that packs weights offers
//   std::string packing_key(…)                 all that the packed bytes depend on beside the weights themselves:
//   family,
//                                               version, row, geometry, bias …; two equal keys mean equal bytes
//   void write(PackedWriter&) const
//   static std::optional<Weights> view(…, PackedReader&)   without copying; nullopt when the bytes do not fit
// and counts the version in its key up whenever its bytes change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/huge_memory.h"

namespace pare::kernels {

/// An immutable array, its own or in memory that `owner` keeps alive (a mapped file).
template <class T>
class PackedArray {
 public:
  PackedArray() = default;
  explicit PackedArray(HugeVector<T> values) {
    auto own = std::make_shared<const HugeVector<T>>(std::move(values));
    data_ = own->data(), size_ = own->size();
    owner_ = std::move(own);
  }
  /// Copies: a family whose weights are large packs them into a HugeVector.
  explicit PackedArray(const std::vector<T>& values) : PackedArray(HugeVector<T>(values.begin(), values.end())) {}
  PackedArray(const T* data, std::size_t size, std::shared_ptr<const void> owner)
      : data_(data), size_(size), owner_(std::move(owner)) {}

  const T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  std::size_t bytes() const noexcept { return size_ * sizeof(T); }

 private:
  const T* data_ = nullptr;
  std::size_t size_ = 0;
  std::shared_ptr<const void> owner_;
};

inline constexpr std::size_t kPackedAlignment = 64;

/// Numbers and arrays in order; arrays begin at multiples of 64 from the start, which must lie on one.
class PackedWriter {
 public:
  void number(std::int64_t value) { append(&value, sizeof value); }
  template <class T>
  void array(const PackedArray<T>& values) {
    number(static_cast<std::int64_t>(values.size()));
    bytes_.resize((bytes_.size() + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment);
    append(values.data(), values.bytes());
  }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  void append(const void* data, std::size_t size) {
    if (size > 0) bytes_.append(static_cast<const char*>(data), size);
  }
  std::string bytes_;
};

/// Reads what PackedWriter wrote. Whoever asks for an array says how long it must be, since kernels index it; where the
/// bytes say otherwise the result is empty and ok() false from then on.
class PackedReader {
 public:
  PackedReader(std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}

  bool ok() const noexcept { return ok_; }
  bool finished() const noexcept { return ok_ && at_ == bytes_.size(); }
  std::int64_t number() {
    std::int64_t value = 0;
    if (const std::byte* from = take(sizeof value)) std::memcpy(&value, from, sizeof value);
    return value;
  }
  template <class T>
  PackedArray<T> array(std::size_t size) {
    const bool fits = number() == static_cast<std::int64_t>(size) && ok_;
    at_ = (at_ + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment;
    ok_ = fits && at_ <= bytes_.size() && size <= (bytes_.size() - at_) / sizeof(T);
    const std::byte* from = take(size * sizeof(T));
    return from ? PackedArray<T>(reinterpret_cast<const T*>(from), size, owner_) : PackedArray<T>();
  }

 private:
  const std::byte* take(std::size_t size) {
    ok_ = ok_ && at_ <= bytes_.size() && size <= bytes_.size() - at_;
    if (!ok_) return nullptr;
    at_ += size;
    return bytes_.data() + at_ - size;
  }

  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

/// Builds packing keys: values one after the other, each of a fixed size.
class PackingKey {
 public:
  PackingKey(const char* family, int version, const char* row)
      : key_(std::string(family) + ' ' + std::to_string(version) + ' ' + row + '\n') {}
  template <class... T>
  PackingKey& add(const T&... values) {
    (key_.append(reinterpret_cast<const char*>(&values), sizeof values), ...);
    return *this;
  }
  template <class T>
  PackingKey& add_array(const T* values, std::int64_t count) {
    const std::int64_t present = values ? count : -1;
    add(present);
    if (values) key_.append(reinterpret_cast<const char*>(values), static_cast<std::size_t>(count) * sizeof(T));
    return *this;
  }
  const std::string& text() const noexcept { return key_; }

 private:
  std::string key_;
};

}  // namespace pare::kernels
