#include "base/vector_width.h"

#include "base/cpu.h"

namespace pare {

int vector_floats() {
  const Isa isa = active_isa();
  return isa >= Isa::kAvx512 ? 16 : isa >= Isa::kAvx2 ? 8 : 4;
}

}  // namespace pare
