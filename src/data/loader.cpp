#include "data/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "pare/error.h"

namespace pare::data {

struct Loader::State {
  State(std::shared_ptr<const Split> split_, LoaderOptions options_) : split(std::move(split_)), options(options_) {}

  std::int64_t batches() const {
    const std::int64_t size = split->size(), batch = options.batch_size;
    return options.drop_last ? size / batch : (size + batch - 1) / batch;
  }

  void start(std::int64_t epoch_, std::int64_t first_batch);
  void stop();
  std::optional<Batch> next();
  void work();
  Batch make(std::int64_t number) const;

  const std::shared_ptr<const Split> split;
  const LoaderOptions options;

  // Set while no worker runs.
  std::vector<std::int64_t> order;
  std::int64_t epoch = 0;
  double waited = 0;
  std::vector<std::thread> workers;

  std::mutex mutex;
  std::condition_variable room, ready_or_failed;
  // Guarded by mutex. A batch is claimed, then ready, then delivered, always in ascending order of claims.
  struct Slot {
    Batch batch;
    std::exception_ptr error;
  };
  std::map<std::int64_t, Slot> ready;
  std::int64_t claimed = 0, delivered = 0, end = 0;
  bool stopping = false;
};

void Loader::State::start(std::int64_t epoch_, std::int64_t first_batch) {
  stop();
  epoch = epoch_;
  if (options.shuffle) {
    order = Rng(options.seed, kRngShuffle, static_cast<std::uint64_t>(epoch)).permutation(split->size());
  } else {
    order.resize(static_cast<std::size_t>(split->size()));
    std::iota(order.begin(), order.end(), std::int64_t{0});
  }
  waited = 0;
  end = batches();
  claimed = delivered = std::min(std::max<std::int64_t>(first_batch, 0), end);
  stopping = false;
  const std::int64_t useful = std::min<std::int64_t>(std::max(options.workers, 1), end - claimed);
  for (std::int64_t i = 0; i < useful; ++i) workers.emplace_back([this] { work(); });
}

void Loader::State::stop() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  room.notify_all();
  for (std::thread& worker : workers) worker.join();
  workers.clear();
  ready.clear();
}

Batch Loader::State::make(std::int64_t number) const {
  const std::int64_t first = number * options.batch_size;
  const std::int64_t last = std::min(first + options.batch_size, static_cast<std::int64_t>(order.size()));
  const std::vector<std::int64_t> indices(order.begin() + first, order.begin() + last);
  return split->batch(indices, options.seed, options.augment ? epoch : -1);
}

void Loader::State::work() {
  const std::int64_t ahead = std::max(options.prefetch, 1);
  std::unique_lock lock(mutex);
  for (;;) {
    room.wait(lock, [&] { return stopping || claimed >= end || claimed < delivered + ahead; });
    if (stopping || claimed >= end) return;
    const std::int64_t number = claimed++;
    lock.unlock();
    Slot slot;
    try {
      slot.batch = make(number);
    } catch (...) {  // handed to next(), in its turn
      slot.error = std::current_exception();
    }
    lock.lock();
    ready.emplace(number, std::move(slot));
    ready_or_failed.notify_one();
  }
}

std::optional<Batch> Loader::State::next() {
  const auto began = std::chrono::steady_clock::now();
  Slot slot;
  {
    std::unique_lock lock(mutex);
    if (delivered >= end) return std::nullopt;
    ready_or_failed.wait(lock, [&] { return ready.contains(delivered); });
    slot = std::move(ready.extract(delivered).mapped());
    ++delivered;
  }
  waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  room.notify_one();
  if (slot.error) {
    stop();
    end = delivered;  // nothing more comes of this epoch
    std::rethrow_exception(slot.error);
  }
  return std::move(slot.batch);
}

Loader::Loader(std::shared_ptr<const Split> split, LoaderOptions options) {
  if (!split) throw Error(ErrorCode::kInternal, "loader", "has no split");
  if (options.batch_size < 1) {
    throw Error(ErrorCode::kUsage, "batch size", "must be at least 1", "", std::to_string(options.batch_size));
  }
  state_ = std::make_unique<State>(std::move(split), options);
}

Loader::~Loader() { state_->stop(); }

std::int64_t Loader::batches() const { return state_->batches(); }
void Loader::start(std::int64_t epoch, std::int64_t first_batch) { state_->start(epoch, first_batch); }
std::optional<Batch> Loader::next() { return state_->next(); }
double Loader::waited_s() const { return state_->waited; }

}  // namespace pare::data
