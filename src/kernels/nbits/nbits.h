// Matrix product with weights of 2, 3, 4 or 8 bits that stay packed in memory: groups of K with a scale and a zero point
// each, or indices into a codebook (≤ 16 entries at 2 to 4 bits, ≤ 256 at 8), one for all outputs or one for each.
//
//   y[m, n] = bias[n] + Σ_k a[m, k] · w[n, k]        f32
//   w[n, k] = (code − zero[n, k / block]) · scale[n, k / block], or table[code] · scale, or table[n][code]
//
// With few rows each word is decoded in registers and multiplied at once, so that memory is what bounds it; with more a
// strip of weights is decoded once for all rows. Two forms round more, where the model allows it (MatMulNBits'
// accuracy_level): kInt8 quantizes each row's blocks to 8 bits, symmetric about 0, and multiplies integers; kBf16 rounds
// activations and weights to bfloat16 and sums their products in f32, which is nearer to the exact product.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "kernels/kernel.h"
#include "kernels/packed.h"

namespace pare::kernels {

struct NBitsShape {
  std::int64_t n = 0, k = 0;
  std::int64_t block = 0;  ///< along K, a multiple of 16 (of 32 at 3 bits), or at least k
  int bits = 4;            ///< 2, 3, 4 or 8
  std::int64_t blocks() const noexcept { return (k + block - 1) / block; }
};

struct NBitsValues {
  const float* scale = nullptr;  ///< [n, blocks]; nullptr: 1
  const float* zero = nullptr;   ///< [n, blocks], in codes; nullptr: 2^(bits − 1); not with a table
  std::span<const float> table;  ///< the codebook; empty: numbers
  std::int64_t table_stride = 0;  ///< from one output's part of the table to the next; 0: one table
  // Tables by output, and tables of 8-bit codes, take one block.
};

/// What activations may be rounded to.
enum class NBitsInputs : std::uint8_t { kFloat, kBf16, kInt8 };

struct NBitsKernel;  // a row of the table: kernels/nbits/row.h

/// Immutable, shareable between threads.
class NBitsMatrix {
 public:
  NBitsMatrix();
  ~NBitsMatrix();
  NBitsMatrix(NBitsMatrix&&) noexcept;
  NBitsMatrix& operator=(NBitsMatrix&&) noexcept;

  /// `row(n, codes)` writes the k codes of output n, a byte each. Throws Error(kMemory).
  static NBitsMatrix pack(const NBitsShape& shape, const NBitsValues& values,
                          const std::function<void(std::int64_t, std::uint8_t*)>& row,
                          const NBitsKernel* kernel = nullptr);
  static std::string packing_key(const NBitsShape& shape, const NBitsValues& values);
  /// Of `values` only the codebook is read, as given to pack().
  static std::optional<NBitsMatrix> view(const NBitsShape& shape, const NBitsValues& values, PackedReader& reader);
  void write(PackedWriter& writer) const;

  const char* kernel_name() const noexcept;  ///< "nbits__avx512"
  std::size_t bytes() const noexcept;        ///< of codes, scales and zero points
  /// kInt8 takes numbers with zero points that are whole; it and kBf16 a CPU with a row for it.
  bool has(NBitsInputs inputs) const noexcept;

  struct Packed;
  const Packed& packed() const noexcept { return *packed_; }

 private:
  std::unique_ptr<Packed> packed_;
};

std::size_t nbits_scratch_bytes(const NBitsMatrix& matrix, std::int64_t m, int threads, NBitsInputs inputs) noexcept;

/// a [m, k], y [m, n], bias [n] or nullptr; scratch: nbits_scratch_bytes(), 64-byte aligned. Requires has(inputs).
void nbits_matmul(const NBitsMatrix& matrix, std::int64_t m, const float* a, const float* bias, float* y, void* scratch,
                  int threads, NBitsInputs inputs) noexcept;

std::span<const NBitsKernel* const> nbits_kernels() noexcept;
const char* nbits_kernel_name(const NBitsKernel& kernel) noexcept;
Isa nbits_kernel_isa(const NBitsKernel& kernel) noexcept;

}  // namespace pare::kernels
