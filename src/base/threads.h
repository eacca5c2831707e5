// The OpenMP pool that oneDNN and LibTorch share with us.
#pragma once

#include <cstdint>
#include <functional>

namespace pare {

/// Cores that this process may use (affinity and cgroup respected).
int hardware_threads();
/// 0 → hardware_threads(); throws Error(kUsage) for negative numbers.
int resolve_threads(int requested);

/// Sets this thread's OpenMP team size for its lifetime and restores it.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int previous_;
};

/// body(begin, end) over disjoint ranges of [0, count), each at least `grain` long but the last; static schedule, so
/// the same thread count gives the same ranges. Exceptions of the body reach the caller (the first one thrown).
void parallel_for(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace pare
