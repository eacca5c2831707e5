// Matrices whose input channels share a step group by group: FakeQuantize knows one axis, so the matrix is seen as a row for
// each step.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace pare::compress {

/// [N, K] is [N·K/g, g] as it lies; of [K, N], where outputs are axis 1, a row holds the g inputs of one output. Rows come
/// in the order of the scales of DequantizeLinear with a block_size.
struct Grouping {
  Dims dims;                ///< of the matrix
  int output_axis = 0;
  std::int64_t group = 0;   ///< input channels that share a step; divides their number

  std::int64_t rows() const { return dims[0] * dims[1] / group; }
  /// The element of the matrix that lies at `row`, `at`.
  std::size_t element(std::int64_t row, std::int64_t at) const;

  /// [rows, group] of the matrix' values.
  Tensor gathered(const Tensor& matrix) const;
  /// Levels of [rows, group] in the matrix' order.
  std::vector<std::int32_t> scattered(std::span<const std::int32_t> levels) const;

  /// Nodes that do the same in a graph; return the value that they make.
  ir::ValueId insert_gathered(ir::Graph& graph, const std::string& base, ir::ValueId matrix) const;
  ir::ValueId insert_scattered(ir::Graph& graph, const std::string& base, ir::ValueId rows) const;
};

}  // namespace pare::compress
