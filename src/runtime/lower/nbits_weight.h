// Low-bit weights of a product, however the model spells them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "kernels/nbits/nbits.h"
#include "pare/tensor.h"

namespace pare::runtime {

struct NBitsWeight {
  kernels::NBitsShape shape;
  Tensor codes;                           ///< what the cache knows the weight by
  std::vector<float> scale, zero, table;  ///< [n, blocks], zero empty: 2^(bits − 1); table: of codebooks
  std::int64_t table_stride = 0;
  std::function<void(std::int64_t, std::uint8_t*)> row;  ///< codes of output n, a byte each

  kernels::NBitsValues values() const {
    return {scale.empty() ? nullptr : scale.data(), zero.empty() ? nullptr : zero.data(), table, table_stride};
  }
};

/// Why the kernels do not take the node's weight; nullopt: nbits_weight() gives it.
std::optional<std::string> why_not_nbits_weight(const ir::Graph& graph, const ir::Node& node);

/// Of a com.microsoft.MatMulNBits; of a MatMul or Gemm whose right operand is a DequantizeLinear of a constant in blocks
/// along K, or of few bits, or a Codebook (domain pare). Codes that use fewer values than their type has are taken for
/// the narrowest of 2, 3 and 4 bits that holds them.
NBitsWeight nbits_weight(const ir::Graph& graph, const ir::Node& node);

bool is_nbits_operator(const ir::Node& node);

}  // namespace pare::runtime
