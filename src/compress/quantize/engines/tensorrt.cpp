// TensorRT, explicit quantization: int8 around 0 for activations (one scale) and weights (one an output channel), zero
// points of 0 only, no uint8 and no int32 behind DequantizeLinear, so biases stay float. A convolution whose sum with a
// residual fuses wants the residual quantized and its own output not.
#include "compress/quantize/engine.h"

namespace pare::compress {
namespace {

void check(const nlohmann::json& options) {
  const Engine& engine = tensorrt_engine();
  const nlohmann::json& activations = options.at("activations");
  if (activations.value("scheme", "auto") == "affine")
    cannot(engine, "activations.scheme", "it knows no zero points", "symmetric", "affine");
  if (activations.value("quantizer", "auto") == "lsq+")
    cannot(engine, "activations.quantizer", "it knows no zero points", "lsq or pact", "lsq+");
  refuse_4_bit_weights(engine, options);
  refuse_affine_weights(engine, options);
  refuse_16_bit_activations(engine, options);
  refuse_few_bit_activations(engine, options);
  refuse_qoperators(engine, options);
}

}  // namespace

const Engine& tensorrt_engine() {
  static const Engine engine = {
      .name = "tensorrt",
      .summary = "TensorRT: int8 around 0 everywhere, float biases, residuals quantized where they are added",
      .source = "NVIDIA TensorRT, Working with Quantized Types: Explicit Quantization, Q/DQ placement recommendations",
      .scheme = "symmetric",
      .integer_bias = false,
      .sums_fuse = true,
      .check = check};
  return engine;
}

}  // namespace pare::compress
