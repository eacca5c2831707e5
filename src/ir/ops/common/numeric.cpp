#include "ir/ops/common/numeric.h"

#include <algorithm>
#include <cstring>

#include "base/float16.h"
#include "pare/error.h"

namespace pare::ir::ops {
namespace {

template <class T, class Out>
std::vector<Out> widen(const Tensor& tensor) {
  const std::span<const T> data = tensor.data<T>();
  std::vector<Out> out(data.size());
  std::transform(data.begin(), data.end(), out.begin(), [](T v) { return static_cast<Out>(v); });
  return out;
}

template <class T, class In>
Tensor narrow(Dims dims, std::span<const In> values) {
  Tensor out(dtype_of<T>, std::move(dims));
  const std::span<T> data = out.mutable_data<T>();
  std::transform(values.begin(), values.end(), data.begin(), [](In v) { return static_cast<T>(v); });
  return out;
}

/// Elements of 16-bit floats, which have no C++ type of their own.
std::span<const std::uint16_t> half_bits(const Tensor& tensor) {
  return {reinterpret_cast<const std::uint16_t*>(tensor.aligned_raw()), static_cast<std::size_t>(tensor.numel())};
}

Tensor from_half(DType dtype, Dims dims, std::span<const double> values) {
  Tensor out(dtype, std::move(dims));
  auto* data = reinterpret_cast<std::uint16_t*>(out.mutable_raw());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = static_cast<float>(values[i]);
    data[i] = dtype == DType::kFloat16 ? float_to_half(value) : float_to_bfloat16(value);
  }
  return out;
}

int sub_byte(const Tensor& tensor, std::int64_t index, int width) {
  const std::int64_t bit = index * width;
  return (std::to_integer<int>(tensor.raw()[bit / 8]) >> (bit % 8)) & ((1 << width) - 1);
}

template <class Where>
Tensor move_bytes(std::span<const Tensor> sources, Dims dims, std::size_t size, const Where& where) {
  Tensor out(sources[0].dtype(), std::move(dims));
  std::byte* to = out.mutable_raw();
  for (std::int64_t i = 0; i < out.numel(); ++i, to += size) {
    const auto [s, j] = where(i);
    std::memcpy(to, sources[s].raw() + static_cast<std::size_t>(j) * size, size);
  }
  return out;
}

template <class Where>
Tensor move_sub_byte(std::span<const Tensor> sources, Dims dims, int width, const Where& where) {
  Tensor out(sources[0].dtype(), std::move(dims));
  std::byte* to = out.mutable_raw();
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const auto [s, j] = where(i);
    to[i * width / 8] |= static_cast<std::byte>(sub_byte(sources[s], j, width) << (i * width % 8));
  }
  return out;
}

template <class Where>
Tensor move_strings(std::span<const Tensor> sources, Dims dims, const Where& where) {
  std::vector<std::string> values(static_cast<std::size_t>(element_count(dims)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto [s, j] = where(static_cast<std::int64_t>(i));
    values[i] = sources[s].string_data()[static_cast<std::size_t>(j)];
  }
  return Tensor::strings(std::move(dims), std::move(values));
}

}  // namespace

std::vector<double> to_doubles(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::kFloat32:
      return widen<float, double>(tensor);
    case DType::kFloat64:
      return widen<double, double>(tensor);
    case DType::kInt8:
      return widen<std::int8_t, double>(tensor);
    case DType::kUint8:
      return widen<std::uint8_t, double>(tensor);
    case DType::kInt32:
      return widen<std::int32_t, double>(tensor);
    case DType::kInt64:
      return widen<std::int64_t, double>(tensor);
    default:
      break;
  }
  std::vector<double> out(static_cast<std::size_t>(tensor.numel()));
  if (tensor.dtype() == DType::kFloat16) {
    std::ranges::transform(half_bits(tensor), out.begin(), [](std::uint16_t v) { return half_to_float(v); });
  } else if (tensor.dtype() == DType::kBFloat16) {
    std::ranges::transform(half_bits(tensor), out.begin(), [](std::uint16_t v) { return bfloat16_to_float(v); });
  } else {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = element_as_double(tensor, static_cast<std::int64_t>(i));
  }
  return out;
}

Tensor from_doubles(DType dtype, Dims dims, std::span<const double> values) {
  switch (dtype) {
    case DType::kFloat32:
      return narrow<float>(std::move(dims), values);
    case DType::kFloat64:
      return narrow<double>(std::move(dims), values);
    case DType::kFloat16:
    case DType::kBFloat16:
      return from_half(dtype, std::move(dims), values);
    default:
      return cast(narrow<double>(std::move(dims), values), dtype);
  }
}

std::vector<std::int64_t> to_ints(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::kInt8:
      return widen<std::int8_t, std::int64_t>(tensor);
    case DType::kUint8:
      return widen<std::uint8_t, std::int64_t>(tensor);
    case DType::kInt16:
      return widen<std::int16_t, std::int64_t>(tensor);
    case DType::kUint16:
      return widen<std::uint16_t, std::int64_t>(tensor);
    case DType::kInt32:
      return widen<std::int32_t, std::int64_t>(tensor);
    case DType::kUint32:
      return widen<std::uint32_t, std::int64_t>(tensor);
    case DType::kInt64:
      return widen<std::int64_t, std::int64_t>(tensor);
    case DType::kUint64:
      return widen<std::uint64_t, std::int64_t>(tensor);
    case DType::kBool:
      return widen<bool, std::int64_t>(tensor);
    default:
      break;
  }
  std::vector<std::int64_t> out(static_cast<std::size_t>(tensor.numel()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::int64_t>(element_as_double(tensor, static_cast<std::int64_t>(i)));
  }
  return out;
}

Tensor from_ints(DType dtype, Dims dims, std::span<const std::int64_t> values) {
  switch (dtype) {
    case DType::kInt8:
      return narrow<std::int8_t>(std::move(dims), values);
    case DType::kUint8:
      return narrow<std::uint8_t>(std::move(dims), values);
    case DType::kInt16:
      return narrow<std::int16_t>(std::move(dims), values);
    case DType::kUint16:
      return narrow<std::uint16_t>(std::move(dims), values);
    case DType::kInt32:
      return narrow<std::int32_t>(std::move(dims), values);
    case DType::kUint32:
      return narrow<std::uint32_t>(std::move(dims), values);
    case DType::kInt64:
      return narrow<std::int64_t>(std::move(dims), values);
    case DType::kUint64:
      return narrow<std::uint64_t>(std::move(dims), values);
    case DType::kBool:
      return narrow<bool>(std::move(dims), values);
    default:
      return cast(narrow<std::int64_t>(std::move(dims), values), dtype);
  }
}

std::vector<long double> to_exact(const Tensor& x) {
  if (is_integer(x.dtype()) || x.dtype() == DType::kBool) {
    const std::vector<std::int64_t> values = to_ints(x);
    std::vector<long double> out;
    for (std::int64_t v : values)
      out.push_back(x.dtype() == DType::kUint64 ? static_cast<long double>(static_cast<std::uint64_t>(v)) : v);
    return out;
  }
  const std::vector<double> values = to_doubles(x);
  return {values.begin(), values.end()};
}

Dims strides_of(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t axis = dims.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * dims[axis];
  return strides;
}

bool broadcast_dims(const Dims& a, const Dims& b, Dims& out) {
  out.assign(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) return false;
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return true;
}

Dims broadcast_strides(const Dims& from, const Dims& to) {
  const Dims own = strides_of(from);
  Dims strides(to.size(), 0);
  const std::size_t lead = to.size() - from.size();
  for (std::size_t axis = 0; axis < from.size(); ++axis) strides[lead + axis] = from[axis] == 1 ? 0 : own[axis];
  return strides;
}

Tensor strided(const Tensor& source, Dims dims, std::int64_t offset, const Dims& strides) {
  const int width = bits(source.dtype());
  if (width == 0 || width % 8 != 0) {
    std::vector<std::int64_t> index(static_cast<std::size_t>(element_count(dims)));
    for_each_strided(dims, offset, strides,
                     [&](std::int64_t i, std::int64_t j) { index[static_cast<std::size_t>(i)] = j; });
    return pick({&source, 1}, std::move(dims), [&](std::int64_t i) {
      return std::pair<std::size_t, std::int64_t>(0, index[static_cast<std::size_t>(i)]);
    });
  }
  Tensor out(source.dtype(), dims);
  std::byte* to = out.mutable_raw();
  const std::byte* from = source.raw();
  const auto size = static_cast<std::size_t>(width / 8);
  for_each_strided(dims, offset, strides, [&](std::int64_t i, std::int64_t j) {
    std::memcpy(to + static_cast<std::size_t>(i) * size, from + static_cast<std::size_t>(j) * size, size);
  });
  return out;
}

Tensor pick(std::span<const Tensor> sources, Dims dims,
            const std::function<std::pair<std::size_t, std::int64_t>(std::int64_t)>& where) {
  const int width = bits(sources[0].dtype());
  if (width == 0) return move_strings(sources, std::move(dims), where);
  if (width % 8 != 0) return move_sub_byte(sources, std::move(dims), width, where);
  return move_bytes(sources, std::move(dims), static_cast<std::size_t>(width / 8), where);
}

}  // namespace pare::ir::ops
