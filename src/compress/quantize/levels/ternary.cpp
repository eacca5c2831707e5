// Ternary weights (Li et al., Ternary Weight Networks, 2016, equations 5 and 6): 0 up to the threshold 0.7·mean|w|, beyond
// it the sign times the mean of the weights there.
#include "compress/quantize/levels.h"

namespace pare::compress {

const Levels& ternary_levels() {
  static const Levels levels = {
      .name = "ternary",
      .summary = "0 and, beyond a threshold, sign and mean",
      .paper = "Li et al., Ternary Weight Networks, 2016",
      .choose = [](const LevelsRequest& request) { return sign_levels_of(request, ir::FakeScheme::kTernary); },
      .most = 3,
      .signs = ir::FakeScheme::kTernary};
  return levels;
}

}  // namespace pare::compress
