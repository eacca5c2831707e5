#include "runtime/lower/window.h"

#include <algorithm>

namespace pare::runtime {

Window window_of(const ir::Node& node, const Dims& in, const Dims& out, const std::vector<std::int64_t>& kernel) {
  const std::vector<std::int64_t> strides = node.ints_or("strides", {1, 1}),
                                  dilations = node.ints_or("dilations", {1, 1});
  std::vector<std::int64_t> pads = node.ints_or("pads", {0, 0, 0, 0});
  const std::string auto_pad = node.string_or("auto_pad", "NOTSET");
  if (auto_pad == "VALID") pads = {0, 0, 0, 0};
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    for (std::size_t i = 0; i < 2; ++i) {
      const std::int64_t needed = (out[i + 2] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - in[i + 2];
      const std::int64_t total = std::max<std::int64_t>(needed, 0);
      pads[i] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
      pads[i + 2] = total - pads[i];
    }
  }
  return {kernel[0], kernel[1], strides[0], strides[1], dilations[0], dilations[1], pads[0], pads[1], pads[2], pads[3]};
}

}  // namespace pare::runtime
