// prune/magnitude: zeros the weights of smallest magnitude, at once or gradually while training (gradual.h).
#include "compress/prune/scored.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  static const std::vector<Option> table = scored_options("\"layer\"", false);
  return table;
}

void apply(ir::Model& model, const Statistics&, StepContext& context) { prune_by({}, model, context); }

}  // namespace

const Method& magnitude_pruning() {
  static const Method method = zeroing_method({"magnitude", "zeros the weights of smallest magnitude",
                                               "Zhu & Gupta, To prune, or not to prune, 2017", options, scored_trains,
                                               validate_scored, apply, rewind_files});
  return method;
}

}  // namespace pare::compress
