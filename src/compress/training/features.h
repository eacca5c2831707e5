// Feature distillation: which values of teacher and student are compared besides the outputs (option distill.features).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compress/option.h"
#include "ir/model.h"

namespace pare::compress {

/// The declarations of `features` and `feature_weight`.
std::vector<Option> feature_options();

/// Whether a student's value can stand beside the teacher's: the type, the rank and all known sizes agree.
bool same_kind(const ir::Value& student, const ir::Value& teacher);

/// The first outputs of the teacher's nodes that `distill` names in "features" (selectors as for `include`), in the
/// teacher's order. Error(kUsage) at `subject`.features for a selector that matches nothing, a value that the student
/// lacks or has in another shape, and for a teacher that has no weight in the loss.
std::vector<std::string> feature_names(const ir::Graph& student, const ir::Graph& teacher,
                                       const nlohmann::json& distill, const std::string& subject);

}  // namespace pare::compress
