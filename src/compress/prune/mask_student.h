// The model that learned masks train: each target's weight is read through an operator of domain pare that decides what
// of it stays (ir/learned_masks.h).
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "compress/prune/selection.h"
#include "ir/model.h"

namespace pare::compress {

/// The operator over one weight, and what it learns beside it: suffix of the name and start of each further input.
struct MaskNode {
  std::string op_type;
  std::vector<std::pair<std::string, Tensor>> latents;
  std::vector<std::pair<std::string, ir::AttributeValue>> attributes = {};
};

class MaskStudent {
 public:
  /// All readers of a target's weight, layers that share it included, read what `make`'s operator gives.
  MaskStudent(const ir::Model& floats, const std::vector<PruneTarget>& targets,
              const std::function<MaskNode(const PruneTarget&)>& make);

  ir::Model model;  ///< trained in place: initializers change, ids do not

  /// The parameter behind further input `index` of a target's operator: its name, and its value as trained.
  const std::string& latent(std::size_t target, std::size_t index) const;
  const Tensor& trained(std::size_t target, std::size_t index) const;
  /// A target's weight as trained, before its mask.
  const Tensor& weight(std::size_t target) const;
  /// The float model as trained, with the weights as their operators' scalar reference leaves them.
  ir::Model masked() const;

 private:
  const ir::Model& floats_;
  std::vector<ir::NodeId> nodes_;  ///< by target
};

}  // namespace pare::compress
