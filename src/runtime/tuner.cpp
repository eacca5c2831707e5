#include "runtime/tuner.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/cpu.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/huge_memory.h"
#include "base/text.h"
#include "base/threads.h"
#include "pare/error.h"
#include "runtime/onednn.h"

namespace pare::runtime {

namespace {

constexpr int kVersion = 7;  ///< of kernels and of keys: counted up when either changes what was measured
constexpr int kLeastRounds = 3, kMostRounds = 9;
constexpr std::int64_t kLeastCache = 1 << 20;  ///< bytes of L2, where the CPU does not say
constexpr double kBudget = 30'000;  ///< microseconds after which no further round begins

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

/// Memory that takes the place of whatever else the cores' own caches hold.
class Elsewhere {
 public:
  explicit Elsewhere(int threads)
      : lines_(2 * static_cast<std::size_t>(std::max(cpu_info().l2, kLeastCache) * std::max(threads, 1)) /
               sizeof(Line)) {}
  void walk() const {
    const auto part = [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i)
        (void)*static_cast<const volatile float*>(&lines_[static_cast<std::size_t>(i)].value);
    };
    parallel_for(static_cast<std::int64_t>(lines_.size()), 1, std::ref(part));
  }

 private:
  struct alignas(64) Line {
    float value = 0;
  };
  HugeVector<Line> lines_;
};

std::vector<double> measure(const Tuner::Race& race) {
  const std::vector<Tuner::Run>& runs = race.runs;
  std::vector<double> least(runs.size(), 1e300);
  for (const Tuner::Run& run : runs) run();  // pages
  const Elsewhere elsewhere(race.threads);
  const Clock::time_point start = Clock::now();
  for (int round = 0; round < kMostRounds && (round < kLeastRounds || since(start) < kBudget); ++round)
    for (std::size_t i = 0; i < runs.size(); ++i) {
      elsewhere.walk();
      race.inputs();
      const Clock::time_point before = Clock::now();
      runs[i]();
      least[i] = std::min(least[i], since(before));
    }
  return least;
}

}  // namespace

std::filesystem::path Tuner::default_folder() {
  if (const char* own = std::getenv("PARE_CACHE_DIR")) return own;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return fs::path(cache) / "pare";
  if (const char* home = std::getenv("HOME"); home && *home) return fs::path(home) / ".cache" / "pare";
  return {};
}

Tuner::Tuner(const std::filesystem::path& folder)
    : machine_("pare tuning " + std::to_string(kVersion) + ", " + cpu_info().model + ", " +
               std::string(name(active_isa())) + ", oneDNN " + onednn::version()) {
  if (!folder.empty()) file_ = folder / ("tuning-" + hash_hex(machine_).substr(0, 16) + ".txt");
  read();
}

/// A line for the machine, then one a task: key, name=microseconds …, separated by tabs. What is damaged is not known.
void Tuner::read() {
  std::ifstream file(file_);
  std::string line;
  if (file_.empty() || !std::getline(file, line) || line != machine_) return;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string key, field;
    std::getline(fields, key, '\t');
    Times times;
    while (std::getline(fields, field, '\t')) {
      const std::size_t equals = field.rfind('=');
      const double value = equals == std::string::npos ? 0 : std::strtod(field.c_str() + equals + 1, nullptr);
      if (value > 0) times[field.substr(0, equals)] = value;
    }
    known_.emplace(key, std::move(times));  // what this process measured stays
  }
}

std::vector<double> Tuner::microseconds(const std::string& key, const std::vector<std::string>& names,
                                        const std::function<Race()>& make) {
  const std::lock_guard lock(mutex_);
  Times& times = known_[key];
  const bool all = std::all_of(names.begin(), names.end(), [&](const std::string& name) { return times.contains(name); });
  if (!all) {
    const std::vector<double> measured = measure(make());
    for (std::size_t i = 0; i < names.size(); ++i) times[names[i]] = measured[i];
    changed_ = true;
  }
  std::vector<double> result;
  for (const std::string& name : names) result.push_back(times.at(name));
  return result;
}

void Tuner::save() {
  const std::lock_guard lock(mutex_);
  if (!changed_ || file_.empty()) return;
  changed_ = false;
  read();
  std::string text = machine_ + '\n';
  for (const auto& [key, times] : known_) {
    text += key;
    for (const auto& [name, value] : times) text += '\t' + name + '=' + std::to_string(value);
    text += '\n';
  }
  std::error_code none;
  fs::create_directories(file_.parent_path(), none);
  try {
    write_file_atomically(file_, text);
  } catch (const Error&) {
    file_.clear();  // no place to keep it: the next process measures again
  }
}

}  // namespace pare::runtime
