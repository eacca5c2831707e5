// Binary weights (Rastegari et al., XNOR-Net, 2016, section 3.1): sign(w) times the mean of |w|, which is the scale of least
// squared error.
#include "compress/quantize/levels.h"

namespace pare::compress {

const Levels& binary_levels() {
  static const Levels levels = {
      .name = "binary",
      .summary = "sign and mean",
      .paper = "Rastegari et al., XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks, 2016",
      .choose = [](const LevelsRequest& request) { return sign_levels_of(request, ir::FakeScheme::kBinary); },
      .most = 3,
      .signs = ir::FakeScheme::kBinary};
  return levels;
}

}  // namespace pare::compress
