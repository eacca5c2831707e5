#include "kernels/run_parts.h"

#include <algorithm>

#include "base/threads.h"

namespace pare::kernels {

void run_parts(std::int64_t pixels, std::int64_t panels, std::int64_t tile, std::int64_t parts,
               const std::function<void(const ProductPart&, std::int64_t)>& run) noexcept {
  if (parts <= 1) return run({0, pixels, 0, panels}, 0);
  const bool by_panels = pixels < 4 * parts * tile && panels >= parts;
  const std::int64_t units = by_panels ? panels : (pixels + tile - 1) / tile;
  const auto body = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t from = units * i / parts, to = units * (i + 1) / parts;
      run(by_panels ? ProductPart{0, pixels, from, to}
                    : ProductPart{from * tile, std::min(to * tile, pixels), 0, panels}, i);
    }
  };
  parallel_for(parts, 1, std::ref(body));  // a reference fits into std::function without allocating
}

}  // namespace pare::kernels
