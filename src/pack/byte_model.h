// Arithmetic coding of tensors of bytes: int8 weights, packed int4, codebook indices; and of the zeros of any sparse
// tensor.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/sparsity.h"
#include "pack/range_coder.h"

namespace pare::pack {

/// How the bytes of a tensor are told to the model; the writer tries what is possible and takes the shortest.
struct ByteMode {
  bool column_major = false;  ///< of a matrix: outputs are columns (MatMul B [K, N])
  bool masked = false;        ///< zeros first (code_mask), then the other elements
  bool numbers = false;     ///< sign and magnitude about `centre`, by how large the row's magnitudes are; else symbols
  std::uint8_t centre = 0;  ///< 0 for int8, 128 for uint8 about 128

  std::uint8_t to_byte() const noexcept;
  static ByteMode from_byte(std::uint8_t bits) noexcept;
};

/// [outputs][taps][inputs] of a tensor: of a convolution's weights as patterns see them, of a matrix by rows or
/// columns, of anything else one row for each index of the first axis.
ir::WeightView view_of(const Dims& dims, bool column_major);

/// Which elements are zero, one byte an element (0 or 1, in the tensor's order). For groups of 64 inputs of one output
/// and tap: how many survive, then which, by the logistic mixing (Mahoney 2005) of three predictions: survivors left
/// over places left (alone that is enumerative coding, log2 C(64, q) bits a group), how often this input survived in
/// earlier outputs, and the places just before. What is learned lasts from tensor to tensor.
class MaskModel {
 public:
  MaskModel();
  template <class Coder>
  void code(Coder& coder, const ir::WeightView& view, std::uint8_t* zero);

 private:
  static constexpr std::size_t kInputs = 3, kRecent = 64;
  template <class Coder>
  int code_flag(Coder& coder, int value, int static_stretch, AdaptiveBit& input, AdaptiveBit& recent);

  BitTree<7> survivors_;
  std::array<AdaptiveBit, kRecent> recent_;
  std::array<std::int32_t, kInputs> weights_;
};

/// Bytes with what was learned of earlier ones.
class ByteModel {
 public:
  /// `zero` (MaskModel::code) says which elements to skip; nullptr: none.
  template <class Coder>
  void code(Coder& coder, const ir::WeightView& view, ByteMode mode, const std::uint8_t* zero, std::uint8_t* bytes);

 private:
  static constexpr std::size_t kClasses = 40;
  template <class Coder>
  std::uint8_t code_number(Coder& coder, std::uint8_t byte, std::uint8_t centre, std::size_t size_class);

  BitTree<8> symbols_;
  std::array<BitTree<8>, kClasses> magnitudes_;
  AdaptiveBit sign_;
};

}  // namespace pare::pack
