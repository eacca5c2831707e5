// Gathering a strided view into dense memory.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// out (dense, `dims`) = view of `in` with strides in elements, possibly negative or 0.
void copy_strided(std::int64_t element, int rank, const std::int64_t* dims, const std::int64_t* strides, const void* in,
                  void* out) noexcept;

}  // namespace pare::kernels
