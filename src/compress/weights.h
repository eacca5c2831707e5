// All weights that zeros can be put into: those of layers (targets.h), and of nodes that only some methods can work on.
#pragma once

#include <string>
#include <vector>

#include "compress/targets.h"

namespace pare::compress {

/// Layers, ConvTranspose, and LSTM, GRU and RNN with an entry for their input weights and one for their recurrent ones,
/// in graph order. Views: of ConvTranspose [C, M/g, kernel…] the M outputs by the C/g inputs of a group; of recurrent
/// weights [directions, gates · hidden, inputs] each direction's and gate's units by what they read. One entry of a
/// node is named by all selectors of it.
std::vector<Layer> find_weights(const ir::Graph& graph);

/// "'NAME' is left as it was: …" for each node of these operators with a constant weight that find_weights leaves out.
std::vector<std::string> left_out(const ir::Graph& graph);

}  // namespace pare::compress
