#include "runtime/plan.h"

#include <algorithm>
#include <new>

#include "base/text.h"
#include "pare/error.h"
#include "runtime/stage.h"

namespace pare::runtime {

namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

void set_lifetimes(Plan& plan) {
  const auto touch = [&](BufferId id, int step) {
    Buffer& buffer = plan.buffers[static_cast<std::size_t>(plan.root(id))];
    if (buffer.home != Buffer::Home::kArena) return;
    buffer.first = buffer.first < 0 ? step : std::min(buffer.first, step);
    buffer.last = std::max(buffer.last, step);
  };
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    for (BufferId id : plan.steps[i].reads) touch(id, static_cast<int>(i));
    for (BufferId id : plan.steps[i].writes) touch(id, static_cast<int>(i));
  }
  for (const std::vector<BufferId>* ids : {&plan.outputs, &plan.carried})
    for (BufferId id : *ids) touch(id, static_cast<int>(plan.steps.size()));
  for (const Observed& seen : plan.observed) touch(seen.buffer, std::max(seen.step, 0));
}

/// Whose memory each arena buffer lies in: its own, or that of one of its size that the step which writes it is the
/// last to read, and reads as nothing else.
std::vector<std::size_t> owners_of(const Plan& plan) {
  std::vector<std::size_t> owner(plan.buffers.size());
  for (std::size_t i = 0; i < owner.size(); ++i) {
    owner[i] = i;
    const Buffer& buffer = plan.buffers[i];
    if (buffer.takes_over == kNoBuffer || buffer.home != Buffer::Home::kArena || buffer.first < 0) continue;
    const BufferId of = plan.root(buffer.takes_over);
    const Buffer& other = plan.buffers[static_cast<std::size_t>(of)];
    const std::vector<BufferId>& reads = plan.steps[static_cast<std::size_t>(buffer.first)].reads;
    const auto readers = std::count_if(reads.begin(), reads.end(), [&](BufferId id) { return plan.root(id) == of; });
    if (other.home == Buffer::Home::kArena && other.bytes == buffer.bytes && other.last == buffer.first && readers == 1)
      owner[i] = owner[static_cast<std::size_t>(of)];
  }
  return owner;
}

struct Range {
  std::size_t begin, end;
};

/// Start of the smallest gap between sorted, possibly overlapping ranges that holds `bytes`; the end of all when none
/// does.
std::size_t best_gap(const std::vector<Range>& taken, std::size_t bytes) {
  std::size_t end = 0, best = 0, best_size = 0;
  for (const Range& range : taken) {
    if (range.begin > end && range.begin - end >= bytes && (best_size == 0 || range.begin - end < best_size)) {
      best = end;
      best_size = range.begin - end;
    }
    end = std::max(end, range.end);
  }
  return best_size ? best : end;
}

}  // namespace

ArenaPool::Arena ArenaPool::take(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      Arena arena = std::move(free_.back());
      free_.pop_back();
      return arena;
    }
  }
  try {
    return Arena(std::max(aligned(bytes), kAlignment));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "arena", "cannot allocate " + format_bytes(static_cast<std::int64_t>(bytes)));
  }
}

void ArenaPool::give_back(Arena arena) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(arena));
}

Plan::Plan() = default;
Plan::~Plan() = default;

BufferId Plan::root(BufferId id) const {
  while (buffers[static_cast<std::size_t>(id)].home == Buffer::Home::kAlias)
    id = buffers[static_cast<std::size_t>(id)].alias_of;
  return id;
}

void plan_memory(Plan& plan) {
  set_lifetimes(plan);
  const std::vector<std::size_t> owner = owners_of(plan);
  std::vector<int> last(owner.size(), -1);  // of an owner's memory
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    if (plan.buffers[i].home != Buffer::Home::kArena || plan.buffers[i].first < 0) continue;
    last[owner[i]] = std::max(last[owner[i]], plan.buffers[i].last);
    if (owner[i] == i) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return plan.buffers[a].bytes > plan.buffers[b].bytes; });
  std::vector<std::size_t> placed;
  for (std::size_t i : order) {
    Buffer& buffer = plan.buffers[i];
    std::vector<Range> taken;
    for (std::size_t j : placed) {
      const Buffer& other = plan.buffers[j];
      if (other.first <= last[i] && buffer.first <= last[j])
        taken.push_back({other.offset, other.offset + aligned(other.bytes)});
    }
    std::sort(taken.begin(), taken.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
    buffer.offset = best_gap(taken, aligned(buffer.bytes));
    plan.arena_bytes = std::max(plan.arena_bytes, buffer.offset + aligned(buffer.bytes));
    placed.push_back(i);
  }
  for (std::size_t i = 0; i < owner.size(); ++i) plan.buffers[i].offset = plan.buffers[owner[i]].offset;
}

}  // namespace pare::runtime
