// Batches prepared ahead by worker threads, in an order that depends on the seed and epoch only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "data/dataset.h"

namespace pare::data {

struct LoaderOptions {
  std::int64_t batch_size = 64;
  bool shuffle = false;
  bool augment = false;
  bool drop_last = false;
  int workers = 1;   ///< own std::threads, not OpenMP
  int prefetch = 4;  ///< batches held ready at most (memory bound)
  std::uint64_t seed = 0;
};

/// One epoch at a time: start(epoch, first_batch), then next() until nullopt. Identical batches whatever `workers`.
class Loader {
 public:
  Loader(std::shared_ptr<const Split> split, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  std::int64_t batches() const;  ///< per epoch
  void start(std::int64_t epoch, std::int64_t first_batch = 0);
  std::optional<Batch> next();  ///< rethrows what a worker threw
  /// Seconds that next() spent waiting for workers since start(): the starvation of the trainer.
  double waited_s() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pare::data
