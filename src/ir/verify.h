// The rules every graph obeys; run after import and after every pass in dev builds.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::ir {

/// One broken rule, in words that name the node or value. Empty: valid. Checks links, names, single assignment, order,
/// outputs produced, opset imports, arity and attributes of known operators, constants that agree with their type.
std::vector<std::string> verify(const Model& model);
/// Throws Error(kBadInput) with the first broken rule and the number of further ones.
void require_valid(const Model& model, const std::string& subject);

}  // namespace pare::ir
