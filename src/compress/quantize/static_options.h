// What static quantization can be asked for, and what contradicts itself or the model.
#pragma once

#include "compress/method.h"

namespace pare::compress {

std::span<const Option> static_options();

/// As Method::validate.
void validate_static(const ir::Model& model, const StepContext& context);

}  // namespace pare::compress
