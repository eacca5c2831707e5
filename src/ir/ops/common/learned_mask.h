// What the operators of learned masks share.
#pragma once

#include "ir/op.h"
#include "ir/ops/common/facts.h"
#include "ir/pare_domain.h"

namespace pare::ir::ops {

/// Throws unless all inputs are f32.
template <class Context>
void require_mask_floats(const Context& ctx, const std::vector<DType>& types) {
  for (std::size_t slot = 0; slot < types.size(); ++slot)
    if (types[slot] != DType::kUndefined && types[slot] != DType::kFloat32)
      ctx.fail("input " + std::to_string(slot) + " has the wrong type", "float32", std::string(name(types[slot])));
}

/// Of f32 inputs; the output is like the weight.
void infer_mask(InferContext& ctx);
/// Throws where two known shapes differ.
void require_weight_shape(const InferContext& ctx, std::size_t slot);
/// Throws unless the inputs are f32 tensors.
void require_mask_inputs(const EvaluateContext& ctx);

}  // namespace pare::ir::ops
