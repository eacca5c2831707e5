// The form of a quantized file: QuantizeLinear and DequantizeLinear around float operators, or QLinear operators.
#pragma once

#include "compress/method.h"

namespace pare::compress {

/// The option `format`.
Option format_option();

/// Error(kUnsupported) where the format is qoperator and the options ask for what QLinear operators do not take: 4-bit
/// weights and 16-bit activations.
void require_qoperators(const nlohmann::json& options);

/// Whether activations may get 16 bits.
bool may_be_wide(const nlohmann::json& options);

/// Rewrites the quantized model where the options say so, and tells what could not be, in the record's "quantized".
void write_format(ir::Model& model, StepContext& context);

}  // namespace pare::compress
