#include "runtime/lowerer.h"

namespace pare::runtime {

#define PARE_LOWERING(file, type) std::optional<std::string> lower_##type(Lowerer&, const Group&);
#define PARE_LOWERING_OF(file, domain, type) PARE_LOWERING(file, type)
#include "runtime/lowerings.inc"
#undef PARE_LOWERING
#undef PARE_LOWERING_OF

const Lowering* find_lowering(const ir::Node& node) {
  static constexpr Lowering kRows[] = {
#define PARE_LOWERING(file, type) {#type, lower_##type},
#define PARE_LOWERING_OF(file, domain, type) {#type, lower_##type, domain},
#include "runtime/lowerings.inc"
#undef PARE_LOWERING
#undef PARE_LOWERING_OF
  };
  for (const Lowering& row : kRows)
    if (row.op_type == node.op_type && row.domain == node.domain) return &row;
  return nullptr;
}

}  // namespace pare::runtime
