// Operators that give the same elements another shape: no step of their own.
#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

std::optional<std::string> lower_reshape(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  if (group.integer) return "no integer form";
  if (node.output(1) != ir::kNoValue) return "a second output is asked for";
  const bool same_shape = lw.dims(node.input(0)) == lw.dims(group.output);
  const Layout layout = same_shape ? lw.stored(node.input(0)) : Layout::kOnnx;
  lw.alias(group.output, lw.read(node.input(0), layout), layout);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> lower_Reshape(Lowerer& lw, const Group& group) {
  // Inference trusts a target that it cannot see; someone has to look when it is there.
  if (!lw.constant(lw.main(group).input(1)).defined()) return "its target is not constant and has to be checked";
  return lower_reshape(lw, group);
}

#define PARE_RESHAPE(type) \
  std::optional<std::string> lower_##type(Lowerer& lw, const Group& group) { return lower_reshape(lw, group); }
PARE_RESHAPE(Flatten)
PARE_RESHAPE(Squeeze)
PARE_RESHAPE(Unsqueeze) PARE_RESHAPE(Identity)
#undef PARE_RESHAPE

    std::optional<std::string> lower_Dropout(Lowerer& lw, const Group& group) {
  const ir::ValueId mode = lw.main(group).input(2);
  const Tensor training = lw.constant(mode);
  if (mode != ir::kNoValue && (!training.defined() || training.data<bool>()[0])) return "it may be in training mode";
  return lower_reshape(lw, group);
}

}  // namespace pare::runtime
