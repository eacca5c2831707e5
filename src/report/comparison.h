// What `pare compare --json` prints → one self-contained SVG. Reads nothing else.
#pragma once

#include <string>
#include <string_view>

namespace pare::report {

/// A row for each layer, in the order of the JSON: SNR of the layer, SNR of the output when the layer's error alone is put
/// into A, and the distributions of its values in both models (schema: docs/json.md). Throws Error(kBadInput) when it is
/// not such an object.
std::string render_comparison(std::string_view comparison_json);

}  // namespace pare::report
