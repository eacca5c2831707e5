// Which nodes are elementwise functions that kernels know.
#pragma once

#include <optional>

#include "ir/model.h"
#include "kernels/elementwise/elementwise.h"

namespace pare::runtime {

struct Activation {
  kernels::UnaryOp op = kernels::UnaryOp::kIdentity;
  kernels::UnaryParams params;
};

/// The unary function of a node over f32 with constant parameters; nullopt otherwise.
std::optional<Activation> activation_of(const ir::Model& model, const ir::Node& node);
/// The binary function of a node of two operands; nullopt otherwise.
std::optional<kernels::BinaryOp> binary_of(const ir::Node& node);

/// [lo, hi] of an activation that only clamps (Relu, Clip); nullopt otherwise.
struct Clamp {
  float lo = -kernels::kInfinity, hi = kernels::kInfinity;
};
std::optional<Clamp> clamp_of(const Activation& activation);

}  // namespace pare::runtime
