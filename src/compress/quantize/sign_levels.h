// Weights that take a sign and one magnitude: binary (XNOR-Net, Rastegari et al. 2016) and ternary (TWN, Li et al. 2016), as
// ir/fake_quantize.h defines them for quantization-aware training.
#pragma once

#include "compress/quantize/params.h"

namespace pare::compress {

struct SignLevels {
  passes::QuantParams params;
  Tensor integers;  ///< −1, 0 and 1, of the params' type
};

/// By `spec.signs`: a magnitude for the tensor or each output channel. A channel of zeros takes the largest magnitude, so that
/// its bias keeps a sensible step.
SignLevels sign_levels(const Tensor& weight, int output_axis, const WeightSpec& spec);

}  // namespace pare::compress
