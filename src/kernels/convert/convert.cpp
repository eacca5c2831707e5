#include "kernels/convert/convert.h"

#include <bit>
#include <functional>
#include <type_traits>

#include "base/threads.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

struct Half {
  std::uint16_t bits;
};
struct BFloat {
  std::uint16_t bits;
};
template <class T>
constexpr bool kIsShort = std::is_same_v<T, Half> || std::is_same_v<T, BFloat>;

// Without branches, for the vectorizer.
float to_float(Half h) noexcept {
  constexpr float kTwoTo112 = 0x1p112f;  // between the two types' exponents; subnormal halves come out normal
  const std::uint32_t magnitude = h.bits & 0x7fffu, sign = static_cast<std::uint32_t>(h.bits & 0x8000u) << 16;
  const auto finite = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 13) * kTwoTo112);
  const std::uint32_t special = 0x7f800000u | magnitude << 13;
  return std::bit_cast<float>(sign | (magnitude >= 0x7c00u ? special : finite));
}
float to_float(BFloat b) noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(b.bits) << 16); }

template <class To>
To from_float(float x) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
  const bool nan = magnitude > 0x7f800000u;
  if constexpr (std::is_same_v<To, BFloat>) {
    const std::uint32_t rounded = (magnitude + 0x7fffu + (magnitude >> 16 & 1u)) >> 16;
    return {static_cast<std::uint16_t>(sign | (nan ? 0x7fc0u : rounded))};
  } else {
    constexpr std::uint32_t kSmallestNormal = 0x38800000u, kRebias = 112u << 23;
    // 0.5 + x has the unit of a subnormal half in its last place: the addition rounds.
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
    const std::uint32_t normal = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - kRebias) >> 13;
    const std::uint32_t finite = magnitude < kSmallestNormal ? subnormal : normal;
    const std::uint32_t clamped = magnitude >= 0x47800000u || finite > 0x7c00u ? 0x7c00u : finite;
    return {static_cast<std::uint16_t>(sign | (nan ? 0x7e00u : clamped))};
  }
}

/// Calls use(a zero of the element's C++ type); false when the type is none of ours.
template <class Use>
bool with_type(DType type, const Use& use) noexcept {
  switch (type) {
    case DType::kFloat32:
      return use(float{}), true;
    case DType::kFloat16:
      return use(Half{}), true;
    case DType::kBFloat16:
      return use(BFloat{}), true;
    case DType::kInt64:
      return use(std::int64_t{}), true;
    case DType::kInt32:
      return use(std::int32_t{}), true;
    case DType::kInt8:
      return use(std::int8_t{}), true;
    case DType::kUint8:
      return use(std::uint8_t{}), true;
    case DType::kBool:
      return use(bool{}), true;
    default:
      return false;
  }
}

template <class To, class From>
To convert_one(From x) noexcept {
  if constexpr (kIsShort<From>) {
    return convert_one<To>(to_float(x));
  } else if constexpr (kIsShort<To>) {
    return from_float<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From{};
  } else if constexpr (std::is_same_v<From, float> && !std::is_same_v<To, float>) {
    constexpr float kTwoTo63 = 9223372036854775808.0f;
    if (x != x) return 0;
    if (x >= kTwoTo63) return static_cast<To>(std::numeric_limits<std::int64_t>::max());
    if (x < -kTwoTo63) return static_cast<To>(std::numeric_limits<std::int64_t>::min());
    return static_cast<To>(static_cast<std::int64_t>(x));
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
void convert_all(std::int64_t count, const From* in, To* out) noexcept {
  const auto body = [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) out[i] = convert_one<To>(in[i]);
  };
  parallel_for(count, kGrainOperations, std::ref(body));
}

}  // namespace

bool can_convert(DType from, DType to) noexcept {
  const bool wide = from == DType::kInt32 || from == DType::kInt64;
  if (wide && (to == DType::kFloat16 || to == DType::kBFloat16)) return false;
  return with_type(from, [](auto) {}) && with_type(to, [](auto) {});
}

void convert(DType from, DType to, std::int64_t count, const void* in, void* out) noexcept {
  with_type(from, [&](auto source) {
    with_type(to, [&](auto target) {
      convert_all(count, static_cast<const decltype(source)*>(in), static_cast<decltype(target)*>(out));
    });
  });
}

}  // namespace pare::kernels
