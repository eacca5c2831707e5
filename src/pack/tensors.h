// The tensors of a .pare file: coded by content, or stored as they are to be mapped.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pare/tensor.h"

namespace pare::pack {

/// A section's bytes for these tensors. `stored`: uncoded, each on a cache line of its own (the section must begin on a
/// page), so that read_tensors() views them in place.
std::string write_tensors(const std::vector<Tensor>& tensors, bool stored);

/// Stored tensors are views that `owner` keeps alive; others are decoded in parallel. Throws Damaged.
std::vector<Tensor> read_tensors(std::string_view section, const std::shared_ptr<const void>& owner);

}  // namespace pare::pack
