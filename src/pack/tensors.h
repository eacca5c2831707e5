// The tensors of a .pare file: coded by content, or stored as they are to be mapped.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pack/container.h"
#include "pare/tensor.h"

namespace pare::pack {

/// A section's bytes for these tensors. `stored`: uncoded, each on a cache line of its own (the section must begin on a
/// page), so that read_tensors() views them in place.
SectionContent write_tensors(const std::vector<Tensor>& tensors, bool stored);

/// Stored tensors are views that `owner` keeps alive; others are decoded in parallel. Throws Damaged, and Error(kBadInput)
/// with `subject` for a small stored tensor that does not match its checksum; large ones throw that when first read.
/// `checked`: as Section's.
std::vector<Tensor> read_tensors(std::string_view section, std::size_t checked, const std::shared_ptr<const void>& owner,
                                 const std::string& subject);

}  // namespace pare::pack
