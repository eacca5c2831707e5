// Weights that share few values or vectors, as ONNX writes them: Gather(values, Cast(indices) [+ a constant]), and of
// vectors Reshape [→ Transpose] behind it.
#pragma once

#include <optional>

#include "ir/model.h"

namespace pare::ir {

struct Codebook {
  ValueId values = kNoValue, indices = kNoValue;  ///< initializers: floats [entries] or [rows, vector], small integers
};

/// The codebook that a Gather reads, if it is one.
std::optional<Codebook> find_codebook(const Graph& graph, const Node& node);

bool has_codebooks(const Graph& graph);

/// The codebook whose entries a weight is made of, if it is.
std::optional<Codebook> codebook_behind(const Graph& graph, ValueId weight);

/// Puts the weights themselves in the place of every codebook's Gather (and of what reshapes it), whatever their size:
/// what an executor wants, and no file.
void expand_codebooks(Model& model);

/// What a codebook's Gather gives: the weights themselves.
Tensor gathered_weights(const Model& model, const Node& gather);

}  // namespace pare::ir
