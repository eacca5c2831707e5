#include "runtime/lower/sparse_neighbours.h"

#include <algorithm>

#include "runtime/lower/weight_facts.h"

namespace pare::runtime {

namespace {

constexpr double kMostly = 0.8;  ///< share of zeros from which a sparse product wins almost everywhere

bool is_sparse(Lowerer& lw, ir::NodeId id) {
  const ir::Node& node = lw.graph().node(id);
  if (!node.is("Conv") || node.int_or("group", 1) != 1) return false;
  const Tensor* weight = lw.graph().constant(node.input(1));
  if (!weight || weight->dtype() != DType::kFloat32 || weight->rank() != 4) return false;
  const Dims& dims = weight->dims();
  kernels::ConvShape s;
  s.out_c = dims[0], s.in_c = dims[1], s.kh = dims[2], s.kw = dims[3];
  Group group;
  group.nodes = {id};
  return weight_facts(lw, group, s, kernels::FilterStrides::oihw(s), *weight)->sparsity() >= kMostly;
}

/// What writes the value, past clamps and so many additions.
bool is_written_so(Lowerer& lw, ir::ValueId value, int additions) {
  const ir::NodeId producer = lw.graph().value(value).producer;
  if (producer == ir::kNoNode) return false;
  const ir::Node& node = lw.graph().node(producer);
  if (node.is("Relu") || node.is("Clip")) return is_written_so(lw, node.input(0), additions);
  if (!node.is("Add")) return is_sparse(lw, producer);
  return additions > 0 &&
         (is_written_so(lw, node.input(0), additions - 1) || is_written_so(lw, node.input(1), additions - 1));
}

}  // namespace

bool is_between_sparse(Lowerer& lw, ir::ValueId value) {
  if (lw.graph().is_output(value) || !is_written_so(lw, value, 1)) return false;
  const std::vector<ir::NodeId>& readers = lw.graph().value(value).consumers;
  return std::all_of(readers.begin(), readers.end(),
                     [&](ir::NodeId id) { return lw.graph().node(id).is("Add") || is_sparse(lw, id); });
}

}  // namespace pare::runtime
