// Packed weights in a .pare file: a section for each instruction set, viewed from the mapped file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "exec/packed.h"
#include "pack/container.h"

namespace pare::pack {

inline constexpr std::uint32_t kPackedVersion = 1;

/// The blobs of one instruction set.
struct PackedSet {
  std::string isa;  ///< name(Isa)
  std::vector<exec::PackedBlob> blobs;
};

/// A section's bytes. Blobs of constants that `tensors` does not hold (made when the model was simplified) stay out.
std::string write_packed(const std::vector<exec::PackedBlob>& blobs, const std::vector<Tensor>& tensors);

/// The packed sections of a file. Sections of other versions are as absent.
class PackedSections final : public exec::PackedWeights {
 public:
  /// `tensors`: those of the file, read. Throws Damaged.
  PackedSections(const Container& container, std::vector<Tensor> tensors, std::string isa);

  std::optional<exec::PackedView> find(const Tensor& source, std::uint64_t key_hash) const override;
  /// The instruction sets for which the file holds weights.
  std::vector<std::string> isas() const;
  bool empty() const noexcept { return blobs_.empty(); }
  /// Whether there is something for the instruction set that find() looks for.
  bool fits() const { return blobs_.contains(isa_); }
  /// Copies of what the file holds for others than `isa`.
  std::vector<PackedSet> others(const std::string& isa) const;

 private:
  struct Blob {
    std::uint64_t tensor, key_hash;
    std::string kernel;
    std::span<const std::byte> bytes;
  };
  static std::vector<Blob> read(std::string_view section, std::size_t tensors);

  std::shared_ptr<const void> owner_;
  std::vector<Tensor> tensors_;
  std::string isa_;
  std::map<std::string, std::vector<Blob>> blobs_;                                          ///< by instruction set
  std::map<std::pair<const std::byte*, std::uint64_t>, std::span<const std::byte>> found_;  ///< of isa_
};

}  // namespace pare::pack
