// Topological order of the nodes of a file, which ONNX demands but not every exporter keeps.
#pragma once

#include <string>
#include <vector>

#include "onnx/pare_onnx.pb.h"

namespace pare::onnx {

/// "node 'name' (OpType)", or "node #3 (OpType)" when it has no name.
std::string describe(const NodeProto& node, int index);

/// Indices of the graph's nodes such that each comes after those whose outputs it or its subgraphs read; the file's
/// order where that is one. Error(kBadInput) naming a node of a cycle.
std::vector<int> node_order(const GraphProto& graph, const std::string& file);

}  // namespace pare::onnx
