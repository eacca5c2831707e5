// OpenVINO. Its low-precision transformations move dequantization behind the operators. Ranges are symmetric as in NNCF's
// default preset for CPUs, which needs no compensation for zero points: uint8 for what is never negative, else int8.
// Weights are int8 around 0. Zero points of activations run on integers too, so that `scheme: affine` is taken.
#include "compress/quantize/engine.h"

namespace pare::compress {
namespace {

void check(const nlohmann::json& options) {
  const Engine& engine = openvino_engine();
  refuse_4_bit_weights(engine, options);
  refuse_affine_weights(engine, options);
  refuse_16_bit_activations(engine, options);
  refuse_few_bit_activations(engine, options);
  refuse_qoperators(engine, options);
}

}  // namespace

const Engine& openvino_engine() {
  static const Engine engine = {
      .name = "openvino",
      .summary = "OpenVINO: activations without zero points, uint8 where never negative and int8 elsewhere",
      .source = "OpenVINO, Low Precision Transformations; NNCF's default preset",
      .scheme = "symmetric",
      .unsigned_where_positive = true,
      .check = check};
  return engine;
}

}  // namespace pare::compress
