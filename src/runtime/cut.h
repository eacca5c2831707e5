// Where the shape of a value depends on data: the model for given input shapes in two, what can be planned now and what
// is planned once the data is there.
#pragma once

#include <optional>
#include <vector>

#include "ir/model.h"

namespace pare::runtime {

/// A model made ready for planning: simplified, the observed values listed after the true outputs.
struct PreparedModel {
  ir::Model model;
  std::size_t true_outputs = 0;
};

/// What comes after the head. Its inputs are values of the head, or outputs of the nodes that are evaluated between
/// the two (NonZero, NonMaxSuppression, Loop …: nothing but running them tells how much they give).
struct Rest {
  struct Source {
    int evaluated = -1;  ///< which of the evaluated nodes; −1: the head's value of the same id
    std::size_t slot = 0;
  };
  PreparedModel prepared;
  std::vector<ir::NodeId> evaluated;  ///< in `whole`
  std::vector<Source> sources;        ///< by input of prepared.model
  /// By input: a small tensor that a shape follows from (the shape of a Reshape, bounds of a Slice, sizes of a Resize):
  /// constant in the plan of the rest, which is made for its elements.
  std::vector<bool> bound;
};

struct Cut {
  ir::Model head;  ///< outputs: true ones, observed ones, then what the rest reads; value ids are the model's
  std::size_t true_outputs = 0, observed = 0;
  std::optional<Rest> rest;
};

/// `model`: shapes inferred for concrete input shapes; it becomes the head where there is no rest, and stays where there
/// is one. DequantizeLinear goes along with its readers, so that the integer kernels see it.
Cut cut_at_data(ir::Model& model, std::size_t true_outputs);

}  // namespace pare::runtime
