// Element types. Enumerators carry the numbers of ONNX TensorProto.DataType, so import is a checked cast.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pare {

enum class DType : std::uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBFloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
};

/// Bits of one element as stored (4 for kInt4: two elements a byte, low nibble first); 0 for strings and kUndefined.
int bits(DType type) noexcept;
/// "float32", "int8", …: the names that ONNX tools print.
std::string_view name(DType type) noexcept;
/// The inverse of name().
std::optional<DType> dtype_from_name(std::string_view name) noexcept;
bool is_float(DType type) noexcept;
bool is_integer(DType type) noexcept;  ///< signed and unsigned integers; not bool
/// True for a number that ONNX defines (1 to 26).
bool is_valid_dtype(int onnx_number) noexcept;

/// Maps a C++ type to its DType: dtype_of<float> == DType::kFloat32.
template <class T>
inline constexpr DType dtype_of = DType::kUndefined;
template <>
inline constexpr DType dtype_of<float> = DType::kFloat32;
template <>
inline constexpr DType dtype_of<double> = DType::kFloat64;
template <>
inline constexpr DType dtype_of<std::int8_t> = DType::kInt8;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::kUint8;
template <>
inline constexpr DType dtype_of<std::int16_t> = DType::kInt16;
template <>
inline constexpr DType dtype_of<std::uint16_t> = DType::kUint16;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::kInt32;
template <>
inline constexpr DType dtype_of<std::uint32_t> = DType::kUint32;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::kInt64;
template <>
inline constexpr DType dtype_of<std::uint64_t> = DType::kUint64;
template <>
inline constexpr DType dtype_of<bool> = DType::kBool;

}  // namespace pare
