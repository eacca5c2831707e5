// Products of float32 models in bfloat16, where the plan's precision asks for it.
#pragma once

#include <optional>
#include <string>

#include "runtime/lower/float_product.h"

namespace pare::runtime {

/// Emits the fastest form: oneDNN's, or our own on AMX tiles. Inputs are read in bfloat16, what is added as it lies
/// there, and the output is written as its readers take it. Returns why there is none.
std::optional<std::string> lower_bf16(Lowerer& lw, const Group& group, const FloatProduct& product);

}  // namespace pare::runtime
