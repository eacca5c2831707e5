#include "base/hash.h"

#include <xxhash.h>

#include <cstdio>
#include <new>

#include "base/cpu.h"
#include "base/hash_avx2.h"

namespace pare {

namespace {

constexpr std::size_t kLong = 4096;  // bytes from which wider vectors are worth asking the CPU for

std::string hex_of(XXH128_hash_t hash) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

XXH3_state_t* state(void* pointer) { return static_cast<XXH3_state_t*>(pointer); }

std::string_view bytes_of(const std::int64_t& value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

}  // namespace

std::string hash_hex(std::string_view bytes) { return hex_of(XXH3_128bits(bytes.data(), bytes.size())); }

std::uint64_t hash64(std::string_view bytes) {
  if (bytes.size() >= kLong && isa_available(Isa::kAvx2)) return avx2::hash64(bytes.data(), bytes.size());
  return XXH3_64bits(bytes.data(), bytes.size());
}

Hasher::Hasher() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state(state_));
}

Hasher::~Hasher() { XXH3_freeState(state(state_)); }

void Hasher::add(std::string_view bytes) { XXH3_128bits_update(state(state_), bytes.data(), bytes.size()); }

void Hasher::add(const Tensor& tensor) {
  add(bytes_of(static_cast<std::int64_t>(tensor.dtype())));
  add(bytes_of(tensor.rank()));
  for (const std::int64_t dim : tensor.dims()) add(bytes_of(dim));
  if (tensor.dtype() != DType::kString) {
    if (tensor.bytes() > 0) add({reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()});
    return;
  }
  for (const std::string& text : tensor.string_data()) {
    add(bytes_of(static_cast<std::int64_t>(text.size())));
    add(text);
  }
}

std::string Hasher::hex() const { return hex_of(XXH3_128bits_digest(state(state_))); }

}  // namespace pare
