// The history that travels in a model's ONNX metadata under "pare.provenance".
#pragma once

#include <nlohmann/json.hpp>

#include "ir/model.h"

namespace pare::compress {

inline constexpr const char* kProvenanceKey = "pare.provenance";

/// Appends the steps of a finished run to what the model already carries: step, method, options, quality on val and
/// test, and hashes of the model before and after. No timings, dates or paths: the same seed gives the same bytes.
void add_provenance(ir::Model& model, const nlohmann::json& run, const std::vector<std::string>& hashes,
                    std::uint64_t seed);

/// The list of steps, empty when the model has none or it cannot be read.
nlohmann::json provenance_of(const ir::Model& model);

}  // namespace pare::compress
