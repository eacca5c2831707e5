// Random shapes and buffers of the kernel tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"

namespace pare::kernels::test {

class Random {
 public:
  explicit Random(std::uint64_t seed) : rng_(seed, kRngTest) {}
  std::int64_t integer(std::int64_t lo, std::int64_t hi) {
    return lo + static_cast<std::int64_t>(rng_.below(hi - lo + 1));
  }
  float real(float lo, float hi) { return lo + static_cast<float>(rng_.uniform()) * (hi - lo); }
  bool coin(double p = 0.5) { return rng_.coin(p); }
  std::vector<std::uint8_t> bytes(std::int64_t count) {
    std::vector<std::uint8_t> v(count);
    for (auto& x : v) x = static_cast<std::uint8_t>(rng_.next());
    return v;
  }
  std::vector<float> reals(std::int64_t count, float lo = -1, float hi = 1) {
    std::vector<float> v(count);
    for (auto& x : v) x = real(lo, hi);
    return v;
  }

 private:
  Rng rng_;
};

/// Sets an environment variable for its lifetime.
class ScopedEnv {
 public:
  ScopedEnv(const char* key, const char* value) : key_(key) {
    if (const char* old = std::getenv(key)) old_ = old;
    setenv(key, value, 1);
  }
  ~ScopedEnv() {
    if (old_)
      setenv(key_, old_->c_str(), 1);
    else
      unsetenv(key_);
  }
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;

 private:
  const char* key_;
  std::optional<std::string> old_;
};

}  // namespace pare::kernels::test
