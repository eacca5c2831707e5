// A part of a model as a model of its own.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::eval {

/// What computes `outputs` where `given` (values of the graph) are known: these become inputs, and the inputs that
/// nothing reads any more go. The names of values stay.
ir::Model graph_part(const ir::Model& model, const std::vector<ir::ValueId>& given,
                     const std::vector<ir::ValueId>& outputs);

}  // namespace pare::eval
