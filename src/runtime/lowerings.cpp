#include "runtime/lowerer.h"

namespace pare::runtime {

#define PARE_LOWERING(file, type) std::optional<std::string> lower_##type(Lowerer&, const Group&);
#include "runtime/lowerings.inc"
#undef PARE_LOWERING

const Lowering* find_lowering(const ir::Node& node) {
  static constexpr Lowering kRows[] = {
#define PARE_LOWERING(file, type) {#type, lower_##type},
#include "runtime/lowerings.inc"
#undef PARE_LOWERING
  };
  if (!node.domain.empty()) return nullptr;
  for (const Lowering& row : kRows)
    if (row.op_type == node.op_type) return &row;
  return nullptr;
}

}  // namespace pare::runtime
