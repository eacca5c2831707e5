// The elements of every axis of a model, joined into sets (groups.cpp), and the shapes that the walk over them needs.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "ir/op.h"

namespace pare::ir {

using Axis = std::pair<ValueId, std::int64_t>;

/// Union–find over the elements of every axis whose size is known.
class Elements {
 public:
  void add(Axis axis, std::int64_t size) {
    first_[axis] = {static_cast<std::int64_t>(parent_.size()), size};
    for (std::int64_t i = 0; i < size; ++i) parent_.push_back(static_cast<std::int64_t>(parent_.size()));
  }
  /// 0 when the size is not known.
  std::int64_t size(Axis axis) const {
    const auto found = first_.find(axis);
    return found == first_.end() ? 0 : found->second.second;
  }
  std::int64_t at(Axis axis, std::int64_t element) const { return first_.at(axis).first + element; }
  std::int64_t root(std::int64_t id) {
    while (parent_[index(id)] != id) id = parent_[index(id)] = parent_[index(parent_[index(id)])];
    return id;
  }
  void join(std::int64_t a, std::int64_t b) { parent_[index(root(a))] = root(b); }
  const std::map<Axis, std::pair<std::int64_t, std::int64_t>>& axes() const { return first_; }

 private:
  static std::size_t index(std::int64_t id) { return static_cast<std::size_t>(id); }
  std::vector<std::int64_t> parent_;
  std::map<Axis, std::pair<std::int64_t, std::int64_t>> first_;
};

/// Shapes by symbols; where these get lost (exporters compute shapes in ways that only numbers survive), by a number
/// for each: primes, so that no two sizes are equal by chance.
std::vector<ValueFacts> facts_for_walk(const Model& model);

}  // namespace pare::ir
