// ONNX Runtime on a CPU. Its QDQ selectors fuse DequantizeLinear → operator → QuantizeLinear of 8 bits into QLinear
// operators. A Relu or Clip goes where the QuantizeLinear behind it saturates at the same bounds, as it does for uint8
// with the zero point at the bottom of the range and does not for int8 around 0: behind a Relu that would stay float.
#include "compress/quantize/engine.h"

namespace pare::compress {
namespace {

void check(const nlohmann::json& options) {
  const Engine& engine = onnxruntime_engine();
  refuse_4_bit_weights(engine, options);
  refuse_few_bit_activations(engine, options);
  if (options.at("activations").value("scheme", "auto") == "symmetric")
    cannot(engine, "activations.scheme", "a Relu before int8 around 0 keeps its layer from fusing", "affine", "symmetric");
}

}  // namespace

const Engine& onnxruntime_engine() {
  static const Engine engine = {
      .name = "onnxruntime",
      .summary = "ONNX Runtime: uint8 activations with a zero point, int8 weights by channel, int32 biases",
      .source = "ONNX Runtime, Quantize ONNX Models; core/optimizer/qdq_transformer",
      .scheme = "affine",
      .wide_activations = true,
      .check = check};
  return engine;
}

}  // namespace pare::compress
