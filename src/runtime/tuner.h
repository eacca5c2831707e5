// Choice of kernels by timing: what candidates take on this machine, known for each task once and kept in a file.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace pare::runtime {

/// Thread-safe; one measurement at a time.
class Tuner {
 public:
  using Run = std::function<void()>;
  struct Race {
    Run inputs;             ///< leaves what the runs read in the caches, as the step before would
    std::vector<Run> runs;  ///< one of each candidate
    int threads = 1;        ///< at work
  };

  /// Reads what earlier runs have measured on a CPU of this model, with this instruction set and these kernels. A folder
  /// that cannot be written costs nothing but measuring again; an empty one: nothing is kept.
  explicit Tuner(const std::filesystem::path& folder);

  /// Microseconds of each of `names` at the task `key`, which says all that times depend on beside the machine. `make`
  /// gives a call of each and is asked only where some are not known: each runs in turn, a few times, with nothing but
  /// the inputs in the cores' own caches, since in a network other weights are read in between; the least counts.
  std::vector<double> microseconds(const std::string& key, const std::vector<std::string>& names,
                                   const std::function<Race()>& make);

  /// Writes what is new, with what others have written meanwhile.
  void save();

  /// $PARE_CACHE_DIR, $XDG_CACHE_HOME/pare or ~/.cache/pare; empty where none is set.
  static std::filesystem::path default_folder();

 private:
  using Times = std::map<std::string, double>;
  void read();

  std::string machine_;
  std::filesystem::path file_;
  std::mutex mutex_;
  std::map<std::string, Times> known_;
  bool changed_ = false;
};

}  // namespace pare::runtime
