// Whether samples of a batch meet anywhere in a model: the proof that lets a plan run a batch slice by slice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::runtime {

/// Where the samples of a batch lie in a tensor: sample s is the elements [s·each, (s + 1)·each) of `axis`.
struct BatchAxis {
  std::int64_t axis = 0, each = 1;
  bool operator==(const BatchAxis&) const = default;
};

/// By input and output of a graph; nullopt: the same for every sample.
struct BatchAxes {
  std::vector<std::optional<BatchAxis>> inputs, outputs;
};

/// The batch that a caller may choose: the first free leading axis among the graph's inputs, with all inputs whose
/// leading axis goes by the same symbol.
struct FreeBatch {
  std::int64_t samples = 0;
  std::vector<bool> inputs;  ///< those that have it, on axis 0
};
/// nullopt: no leading axis is free, or its symbol names another axis too. `graph`: as declared.
std::optional<FreeBatch> free_batch(const ir::Graph& graph, const std::vector<Dims>& shapes);

/// The axes along which `whole` can be run in slices: every slice of its outputs is what `part` gives for the same
/// slice of the inputs. Both are one model, specialized for `samples` and for fewer samples. Node by node, the axis of
/// the batch must be one that the operator declares to be the same index set in what it reads and in what it writes
/// (ir::AxisRelation), and nothing but that axis may differ between the two graphs: numbers that were computed from the
/// batch's size are refused unless they only say shapes. nullopt: not proven, with the reason.
std::optional<BatchAxes> batch_axes(const ir::Model& whole, const ir::Model& part, const FreeBatch& batch,
                                    std::string& reason);

}  // namespace pare::runtime
