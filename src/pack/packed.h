// Packed weights in a .pare file: a section for each instruction set, viewed from the mapped file.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "exec/packed.h"
#include "pack/container.h"

namespace pare::pack {

inline constexpr std::uint32_t kPackedVersion = 2;

/// The blobs of one instruction set.
struct PackedSet {
  std::string isa;  ///< name(Isa)
  std::vector<exec::PackedBlob> blobs;
};

/// A section's bytes. Blobs of constants that `tensors` does not hold (made when the model was simplified) stay out.
SectionContent write_packed(const std::vector<exec::PackedBlob>& blobs, const std::vector<Tensor>& tensors);

/// The packed sections of a file. Sections of other versions are as absent.
class PackedSections final : public exec::PackedWeights {
 public:
  /// `tensors`: those of the file, read. Throws Damaged. `subject` names the file in the errors of what follows.
  PackedSections(const Container& container, std::vector<Tensor> tensors, std::string isa, std::string subject);

  /// Throws Error(kBadInput) for weights that do not match their checksum; they are checked when first found.
  std::optional<exec::PackedView> find(const Tensor& source, std::uint64_t key_hash) const override;
  /// The instruction sets for which the file holds weights.
  std::vector<std::string> isas() const;
  bool empty() const noexcept { return blobs_.empty(); }
  /// Whether there is something for the instruction set that find() looks for.
  bool fits() const { return blobs_.contains(isa_); }
  /// Copies of what the file holds for others than `isa`. Throws as find().
  std::vector<PackedSet> others(const std::string& isa) const;

 private:
  struct Blob {
    std::uint64_t tensor, key_hash, checksum;
    std::string kernel;
    std::span<const std::byte> bytes;
  };
  struct Found {
    const Blob* blob = nullptr;
    mutable std::atomic<bool> checked = false;
  };
  static std::vector<Blob> read(const Section& section, std::size_t tensors);
  void check(const std::string& isa, const Blob& blob) const;

  std::shared_ptr<const void> owner_;
  std::vector<Tensor> tensors_;
  std::string isa_, subject_;
  std::map<std::string, std::vector<Blob>> blobs_;                        ///< by instruction set
  std::map<std::pair<const std::byte*, std::uint64_t>, Found> found_;  ///< of isa_
};

}  // namespace pare::pack
