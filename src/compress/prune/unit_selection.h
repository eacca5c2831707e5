// Which channels structured pruning removes, from their scores.
#pragma once

#include <cstdint>
#include <vector>

#include "compress/method.h"
#include "ir/groups.h"

namespace pare::compress {

/// By group, the units to remove, ascending.
using RemovedUnits = std::vector<std::vector<std::int64_t>>;

/// How many go: a share of each group or of all ranked together, or all that score below a threshold.
struct UnitRule {
  double ratio = 0;           ///< share of the units to remove
  bool global = false;        ///< one ranking over all groups instead of one each
  double threshold = -1;      ///< ≥ 0: instead, the units with a score below it
  double most = 0.8;          ///< largest share that a group may lose where groups lose unlike shares
  std::int64_t round_to = 8;  ///< channels that stay of a group are a multiple, rounded up
  /// By group: how many units it had before earlier removals, of which `ratio` and `most` are shares; empty: as many as
  /// now.
  std::vector<std::int64_t> whole = {};
};

/// `scores` has one entry a group, empty for what is blocked. Equal scores: the earlier unit goes first.
RemovedUnits select_units(const std::vector<ir::ChannelGroup>& groups, const std::vector<std::vector<double>>& scores,
                          const UnitRule& rule);

}  // namespace pare::compress
