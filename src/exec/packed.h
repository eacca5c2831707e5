// Weights of a model as an executor's kernels read them: what a packed model file holds beside the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::exec {

/// Kernels' bytes of one constant. They hold for this very tensor and for equal keys (kernels/packed.h); the kernels'
/// row and the version of its layout are part of the key.
struct PackedBlob {
  Tensor source;
  std::uint64_t key_hash = 0;
  std::string kernel;  ///< "qconv__avx512vnni_14x16": for people
  std::string bytes;
};

struct PackedView {
  std::span<const std::byte> bytes;  ///< begins on a cache line
  std::shared_ptr<const void> owner;
};

/// Where an executor looks before it packs.
class PackedWeights {
 public:
  virtual ~PackedWeights() = default;
  /// By the address of the constant's data, which a changed constant does not share.
  virtual std::optional<PackedView> find(const Tensor& source, std::uint64_t key_hash) const = 0;
};

}  // namespace pare::exec
