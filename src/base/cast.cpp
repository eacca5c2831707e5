// cast() and element_as_double() of float16.h: every type is widened to a C++ type, converted, and narrowed again.
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>

#include "base/float16.h"
#include "base/small_float.h"
#include "pare/error.h"

namespace pare {

namespace {

// Calls visit(T{}) for the C++ type of a type that C++ has; bool is read as the byte that it is.
template <class Visit>
void with_native(DType type, Visit visit) {
  switch (type) {
    case DType::kFloat32:
      return visit(float{});
    case DType::kFloat64:
      return visit(double{});
    case DType::kInt8:
      return visit(std::int8_t{});
    case DType::kUint8:
      return visit(std::uint8_t{});
    case DType::kInt16:
      return visit(std::int16_t{});
    case DType::kUint16:
      return visit(std::uint16_t{});
    case DType::kInt32:
      return visit(std::int32_t{});
    case DType::kUint32:
      return visit(std::uint32_t{});
    case DType::kInt64:
      return visit(std::int64_t{});
    case DType::kUint64:
      return visit(std::uint64_t{});
    default:
      throw Error(ErrorCode::kUnsupported, "cast", "knows no numbers of type " + std::string(name(type)));
  }
}

template <class To, class From>
To convert_one(From value) noexcept {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (!(value == value)) return 0;
    if constexpr (std::is_same_v<To, std::uint64_t>) {
      if (value >= From(0x1p64)) return std::numeric_limits<std::uint64_t>::max();
      if (value >= From(0x1p63)) return static_cast<std::uint64_t>(value);
    }
    if (value >= From(0x1p63)) return static_cast<To>(std::numeric_limits<std::int64_t>::max());
    if (value < From(-0x1p63)) return static_cast<To>(std::numeric_limits<std::int64_t>::min());
    return static_cast<To>(static_cast<std::int64_t>(value));
  } else {
    return static_cast<To>(value);
  }
}

bool is_native(DType type) noexcept {
  return type == DType::kFloat32 || type == DType::kFloat64 || (is_integer(type) && bits(type) >= 8);
}

// The code of a sub-byte element: low bits first within a byte.
std::uint32_t packed_code(const std::byte* data, std::int64_t index, int width) noexcept {
  const std::int64_t bit = index * width;
  const auto byte = static_cast<std::uint32_t>(data[bit / 8]);
  return (byte >> (bit % 8)) & ((1u << width) - 1);
}

std::uint32_t code_at(const std::byte* data, std::int64_t index, int width) noexcept {
  if (width < 8) return packed_code(data, index, width);
  if (width == 8) return static_cast<std::uint32_t>(data[index]);
  std::uint16_t code = 0;
  std::memcpy(&code, data + index * 2, sizeof code);
  return code;
}

int signed_code(std::uint32_t code, int width) noexcept {
  const int sign = 1 << (width - 1);
  return (static_cast<int>(code) ^ sign) - sign;
}

bool is_signed_packed(DType type) noexcept { return type == DType::kInt4 || type == DType::kInt2; }

// The C++ type that holds every value of `type`.
DType widened_type(DType type) {
  if (is_native(type)) return type;
  if (is_small_float(type)) return DType::kFloat32;
  if (is_signed_packed(type)) return DType::kInt8;
  if (type == DType::kBool || (is_integer(type) && bits(type) < 8)) return DType::kUint8;
  throw Error(ErrorCode::kUnsupported, "cast", "knows no numbers of type " + std::string(name(type)));
}

Tensor widen(const Tensor& tensor) {
  const DType type = tensor.dtype(), wide = widened_type(type);
  if (wide == type) return tensor;
  Tensor result(wide, tensor.dims());
  const std::byte* from = tensor.raw();
  const int width = bits(type);
  const std::int64_t count = tensor.numel();
  if (wide == DType::kFloat32) {
    float* to = result.mutable_data<float>().data();
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint32_t code = code_at(from, i, width);
      to[i] = type == DType::kFloat16 ? half_to_float(static_cast<std::uint16_t>(code)) : small_float_value(type, code);
    }
  } else if (wide == DType::kInt8) {
    std::int8_t* to = result.mutable_data<std::int8_t>().data();
    for (std::int64_t i = 0; i < count; ++i)
      to[i] = static_cast<std::int8_t>(signed_code(code_at(from, i, width), width));
  } else {
    std::uint8_t* to = result.mutable_data<std::uint8_t>().data();
    const bool boolean = type == DType::kBool;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint32_t code = code_at(from, i, width);
      to[i] = static_cast<std::uint8_t>(boolean ? code != 0 : code);
    }
  }
  return result;
}

Tensor convert_native(const Tensor& tensor, DType to) {
  if (tensor.dtype() == to) return tensor;
  Tensor result(to, tensor.dims());
  with_native(tensor.dtype(), [&](auto from_tag) {
    with_native(to, [&](auto to_tag) {
      using From = decltype(from_tag);
      using To = decltype(to_tag);
      const From* in = tensor.data<From>().data();
      To* out = result.mutable_data<To>().data();
      for (std::int64_t i = 0; i < tensor.numel(); ++i) out[i] = convert_one<To>(in[i]);
    });
  });
  return result;
}

void store_code(std::byte* data, std::int64_t index, int width, std::uint32_t code) noexcept {
  if (width == 16) {
    const auto half = static_cast<std::uint16_t>(code);
    std::memcpy(data + index * 2, &half, sizeof half);
  } else if (width == 8) {
    data[index] = static_cast<std::byte>(code);
  } else {  // the result starts zeroed
    const std::int64_t bit = index * width;
    data[bit / 8] |= static_cast<std::byte>((code & ((1u << width) - 1)) << (bit % 8));
  }
}

Tensor to_small_float(const Tensor& tensor, DType to, bool saturate) {
  Tensor result(to, tensor.dims());
  std::byte* out = result.mutable_raw();
  const int width = bits(to);
  with_native(tensor.dtype(), [&](auto tag) {
    using From = decltype(tag);
    const From* in = tensor.data<From>().data();
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      std::uint32_t code = 0;
      if (std::is_same_v<From, float> && to == DType::kFloat16) {
        code = float_to_half(static_cast<float>(in[i]));
      } else if (std::is_same_v<From, float> && to == DType::kBFloat16) {
        code = float_to_bfloat16(static_cast<float>(in[i]));
      } else {
        code = small_float_code(to, static_cast<double>(in[i]), saturate);
      }
      store_code(out, i, width, code);
    }
  });
  return result;
}

Tensor to_bool(const Tensor& tensor) {
  Tensor result(DType::kBool, tensor.dims());
  std::byte* out = result.mutable_raw();
  with_native(tensor.dtype(), [&](auto tag) {
    using From = decltype(tag);
    const From* in = tensor.data<From>().data();
    for (std::int64_t i = 0; i < tensor.numel(); ++i) out[i] = static_cast<std::byte>(in[i] != From{0});
  });
  return result;
}

Tensor to_packed_integer(const Tensor& tensor, DType to) {
  const Tensor bytes = convert_native(tensor, DType::kInt8);
  Tensor result(to, tensor.dims());
  std::byte* out = result.mutable_raw();
  const std::int8_t* in = bytes.data<std::int8_t>().data();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) store_code(out, i, bits(to), static_cast<std::uint8_t>(in[i]));
  return result;
}

}  // namespace

Tensor cast(const Tensor& tensor, DType to, bool saturate) {
  if (tensor.dtype() == to) return tensor;
  widened_type(to);  // refuses what no number converts to, before any work
  const Tensor wide = widen(tensor);
  if (is_native(to)) return convert_native(wide, to);
  if (is_small_float(to)) return to_small_float(wide, to, saturate);
  return to == DType::kBool ? to_bool(wide) : to_packed_integer(wide, to);
}

double element_as_double(const Tensor& tensor, std::int64_t index) {
  const DType type = tensor.dtype();
  if (index < 0 || index >= tensor.numel()) {
    throw Error(ErrorCode::kInternal, "tensor " + to_string(tensor.dims()), "has no element " + std::to_string(index));
  }
  double value = 0;
  if (is_native(type)) {
    with_native(type, [&](auto tag) {
      value = static_cast<double>(tensor.data<decltype(tag)>()[static_cast<std::size_t>(index)]);
    });
    return value;
  }
  widened_type(type);
  const std::uint32_t code = code_at(tensor.raw(), index, bits(type));
  if (is_small_float(type)) return small_float_value(type, code);
  if (type == DType::kBool) return code != 0;
  return is_signed_packed(type) ? signed_code(code, bits(type)) : static_cast<double>(code);
}

}  // namespace pare
