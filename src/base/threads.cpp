#include "base/threads.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <fstream>
#include <limits>
#include <string>
#include <thread>

#include "pare/error.h"

namespace pare {

namespace {

int affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int cores_of_quota(double quota, double period) {
  if (quota <= 0 || period <= 0) return std::numeric_limits<int>::max();
  return std::max(1, static_cast<int>(std::ceil(quota / period)));
}

// cgroup v2: "cpu.max" of this process's group and its parents holds "quota period" or "max period".
int cgroup2_cores() {
  int cores = std::numeric_limits<int>::max();
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::")) continue;
    for (std::string group = line.substr(3);; group.resize(group.find_last_of('/'))) {
      if (group == "/") group.clear();
      std::ifstream file("/sys/fs/cgroup" + group + "/cpu.max");
      double quota = 0, period = 0;
      if (file >> quota >> period) cores = std::min(cores, cores_of_quota(quota, period));
      if (group.find('/') == std::string::npos) break;
    }
  }
  return cores;
}

int cgroup1_cores() {
  std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (quota_file >> quota && period_file >> period) return cores_of_quota(quota, period);
  return std::numeric_limits<int>::max();
}

}  // namespace

int hardware_threads() { return std::min({affinity_cores(), cgroup2_cores(), cgroup1_cores()}); }

int resolve_threads(int requested) {
  if (requested < 0) {
    throw Error(ErrorCode::kUsage, "threads", "must not be negative", "0 (all cores) or more",
                std::to_string(requested));
  }
  return requested == 0 ? hardware_threads() : requested;
}

ThreadScope::ThreadScope(int threads) : previous_(omp_get_max_threads()) { omp_set_num_threads(std::max(1, threads)); }

ThreadScope::~ThreadScope() { omp_set_num_threads(previous_); }

void parallel_for(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t team = omp_in_parallel() ? 1 : omp_get_max_threads();
  const std::int64_t chunk = std::max(grain, (count + team - 1) / team);
  const std::int64_t parts = (count + chunk - 1) / chunk;
  if (parts == 1) return body(0, count);

  std::exception_ptr error;
  std::atomic<bool> failed = false;
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static, 1)
  for (std::int64_t part = 0; part < parts; ++part) {
    try {
      body(part * chunk, std::min(count, (part + 1) * chunk));
    } catch (...) {  // an exception may not leave an OpenMP region; it is rethrown after it
      if (!failed.exchange(true)) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace pare
