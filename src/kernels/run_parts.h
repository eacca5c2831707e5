// How products of pixels by panels of output channels are shared among threads.
#pragma once

#include <functional>

#include "kernels/product_part.h"

namespace pare::kernels {

/// run(part, its number) for `parts` parts. Pixels are cut, `tile` of them at once: the next product then reads what
/// the same thread wrote. Where there are too few for that, panels are: each part then reads only its own weights.
void run_parts(std::int64_t pixels, std::int64_t panels, std::int64_t tile, std::int64_t parts,
               const std::function<void(const ProductPart& part, std::int64_t index)>& run) noexcept;

}  // namespace pare::kernels
