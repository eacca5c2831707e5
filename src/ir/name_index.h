// Names of a graph's values or nodes: which id has a name. The names themselves stay where they are, so that a copy of a
// graph copies plain numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace pare::ir {

/// Open addressing with linear probing. `name_of(id)` tells the name of an id that is in the index.
class NameIndex {
 public:
  static constexpr std::int32_t kAbsent = -1;

  template <class NameOf>
  std::int32_t find(std::string_view name, const NameOf& name_of) const {
    if (slots_.empty()) return kAbsent;
    const std::uint32_t hash = hash_of(name);
    for (std::size_t at = hash & mask(); slots_[at].id != kAbsent; at = (at + 1) & mask())
      if (slots_[at].hash == hash && name_of(slots_[at].id) == name) return slots_[at].id;
    return kAbsent;
  }

  /// A name that is there already is found with either id.
  void insert(std::string_view name, std::int32_t id);
  /// Requires that the name is there with this id.
  void erase(std::string_view name, std::int32_t id);

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = kAbsent;
  };
  static std::uint32_t hash_of(std::string_view name) noexcept {
    return static_cast<std::uint32_t>(std::hash<std::string_view>()(name));
  }
  std::size_t mask() const noexcept { return slots_.size() - 1; }
  void put(Slot slot);
  void grow();

  std::vector<Slot> slots_;  ///< a power of two, at most half of it taken
  std::size_t count_ = 0;
};

}  // namespace pare::ir
