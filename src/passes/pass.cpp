#include "passes/pass.h"

#include <array>

#include "base/text.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::passes {

#define PARE_PASS(file) extern const Pass k_##file;
#include "passes/passes.inc"
#undef PARE_PASS

namespace {

const Pass* const kPasses[] = {
#define PARE_PASS(file) &k_##file,
#include "passes/passes.inc"
#undef PARE_PASS
};

/// Every pass shrinks the graph or moves work out of it, so this bound is never met by a correct pass.
constexpr int kMaxRounds = 1000;

}  // namespace

std::span<const Pass* const> passes() { return kPasses; }

const Pass& find_pass(std::string_view name) {
  std::vector<std::string> names;
  for (const Pass* pass : kPasses) {
    if (pass->name == name) return *pass;
    names.emplace_back(pass->name);
  }
  throw Error(ErrorCode::kUsage, std::string(name), "unknown pass" + did_you_mean(name, names), join(names, ", "));
}

int run_passes(ir::Model& model, std::span<const std::string_view> names, bool inferred) {
  if (!inferred) ir::infer_shapes(model);
  int total = 0;
  for (int round = 0; round < kMaxRounds; ++round) {
    int rewrites = 0;
    for (std::string_view name : names) rewrites += find_pass(name).run(model);
    if (rewrites == 0) return total;
    total += rewrites;
    ir::infer_shapes(model);
  }
  throw Error(ErrorCode::kInternal, "passes", "the rewrites do not come to an end");
}

void simplify(ir::Model& model, bool fold_batch_norm, bool inferred) {
  std::vector<std::string_view> names = {"inline_functions", "inline_if", "expand_qoperators", "fold_constants",
                                         "remove_identity"};
  if (fold_batch_norm) names.push_back("fold_batch_norm");
  names.insert(names.end(), {"drop_zero_states", "fuse_pad", "erase_dead"});
  run_passes(model, names, inferred);
}

}  // namespace pare::passes
