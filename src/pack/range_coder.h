// Adaptive binary arithmetic coding: a carryless 32-bit coder (as in Mahoney's lpaq) and the probabilities it is fed
// with. All arithmetic is on integers, so that every machine decodes the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "pack/fields.h"

namespace pare::pack {

/// The three coders share one interface, `int bit(int value, std::uint32_t p)`, where p is the probability of a 1 in
/// 1/65536, 0 < p < 65536: a model is written once and serves for writing, reading and estimating.
class RangeEncoder {
 public:
  explicit RangeEncoder(std::string& out) : out_(out) {}

  int bit(int value, std::uint32_t p) {
    const std::uint32_t middle = low_ + static_cast<std::uint32_t>((std::uint64_t{high_ - low_} * p) >> 16);
    if (value)
      high_ = middle;
    else
      low_ = middle + 1;
    while (((low_ ^ high_) >> 24) == 0) {
      out_.push_back(static_cast<char>(high_ >> 24));
      low_ <<= 8;
      high_ = high_ << 8 | 255;
    }
    return value;
  }
  /// Must be called once, at the end.
  void finish() {
    for (int shift = 24; shift >= 0; shift -= 8) out_.push_back(static_cast<char>(low_ >> shift));
  }

 private:
  std::string& out_;
  std::uint32_t low_ = 0, high_ = 0xffffffff;
};

class RangeDecoder {
 public:
  explicit RangeDecoder(std::string_view in) : in_(in) {
    for (int i = 0; i < 4; ++i) value_ = value_ << 8 | next();
  }

  int bit(int, std::uint32_t p) {
    const std::uint32_t middle = low_ + static_cast<std::uint32_t>((std::uint64_t{high_ - low_} * p) >> 16);
    const int value = value_ <= middle;
    if (value)
      high_ = middle;
    else
      low_ = middle + 1;
    while (((low_ ^ high_) >> 24) == 0) {
      low_ <<= 8;
      high_ = high_ << 8 | 255;
      value_ = value_ << 8 | next();
    }
    return value;
  }
  /// True when all was read: the encoder writes exactly as much.
  bool finished() const noexcept { return at_ == in_.size(); }

 private:
  std::uint32_t next() {
    if (at_ == in_.size()) throw Damaged("holds a stream that ends early");
    return static_cast<std::uint8_t>(in_[at_++]);
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::uint32_t low_ = 0, high_ = 0xffffffff, value_ = 0;
};

/// Writes nothing and adds up what writing would take.
class CostCounter {
 public:
  int bit(int value, std::uint32_t p) {
    bits_ += cost(value ? p : 65536 - p);
    return value;
  }
  double bits() const noexcept { return bits_; }

 private:
  static double cost(std::uint32_t p);
  double bits_ = 0;
};

/// The probability of a 1 in one context: the average over what was seen, over the last 256 or so once there is more.
struct AdaptiveBit {
  std::uint16_t p = 32768, seen = 0;

  template <class Coder>
  int code(Coder& coder, int value) {
    value = coder.bit(value, probability());
    update(value);
    return value;
  }
  std::uint32_t probability() const noexcept { return p < kLeast ? kLeast : p > kMost ? kMost : p; }
  void update(int value) noexcept {
    const std::int32_t target = value ? 65535 : 0;
    p = static_cast<std::uint16_t>(p + (target - p) * kRate[seen] / 65536);
    seen = static_cast<std::uint16_t>(seen + (seen < kRate.size() - 1));
  }

 private:
  static constexpr std::uint32_t kLeast = 32, kMost = 65536 - 32;
  static constexpr auto kRate = [] {
    std::array<std::int32_t, 256> rate{};
    for (int i = 0; i < 256; ++i) rate[static_cast<std::size_t>(i)] = 2 * 65536 / (2 * i + 3);
    return rate;
  }();
};

/// A symbol of kBits bits, the highest first; each prefix is a context.
template <int kBits>
struct BitTree {
  std::array<AdaptiveBit, (1 << kBits)> nodes;

  template <class Coder>
  std::uint32_t code(Coder& coder, std::uint32_t symbol) {
    std::uint32_t prefix = 1;
    for (int i = kBits - 1; i >= 0; --i)
      prefix = prefix << 1 | static_cast<std::uint32_t>(nodes[prefix].code(coder, static_cast<int>(symbol >> i & 1)));
    return prefix - (1U << kBits);
  }
};

}  // namespace pare::pack
