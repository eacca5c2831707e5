#include "kernels/convert/convert.h"

#include <functional>
#include <type_traits>

#include "base/threads.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

/// Calls use(a zero of the element's C++ type); false when the type is none of ours.
template <class Use>
bool with_type(DType type, const Use& use) noexcept {
  switch (type) {
    case DType::kFloat32:
      return use(float{}), true;
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
  if constexpr (std::is_same_v<To, bool>) {
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
