// Shape and type inference over a whole graph; symbols stay symbols.
#pragma once

#include <map>
#include <string>

#include "ir/model.h"
#include "ir/op.h"

namespace pare::ir {

/// Fills dtype and shape of every value that known operators determine. A declared shape that contradicts an inferred
/// one is an Error(kBadInput) naming the node. Nodes of unknown operators are skipped (their outputs keep declared
/// types).
void infer_shapes(Model& model);

/// Facts of every value when the inputs have these concrete shapes; the graph is not changed. Input names must exist;
/// Error(kBadInput) names the input whose shape contradicts the model, with expected and got.
std::vector<ValueFacts> infer_for(const Model& model, const std::map<std::string, Dims>& input_shapes);

/// Runs the scalar reference over the whole graph: the oracle of tests and the fallback of constant folding.
/// Throws Error(kUnsupported) naming the node when an operator is unknown.
NamedTensors evaluate(const Model& model, const NamedTensors& inputs);

/// Multiply–accumulates of one node / of the model for the given shapes (symbols: batch taken as 1).
struct NodeMacs {
  NodeId node;
  std::int64_t macs;
};
std::vector<NodeMacs> count_macs(const Model& model, const std::map<std::string, Dims>& input_shapes);
/// Concrete shapes for a batch size: symbols and unknown first axes become `batch`, other symbols Error(kBadInput)
/// naming --shape unless `overrides` gives the input's shape.
std::map<std::string, Dims> input_shapes_for(const Model& model, std::int64_t batch,
                                             const std::map<std::string, Dims>& overrides = {});

}  // namespace pare::ir
