#include "compress/quantize/group_size.h"

#include "pare/error.h"

namespace pare::compress {

void require_group_divides(const Layer& layer, std::int64_t group, const std::string& option) {
  if (layer.weight.view.inputs % group == 0) return;
  throw Error(ErrorCode::kUnsupported, "node '" + layer.name + "'",
              "quantize.weights." + option + " does not divide the input channels; exclude the layer or choose another",
              "a divisor of " + std::to_string(layer.weight.view.inputs), std::to_string(group));
}

}  // namespace pare::compress
