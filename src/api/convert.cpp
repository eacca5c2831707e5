#include "pare/convert.h"

#include "api/model_impl.h"
#include "ir/infer.h"
#include "ir/verify.h"
#include "pare/error.h"
#include "passes/precision.h"
#include "passes/qdq.h"

namespace pare {
namespace {

DType precision_of(const std::string& text) {
  if (text == "f16") return DType::kFloat16;
  if (text == "bf16") return DType::kBFloat16;
  throw Error(ErrorCode::kUsage, "precision", "no such precision", "f16 or bf16", text);
}

void raise(ir::Model& model, std::int64_t opset) {
  const std::string range = std::to_string(model.opset()) + " to " + std::to_string(passes::kNewestOpset);
  if (opset < model.opset() || opset > passes::kNewestOpset)
    throw Error(ErrorCode::kUsage, "opset", "models are converted upwards only, as far as Pare knows", range,
                std::to_string(opset));
  passes::raise_opset(model, opset);
}

}  // namespace

Conversion convert(const Model& model, const ConvertOptions& options) {
  ir::Model copy = model.impl().model;
  Conversion result{model, copy.opset(), copy.opset(), 0, 0, 0, {}, {}};
  if (options.opset != 0) raise(copy, options.opset);
  if (!options.precision.empty()) {
    passes::PrecisionOptions how;
    how.type = precision_of(options.precision);
    how.keep_io = options.keep_io;
    how.weights_only = options.weights_only.value_or(how.type == DType::kBFloat16);
    how.keep = options.keep;
    const passes::PrecisionReport report = passes::convert_precision(copy, how);
    result.converted_nodes = report.converted;
    result.casts = report.casts;
    result.converted_weights = report.weights;
    for (const passes::KeptNode& node : report.kept) result.kept.push_back({node.node, node.op_type, node.reason});
    result.too_large = report.too_large;
  }
  ir::infer_shapes(copy);
  ir::require_valid(copy, model.path().empty() ? "the converted model" : model.path());
  result.opset = copy.opset();
  result.model = api::wrap(std::move(copy), {}, model.impl().packed);
  return result;
}

}  // namespace pare
