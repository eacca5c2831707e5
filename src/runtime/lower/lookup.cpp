// Lookup of domain pare (runtime/lookups.h), in whatever layout its input lies.
#include "kernels/lookup/lookup.h"

#include "runtime/lowerer.h"

namespace pare::runtime {

std::optional<std::string> lower_Lookup(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Tensor table = *lw.graph().constant(node.input(1));
  const Layout layout = lw.stored(node.input(0));
  const std::int64_t count = element_count(lw.dims(group.output)), operators = node.int_or("operators", 1);
  const BufferId x = lw.read(node.input(0), layout), y = lw.write(group.output, layout);
  const std::string reason =
      "8-bit input and output" + (operators > 1 ? ", of " + std::to_string(operators) + " operators" : std::string());
  lw.emit(group, {"table_8bit", reason}, {x}, {y}, [=](const Frame& frame) {
    kernels::lookup(reinterpret_cast<const std::uint8_t*>(table.raw()), count, frame.at(x), frame.at(y));
  });
  return std::nullopt;
}

}  // namespace pare::runtime
