// A node on its scalar reference. Subgraphs in it (If, Loop, Scan) are compiled.
#pragma once

#include <memory>

#include "exec/backend.h"
#include "ir/op.h"
#include "ir/subgraph.h"
#include "runtime/weight_cache.h"

namespace pare::runtime {

class ReferenceCall {
 public:
  /// `node` of `model` (of which only opsets, functions and constants are taken). Throws Error(kUnsupported) when
  /// nothing defines the node. Options and cache must outlive the call.
  ReferenceCall(const ir::Model& model, const ir::Node& node, const exec::CompileOptions& options, WeightCache& cache);
  /// By input slot, undefined where omitted; by output slot.
  std::vector<Tensor> run(std::span<const Tensor> inputs) const;
  const ir::Node& node() const { return node_; }

 private:
  ir::Node node_;
  std::int64_t opset_;
  const ir::Operator* op_;
  std::shared_ptr<ir::SubgraphEngine> bodies_;  ///< null: no subgraphs
};

}  // namespace pare::runtime
