// A dense, row-major, little-endian tensor that shares its storage and copies on write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pare/dtype.h"

namespace pare {

using Dims = std::vector<std::int64_t>;

/// Number of elements of a shape; 1 for a scalar. Throws Error(kBadInput) on a negative dimension or overflow.
std::int64_t element_count(const Dims& dims);
/// "2x3x4"; "scalar" for rank 0.
std::string to_string(const Dims& dims);

class Tensor {
 public:
  Tensor() = default;  ///< undefined: dtype kUndefined, no data
  /// Zero-filled, 64-byte aligned. Throws Error(kMemory) when the allocation fails.
  Tensor(DType dtype, Dims dims);
  /// Read-only view of memory that `owner` keeps alive (a mapped file); `data` holds bytes_for(dtype, dims) bytes and need
  /// not be aligned.
  static Tensor view(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner);
  /// The same of memory whose content is checked before it is first read. `check` throws where it is not what it should
  /// be, and with it whatever reads: raw(), data(), clone(), mutable_raw(), identical().
  static Tensor view(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner,
                     std::function<void()> check);
  /// A tensor of strings (dtype kString).
  static Tensor strings(Dims dims, std::vector<std::string> values);
  /// Copies `values`; their number must equal element_count(dims).
  template <class T>
  static Tensor from(Dims dims, const std::vector<T>& values);
  template <class T>
  static Tensor scalar(T value) {
    return from<T>({}, std::vector<T>{value});
  }

  bool defined() const noexcept { return dtype_ != DType::kUndefined; }
  DType dtype() const noexcept { return dtype_; }
  const Dims& dims() const noexcept { return dims_; }
  std::int64_t rank() const noexcept { return static_cast<std::int64_t>(dims_.size()); }
  /// Size of an axis; negative axes count from the end.
  std::int64_t dim(std::int64_t axis) const;
  std::int64_t numel() const noexcept { return numel_; }
  std::size_t bytes() const noexcept { return bytes_; }

  /// The bytes. Those of a view need not be aligned: what reads whole elements takes data() or aligned_raw().
  const std::byte* raw() const {
    if (unchecked_) check();
    return data_;
  }
  /// Where raw() lies, for who does not read it.
  const std::byte* address() const noexcept { return data_; }
  /// As raw(), aligned as the elements need it: of a view that is not, a copy, which is made once and kept. Thread-safe.
  /// Throws Error(kMemory).
  const std::byte* aligned_raw() const;
  /// This tensor, or where it is a view that is not aligned, a copy that nothing else keeps: for reading once.
  Tensor aligned() const;
  /// Writable bytes; copies first when the storage is shared or read-only.
  std::byte* mutable_raw();
  /// Typed view. Throws Error(kInternal) when T is not the element type.
  template <class T>
  std::span<const T> data() const;
  template <class T>
  std::span<T> mutable_data();
  const std::vector<std::string>& string_data() const;

  /// Same storage under another shape of the same number of elements.
  Tensor reshaped(Dims dims) const;
  /// Deep copy in owned memory.
  Tensor clone() const;
  /// Same dtype, shape and bytes (NaNs compare by bits).
  bool identical(const Tensor& other) const;

 private:
  struct Check;
  struct Realigned;

  void check() const;
  void require(DType wanted) const;

  DType dtype_ = DType::kUndefined;
  Dims dims_;
  std::int64_t numel_ = 0;
  std::size_t bytes_ = 0;
  const std::byte* data_ = nullptr;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<Check> unchecked_;  ///< nullptr: whoever made the tensor knows its content
  bool writable_ = false;
  std::shared_ptr<Realigned> realigned_;  ///< of a view that is not aligned
  std::shared_ptr<const std::vector<std::string>> strings_;
};

/// Tensors by name: the inputs or outputs of a model.
using NamedTensors = std::map<std::string, Tensor>;

/// Bytes that `dims` elements of `dtype` take, sub-byte types packed.
std::size_t bytes_for(DType dtype, const Dims& dims);

template <class T>
std::span<const T> Tensor::data() const {
  require(dtype_of<T>);
  return {reinterpret_cast<const T*>(aligned_raw()), static_cast<std::size_t>(numel_)};
}

template <class T>
std::span<T> Tensor::mutable_data() {
  require(dtype_of<T>);
  return {reinterpret_cast<T*>(mutable_raw()), static_cast<std::size_t>(numel_)};
}

template <class T>
Tensor Tensor::from(Dims dims, const std::vector<T>& values) {
  Tensor tensor(dtype_of<T>, std::move(dims));
  if (static_cast<std::size_t>(tensor.numel_) != values.size()) tensor.require(DType::kUndefined);
  std::span<T> out = tensor.mutable_data<T>();
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return tensor;
}

}  // namespace pare
