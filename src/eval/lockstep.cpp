#include "eval/lockstep.h"

#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace pare::eval {

namespace {

/// Ends a run whose partner has failed; never leaves this file.
struct Abandoned {};

class Lockstep {
 public:
  Lockstep(const LockstepSide& a, const LockstepSide& b, const PairObserver& observer)
      : sides_{&a, &b}, observer_(observer) {
    for (std::size_t side : {0, 1})
      for (const auto& [name, layer] : sides_[side]->layers)
        if (const auto found = sides_[side]->inputs.find(name); found != sides_[side]->inputs.end())
          waiting_[side].emplace(layer, found->second);
    meet_inputs();
  }

  std::pair<NamedTensors, NamedTensors> run() {
    std::thread second([this] { run_side(1); });
    run_side(0);
    second.join();
    if (error_) std::rethrow_exception(error_);
    return {std::move(outputs_[0]), std::move(outputs_[1])};
  }

 private:
  void meet_inputs() {
    for (auto it = waiting_[0].begin(); it != waiting_[0].end();) {
      const auto other = waiting_[1].find(it->first);
      if (other == waiting_[1].end()) {
        ++it;
        continue;
      }
      observer_(it->first, it->second, other->second);
      waiting_[1].erase(other);
      it = waiting_[0].erase(it);
    }
  }

  void run_side(std::size_t side) {
    try {
      wait_for_turn(side);
      outputs_[side] = sides_[side]->executor.observe(
          sides_[side]->inputs, [&](const std::string& name, const Tensor& tensor) { see(side, name, tensor); });
    } catch (const Abandoned&) {
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    done_[side] = true;
    turn_ = 1 - side;
    changed_.notify_all();
  }

  void see(std::size_t side, const std::string& name, const Tensor& tensor) {
    const std::size_t layer = sides_[side]->layers.at(name);
    const std::size_t other = 1 - side;
    // Only the side whose turn it is touches the waiting values; the mutex orders the turns.
    if (const auto found = waiting_[other].find(layer); found != waiting_[other].end()) {
      const Tensor kept = std::move(found->second);
      waiting_[other].erase(found);
      side == 0 ? observer_(layer, tensor, kept) : observer_(layer, kept, tensor);
      return;
    }
    waiting_[side].emplace(layer, tensor.clone());
    hand_over(side);
  }

  void hand_over(std::size_t side) {
    {
      const std::lock_guard lock(mutex_);
      if (done_[1 - side]) return;
      turn_ = 1 - side;
      changed_.notify_all();
    }
    wait_for_turn(side);
  }

  void wait_for_turn(std::size_t side) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == side || error_; });
    if (error_) throw Abandoned();
  }

  std::array<const LockstepSide*, 2> sides_;
  const PairObserver& observer_;
  std::array<std::map<std::size_t, Tensor>, 2> waiting_;  ///< by layer: seen by this side, not yet by the other
  std::array<NamedTensors, 2> outputs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t turn_ = 0;
  std::array<bool, 2> done_{};
  std::exception_ptr error_;
};

}  // namespace

std::pair<NamedTensors, NamedTensors> run_in_lockstep(const LockstepSide& a, const LockstepSide& b,
                                                      const PairObserver& observer) {
  return Lockstep(a, b, observer).run();
}

}  // namespace pare::eval
