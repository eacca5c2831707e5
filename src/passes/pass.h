// Graph rewrites: one file and one row in passes.inc each.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "ir/model.h"

namespace pare::passes {

struct Pass {
  std::string_view name;
  std::string_view summary;  ///< "before → after"
  int (*run)(ir::Model&);    ///< number of rewrites made
};

std::span<const Pass* const> passes();
const Pass& find_pass(std::string_view name);
/// Runs the named passes in order until none rewrites anything; shapes are inferred again after each round.
/// `inferred`: those of the model are up to date before.
int run_passes(ir::Model& model, std::span<const std::string_view> names, bool inferred = false);
/// Import clean-up that every command applies before it works on a model: functions inlined, constant folding, identity and dropout
/// removal, BatchNorm folding when `fold_batch_norm`, dead code. Function-preserving.
/// `inferred`: as for run_passes().
void simplify(ir::Model& model, bool fold_batch_norm = true, bool inferred = false);

}  // namespace pare::passes
