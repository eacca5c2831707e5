// float32 models in f16 or bf16.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::passes {

struct PrecisionOptions {
  DType type = DType::kFloat16;   ///< or kBFloat16
  bool keep_io = true;            ///< inputs and outputs stay float32, with a Cast behind and before them
  bool weights_only = false;      ///< store weights in the type, compute in float32
  std::vector<std::string> keep;  ///< operators or nodes (globs) that stay float32
};

struct KeptNode {
  std::string node, op_type, reason;
};

struct PrecisionReport {
  int converted = 0;                   ///< nodes that compute in the type
  int casts = 0;                       ///< Cast nodes added
  std::int64_t weights = 0;            ///< elements stored in the type
  std::vector<KeptNode> kept;          ///< with float32 inputs or outputs, in order
  std::vector<std::string> too_large;  ///< tensors with finite elements beyond the type's range; they stay float32
};

/// x → node → y   becomes   x → Cast → node in the type → Cast → y, without the casts between two such nodes. A node
/// that reads a constant beyond the type's range stays float32, and so do the operators of precision_rules.inc. bf16
/// raises the opset to 22, where convolutions take it. Error(kUnsupported) when that is not possible, Error(kUsage) for
/// a pattern of `keep` that fits nothing.
PrecisionReport convert_precision(ir::Model& model, const PrecisionOptions& options);

}  // namespace pare::passes
