// Where the values of a product by panels lie.
#pragma once

namespace pare::kernels {

/// Which of them lie in panels (kernels/sppanel/tile.h), panel_elements() each, else channels-last.
struct PanelValues {
  bool in = false, added = false, out = false;
};

}  // namespace pare::kernels
