#include "ir/name_index.h"

#include <cassert>

namespace pare::ir {

namespace {

constexpr std::size_t kLeastSlots = 16;

}  // namespace

void NameIndex::insert(std::string_view name, std::int32_t id) {
  if (2 * (count_ + 1) > slots_.size()) grow();
  put({hash_of(name), id});
  ++count_;
}

void NameIndex::put(Slot slot) {
  std::size_t at = slot.hash & mask();
  while (slots_[at].id != kAbsent) at = (at + 1) & mask();
  slots_[at] = slot;
}

void NameIndex::grow() {
  std::vector<Slot> before(slots_.empty() ? kLeastSlots : 2 * slots_.size());
  before.swap(slots_);
  for (const Slot& slot : before)
    if (slot.id != kAbsent) put(slot);
}

void NameIndex::erase(std::string_view name, std::int32_t id) {
  std::size_t gap = hash_of(name) & mask();
  while (slots_[gap].id != id) {
    assert(slots_[gap].id != kAbsent);
    gap = (gap + 1) & mask();
  }
  // What probing would no longer reach across the gap moves into it.
  for (std::size_t at = (gap + 1) & mask(); slots_[at].id != kAbsent; at = (at + 1) & mask()) {
    const std::size_t home = slots_[at].hash & mask();
    if (((at - home) & mask()) < ((at - gap) & mask())) continue;
    slots_[gap] = slots_[at];
    gap = at;
  }
  slots_[gap] = {};
  --count_;
}

}  // namespace pare::ir
