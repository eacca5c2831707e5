// Products with constant weights of 2, 3, 4 or 8 bits in groups or by codebook, which stay packed in memory (kernels/nbits).
#pragma once

#include <optional>
#include <string>

#include "runtime/lowerer.h"

namespace pare::runtime {

/// Why the low-bit kernels do not take this node; nullopt: they do. A com.microsoft.MatMulNBits, or a MatMul or Gemm
/// whose right operand is a DequantizeLinear of a constant in blocks along K or of few bits, or a Codebook.
std::optional<std::string> why_not_nbits(const ir::Graph& graph, const ir::Node& node);

/// Whether lower_nbits() takes the group: a product that the kernels take, with at most a bias behind it.
bool takes_nbits(Lowerer& lw, const Group& group);

/// Emits the product; takes_nbits() (or, for a MatMulNBits, why_not_nbits) must have agreed.
void lower_nbits(Lowerer& lw, const Group& group);

/// The value is read by products alone that take it packed: nobody needs it in f32.
bool only_nbits_read(const ir::Graph& graph, ir::ValueId value);

}  // namespace pare::runtime
