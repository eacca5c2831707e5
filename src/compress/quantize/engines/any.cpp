// Any runtime that reads ONNX, Pare's own among them: everything that ONNX can say.
#include "compress/quantize/engine.h"

namespace pare::compress {
namespace {

void check(const nlohmann::json&) {}

}  // namespace

const Engine& any_engine() {
  static const Engine engine = {.name = "any",
                                .summary = "whatever reads ONNX; what Pare's kernels run best",
                                .source = "ONNX QuantizeLinear",
                                .scheme = "affine",
                                .wide_activations = true,
                                .packed_weights = true,
                                .check = check};
  return engine;
}

}  // namespace pare::compress
