// Content hashes (XXH3-128): provenance, cache keys, resume checks. Not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "pare/tensor.h"

namespace pare {

/// 32 hexadecimal digits.
std::string hash_hex(std::string_view bytes);

/// XXH3-64: checksums of files. As fast as memory is read, with AVX2.
std::uint64_t hash64(std::string_view bytes);

/// Feeds pieces in order; the result depends on the concatenation only.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void add(std::string_view bytes);
  void add(const Tensor& tensor);  ///< dtype, dims and content
  std::string hex() const;

 private:
  void* state_;
};

}  // namespace pare
