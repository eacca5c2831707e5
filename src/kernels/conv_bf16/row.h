// Rows of the bfloat16 convolutions' table and the packed form they read; no inline code, since files of different
// instruction sets include it.
#pragma once

#include <cstddef>

#include "kernels/conv_bf16/conv_bf16.h"
#include "kernels/product_part.h"

namespace pare::kernels {

inline constexpr std::int64_t kBf16Panel = 32;  ///< output channels

struct Bf16Call {
  const Bf16Packed* weights;
  ConvShape shape;
  const void* in;
  const FloatEpilogue* epilogue;
  void* out;
};

struct Bf16Kernel {
  const char* name;
  Isa isa;
  void (*run)(const Bf16Call&, const ProductPart&, std::byte* scratch) noexcept;
};

struct alignas(64) Bf16Line {
  std::uint16_t values[32];
};

struct Bf16Packed {
  const Bf16Kernel* kernel = nullptr;
  ConvShape shape;
  std::int64_t panels = 0, panel_lines = 0;  ///< of a group
  PackedArray<Bf16Line> weights;             ///< [groups][panels][chunks (kernels/amx/chunks.h)][bytes / 4][32][2]
  PackedArray<float> bias;                   ///< [groups][panels][32]
};

}  // namespace pare::kernels
