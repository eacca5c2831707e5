#include "pare/tensor.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <utility>

#include "base/file.h"
#include "pare/error.h"

namespace pare {

namespace {

constexpr std::size_t kAlignment = 64;

struct Block {
  std::shared_ptr<const void> owner;
  std::byte* data = nullptr;
};

// calloc and malloc with room to align, because calloc alone gets large zeroed blocks from the system without touching
// them.
Block allocate(std::size_t bytes, bool zeroed, DType dtype, const Dims& dims) {
  void* memory = nullptr;
  if (bytes <= std::numeric_limits<std::size_t>::max() - kAlignment) {
    memory = zeroed ? std::calloc(bytes + kAlignment, 1) : std::malloc(bytes + kAlignment);
  }
  if (memory == nullptr) {
    throw Error(ErrorCode::kMemory, "tensor " + std::string(name(dtype)) + " " + to_string(dims),
                "cannot allocate " + std::to_string(bytes) + " bytes");
  }
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t skip = (kAlignment - address % kAlignment) % kAlignment;
  return {std::shared_ptr<const void>(memory, [](void* block) { std::free(block); }),
          static_cast<std::byte*>(memory) + skip};
}

/// Memory that goes back to the system as soon as it is freed, which malloc's may not.
Block map(std::size_t bytes, DType dtype, const Dims& dims) {
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return allocate(bytes, false, dtype, dims);
  return {std::shared_ptr<const void>(memory, [bytes](void* block) { ::munmap(block, bytes); }),
          static_cast<std::byte*>(memory)};
}

/// What the address of an element has to be a multiple of.
std::size_t alignment(DType dtype) {
  const auto width = static_cast<std::size_t>(bits(dtype)) / 8;
  const bool complex = dtype == DType::kComplex64 || dtype == DType::kComplex128;
  return std::max<std::size_t>(1, complex ? width / 2 : width);
}

}  // namespace

struct Tensor::Realigned {
  std::once_flag once;
  Block copy;
};

std::int64_t element_count(const Dims& dims) {
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) throw Error(ErrorCode::kBadInput, "shape " + to_string(dims), "has a negative dimension");
    empty = empty || dim == 0;
  }
  if (empty) return 0;  // whatever the other dimensions are, they cannot overflow
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) {
    if (__builtin_mul_overflow(count, dim, &count)) {
      throw Error(ErrorCode::kBadInput, "shape " + to_string(dims), "has more elements than 64 bits can count");
    }
  }
  return count;
}

std::string to_string(const Dims& dims) {
  if (dims.empty()) return "scalar";
  std::string text;
  for (const std::int64_t dim : dims) {
    if (!text.empty()) text += 'x';
    text += std::to_string(dim);
  }
  return text;
}

std::size_t bytes_for(DType dtype, const Dims& dims) {
  const auto total_bits = static_cast<unsigned __int128>(element_count(dims)) * static_cast<unsigned>(bits(dtype));
  const unsigned __int128 total = (total_bits + 7) / 8;
  if (total > std::numeric_limits<std::size_t>::max()) {
    throw Error(ErrorCode::kBadInput, "shape " + to_string(dims), "takes more bytes than 64 bits can count");
  }
  return static_cast<std::size_t>(total);
}

Tensor::Tensor(DType dtype, Dims dims)
    : dtype_(dtype), dims_(std::move(dims)), numel_(element_count(dims_)), bytes_(bytes_for(dtype_, dims_)) {
  if (dtype_ == DType::kUndefined) throw Error(ErrorCode::kInternal, "tensor", "cannot be made of undefined elements");
  if (dtype_ == DType::kString) {
    strings_ = std::make_shared<const std::vector<std::string>>(static_cast<std::size_t>(numel_));
    return;
  }
  Block block = allocate(bytes_, true, dtype_, dims_);
  owner_ = std::move(block.owner);
  data_ = block.data;
  writable_ = true;
}

Tensor Tensor::view(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner) {
  if (bits(dtype) == 0) throw Error(ErrorCode::kInternal, "tensor view", "needs elements of a fixed size");
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.numel_ = element_count(dims);
  tensor.bytes_ = bytes_for(dtype, dims);
  tensor.dims_ = std::move(dims);
  tensor.data_ = static_cast<const std::byte*>(data);
  tensor.owner_ = std::move(owner);
  if (reinterpret_cast<std::uintptr_t>(data) % alignment(dtype) != 0) tensor.realigned_ = std::make_shared<Realigned>();
  return tensor;
}

const std::byte* Tensor::aligned_raw() const {
  const std::byte* const bytes = raw();
  if (!realigned_) return bytes;
  std::call_once(realigned_->once, [&] {
    realigned_->copy = allocate(bytes_, false, dtype_, dims_);
    std::memcpy(realigned_->copy.data, bytes, bytes_);
  });
  return realigned_->copy.data;
}

Tensor Tensor::aligned() const {
  constexpr std::size_t kLarge = std::size_t{1} << 20;
  if (!realigned_ || bytes_ < kLarge) return realigned_ ? clone() : *this;
  const Block block = map(bytes_, dtype_, dims_);
  for (std::size_t at = 0; at < bytes_; at += kLarge) {  // so that a mapped file and the copy are never both in memory
    const std::span piece(raw() + at, std::min(kLarge, bytes_ - at));
    std::memcpy(block.data + at, piece.data(), piece.size());
    drop_mapped(piece);
  }
  return view(dtype_, dims_, block.data, block.owner);
}

/// Shared by all tensors of the same storage.
struct Tensor::Check {
  std::function<void()> run;
  std::mutex mutex;
  std::atomic<bool> passed = false;
};

Tensor Tensor::view(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner,
                    std::function<void()> check) {
  Tensor tensor = view(dtype, std::move(dims), data, std::move(owner));
  tensor.unchecked_ = std::make_shared<Check>();
  tensor.unchecked_->run = std::move(check);
  return tensor;
}

void Tensor::check() const {
  if (unchecked_->passed) return;
  const std::lock_guard lock(unchecked_->mutex);
  if (!unchecked_->passed) unchecked_->run();
  unchecked_->passed = true;
}

Tensor Tensor::strings(Dims dims, std::vector<std::string> values) {
  Tensor tensor;
  tensor.dtype_ = DType::kString;
  tensor.numel_ = element_count(dims);
  tensor.dims_ = std::move(dims);
  if (static_cast<std::size_t>(tensor.numel_) != values.size()) tensor.require(DType::kUndefined);
  tensor.strings_ = std::make_shared<const std::vector<std::string>>(std::move(values));
  return tensor;
}

std::int64_t Tensor::dim(std::int64_t axis) const {
  const std::int64_t index = axis < 0 ? axis + rank() : axis;
  if (index < 0 || index >= rank()) {
    throw Error(ErrorCode::kInternal, "tensor " + to_string(dims_), "has no axis " + std::to_string(axis));
  }
  return dims_[static_cast<std::size_t>(index)];
}

std::byte* Tensor::mutable_raw() {
  if (dtype_ == DType::kString) throw Error(ErrorCode::kInternal, "tensor of strings", "has no raw bytes");
  if (!defined()) throw Error(ErrorCode::kInternal, "undefined tensor", "has no bytes to write");
  if (!writable_ || owner_.use_count() > 1) *this = clone();
  // The storage was allocated by this class (writable_), so it is not const in truth.
  return const_cast<std::byte*>(data_);
}

const std::vector<std::string>& Tensor::string_data() const {
  require(DType::kString);
  return *strings_;
}

Tensor Tensor::reshaped(Dims dims) const {
  if (element_count(dims) != numel_) {
    throw Error(ErrorCode::kBadInput, "tensor " + to_string(dims_), "cannot be reshaped to " + to_string(dims),
                std::to_string(numel_) + " elements", std::to_string(element_count(dims)));
  }
  Tensor result = *this;
  result.dims_ = std::move(dims);
  return result;
}

Tensor Tensor::clone() const {
  Tensor result = *this;
  if (!defined() || dtype_ == DType::kString) return result;  // the strings themselves are immutable
  Block block = allocate(bytes_, false, dtype_, dims_);
  if (bytes_ > 0) std::memcpy(block.data, raw(), bytes_);
  result.owner_ = std::move(block.owner);
  result.unchecked_ = nullptr;
  result.data_ = block.data;
  result.writable_ = true;
  result.realigned_ = nullptr;
  return result;
}

bool Tensor::identical(const Tensor& other) const {
  if (dtype_ != other.dtype_ || dims_ != other.dims_) return false;
  if (dtype_ == DType::kString) return *strings_ == *other.strings_;
  return bytes_ == 0 || data_ == other.data_ || std::memcmp(raw(), other.raw(), bytes_) == 0;
}

// kUndefined stands for "the number of values does not fit the shape": from() is a template and cannot throw Error
// itself.
void Tensor::require(DType wanted) const {
  if (wanted == DType::kUndefined && defined()) {
    throw Error(ErrorCode::kInternal, "tensor " + to_string(dims_), "was given another number of values",
                std::to_string(numel_));
  }
  if (dtype_ != wanted) {
    throw Error(ErrorCode::kInternal, "tensor " + to_string(dims_), "has another element type",
                std::string(name(wanted)), std::string(name(dtype_)));
  }
}

}  // namespace pare
