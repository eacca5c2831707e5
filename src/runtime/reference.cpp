#include "runtime/reference.h"

#include "ir/refusal.h"
#include "runtime/bodies.h"

namespace pare::runtime {

ReferenceCall::ReferenceCall(const ir::Model& model, const ir::Node& node, const exec::CompileOptions& options,
                             WeightCache& cache)
    : node_(node), opset_(model.opset(node.domain)), op_(ir::find_operator(node, opset_)) {
  if (!op_) ir::refuse(model.graph, node, opset_, ir::why_unknown(node, opset_));
  if (ir::has_subgraph(node)) bodies_ = std::make_shared<Bodies>(model, node_, options, cache);
}

std::vector<Tensor> ReferenceCall::run(std::span<const Tensor> inputs) const {
  const ir::SubgraphScope scope(bodies_.get());
  return op_->evaluate(ir::EvaluateContext{node_, opset_, inputs});
}

}  // namespace pare::runtime
