#include "pare/dtype.h"

#include <array>

namespace pare {

namespace {

struct Info {
  std::string_view name;
  int bits;
  bool is_float, is_integer;
};

// In the order of the enumerators, which is ONNX's.
constexpr std::array<Info, 27> kInfo{{
    {"undefined", 0, false, false},     {"float32", 32, true, false},   {"uint8", 8, false, true},
    {"int8", 8, false, true},           {"uint16", 16, false, true},    {"int16", 16, false, true},
    {"int32", 32, false, true},         {"int64", 64, false, true},     {"string", 0, false, false},
    {"bool", 8, false, false},          {"float16", 16, true, false},   {"float64", 64, true, false},
    {"uint32", 32, false, true},        {"uint64", 64, false, true},    {"complex64", 64, false, false},
    {"complex128", 128, false, false},  {"bfloat16", 16, true, false},  {"float8e4m3fn", 8, true, false},
    {"float8e4m3fnuz", 8, true, false}, {"float8e5m2", 8, true, false}, {"float8e5m2fnuz", 8, true, false},
    {"uint4", 4, false, true},          {"int4", 4, false, true},       {"float4e2m1", 4, true, false},
    {"float8e8m0", 8, true, false},     {"uint2", 2, false, true},      {"int2", 2, false, true},
}};

const Info& info(DType type) noexcept {
  const auto index = static_cast<std::size_t>(type);
  return kInfo[index < kInfo.size() ? index : 0];
}

}  // namespace

int bits(DType type) noexcept { return info(type).bits; }
std::string_view name(DType type) noexcept { return info(type).name; }
bool is_float(DType type) noexcept { return info(type).is_float; }
bool is_integer(DType type) noexcept { return info(type).is_integer; }
bool is_valid_dtype(int onnx_number) noexcept {
  return onnx_number >= 1 && onnx_number < static_cast<int>(kInfo.size());
}

std::optional<DType> dtype_from_name(std::string_view wanted) noexcept {
  for (std::size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == wanted) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace pare
