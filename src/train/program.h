// A model lowered to a list of calls.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "exec/backend.h"
#include "ir/model.h"
#include "train/lowering.h"
#include "train/roles.h"

namespace pare::train {

struct Step {
  std::string node;
  Call call;
  std::vector<int> last_uses;  ///< slots that nothing reads after this step
};

struct Program {
  std::vector<Step> steps;
  std::unordered_map<ir::ValueId, int> slots;
  int slot_count = 0;
  Roles roles;
  /// The [N, classes] value that losses look at: the first output, or what a final Softmax makes of it.
  int judged = kNoSlot;
};

/// The model with the operators that others define (Attention, Swish, com.microsoft's) replaced by these others, as far
/// as what their form depends on is known. Initializers keep their names.
ir::Model expand_fused(const ir::Model& model);

/// Lowers every node of an expanded model. What cannot be lowered is appended to `refusals`; the program is then
/// incomplete.
Program lower(const ir::Model& model, std::vector<exec::Refusal>& refusals);

}  // namespace pare::train
