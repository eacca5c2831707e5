// Which values a quantized activation can take.
#pragma once

#include <cstdint>
#include <optional>

#include "ir/model.h"
#include "runtime/quant_view.h"

namespace pare::runtime {

struct InputRange {
  std::int32_t low = 0, high = 0;  ///< in the value's own type, both included
};

/// What a Relu or Clip in front of the QuantizeLinear leaves of its type's range, past operators that only move or
/// select elements; nullopt: nothing is known.
std::optional<InputRange> input_range(const ir::Model& model, ir::ValueId quantized);

}  // namespace pare::runtime
