// The same model in another precision or operator set.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pare/model.h"

namespace pare {

struct ConvertOptions {
  std::string precision;   ///< "f16", "bf16" or "": as it is
  std::int64_t opset = 0;  ///< of the default domain, upwards only; 0: as it is
  bool keep_io = true;     ///< float32 inputs and outputs stay float32
  /// Store weights in the precision and compute in float32, which every runtime takes; unset: for bf16, in which few
  /// compute (ONNX Runtime's CPU provider does not).
  std::optional<bool> weights_only;
  std::vector<std::string> keep;  ///< nodes or operators (globs) that stay float32
};

struct KeptNodeInfo {
  std::string node, op_type, reason;
};

struct Conversion {
  Model model;
  std::int64_t opset_before = 0, opset = 0;
  int converted_nodes = 0;             ///< that compute in the precision
  int casts = 0;                       ///< Cast nodes added
  std::int64_t converted_weights = 0;  ///< elements stored in the precision
  std::vector<KeptNodeInfo> kept;      ///< float32 all the same
  std::vector<std::string> too_large;  ///< tensors beyond the range of float16, kept float32
};

/// Throws Error(kUsage) for a lower opset, one that Pare does not know, or a `keep` that fits nothing;
/// Error(kUnsupported) naming a node that the newer opset cannot express.
Conversion convert(const Model& model, const ConvertOptions& options);

}  // namespace pare
