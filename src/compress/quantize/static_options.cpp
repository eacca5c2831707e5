#include "compress/quantize/static_options.h"

#include <algorithm>

#include "compress/quantize/calibration_check.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/common.h"
#include "compress/quantize/engine.h"
#include "compress/quantize/format.h"
#include "compress/quantize/layer_rounding.h"
#include "compress/quantize/mixed.h"
#include "compress/quantize/static_choice.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<Option> declare() {
  using enum OptionType;
  std::vector<std::string_view> names = {kAutomatic};
  for (const Calibrator* calibrator : calibrators()) names.push_back(calibrator->name);
  std::vector<Option> list = {
      weights_option(),
      {"activations",
       kGroup,
       "{}",
       "how activations are computed",
       {},
       {},
       {},
       {{"bits", kInt, "8", "of an activation: 8, or 16, which Pare computes in float", {}, 1, 16},
        {"wide", kStrings, "[]", "layers whose inputs get 16 bits"},
        {"scheme",
         kString,
         "\"auto\"",
         "affine: unsigned with a zero point; symmetric: signed around 0; auto: as the target wants it, else affine",
         {"auto", "affine", "symmetric"}},
        {"calibrator", kString, "\"auto\"",
         "from what was seen to a range; auto: the one of min-max, mse and percentile that disturbs the output least",
         names},
        {"percentile", kFloat, "99.99", "share of the values that the calibrator percentile keeps", {}, 50, 100},
        {"samples", kInt, "512", "training samples that are looked at; 0: all", {}, 0, 1e12},
        {"fit", kBool, "false",
         "scales and zero points become those by which the layers that read a value answer most like in float, if that "
         "helps "
         "the output"},
        scales_option()}},
      mixed_option(),
      target_engine_option(),
      format_option(),
      {"smooth", kString, "\"auto\"",
       "SmoothQuant moves outliers of activations into the weights: auto (with attention, if it helps the output), "
       "off, "
       "or the strength α from 0 to 1"},
      {"equalize", kBool, "false",
       "layers with only ReLU or pooling between them trade scale channel by channel first (cross-layer equalization); "
       "ReLU6 "
       "becomes ReLU where the output stays within 40 dB"},
      {"absorb_bias", kBool, "true",
       "with equalize: what a channel is nearly always above goes into the next layer's bias (high-bias absorption)"},
      {"bias_correction", kBool, "true", "biases make up for the rounding of weights, where that helps the output"},
      {"protect",
       kGroup,
       "{}",
       "layers that stay float or get 16-bit inputs because their integers cost the output most",
       {},
       {},
       {},
       {{"snr", kFloat, "30", "dB of the output's signal to noise at which no further layer is kept", {}, 0, 200},
        {"macs", kFloat, "0.1", "of all MACs may be those of such layers; 0: protect nothing", {}, 0, 1},
        {"as",
         kString,
         "\"auto\"",
         "what such layers become: float; int16 (their inputs get 16 bits and their weights stay integers); auto: "
         "int16 where "
         "that is nearly as good, costs the layer little time and the target has it, else float",
         {"auto", "float", "int16"}},
        {"samples", kInt, "16", "of val (else train) by which all this is chosen", {}, 1, 1e6}}},
      {"max_drop",
       kFloat,
       "null",
       "points of the metric on val that may be lost: while it is more, the layers that hurt most go back to float",
       {},
       0,
       100},
      calibration_check_option(),
  };
  for (Option option : rounding_options("nearest; by training samples gptq: later inputs make up for the error of earlier "
                                        "ones, or adaround: learned, up or down, or brecq: learned block by block, which "
                                        "needs the training plug-in; auto: gptq below 8 bits",
                                        true))
    list.front().children.push_back(option);
  list.front().children.push_back(sign_quantizer_option());
  for (Option option : target_options()) list.push_back(option);
  return list;
}

void require_activation_bits(int bits) {
  if (bits != 16 && (bits < 2 || bits > 8))
    throw Error(ErrorCode::kUnsupported, "quantize.activations.bits", "activations are integers of 2 to 8 or of 16 bits",
                "2 to 8 or 16", std::to_string(bits));
}

/// Whether weights may take less than a byte.
bool may_pack(const json& options) {
  const WeightSpec spec = weight_spec(options.at("weights"));
  return packs_weights(options) && (spec.signs || spec.bits <= 4 || !options.at("mixed").is_null());
}

/// The opset that the integers of these options need, or why not and what goes instead.
void require_types(const ir::Model& model, const json& options) {
  if (may_pack(options))
    return require_opset(model, 21, "int4 weights need",
                         options.at("mixed").is_null() ? "weights of 5 or more bits, stored in bytes (opset 13)"
                                                       : "no mixed bits, or a target whose weights are bytes (opset 13)");
  if (may_be_wide(options))
    return require_opset(model, 21, "16-bit activations need",
                         "activations of 8 bits (opset 13), excluding layers that suffer from them");
  require_opset(model, 13, "QuantizeLinear by channel needs", "the method dynamic (opset 11)");
}

}  // namespace

std::span<const Option> static_options() {
  static const std::vector<Option> table = declare();
  return table;
}

void validate_static(const ir::Model& model, const StepContext& context) {
  require_weight_bits(context.options);
  require_activation_bits(context.options.at("activations").at("bits"));
  require_not_quantized(model.graph);
  strength_option(context.options, "smooth");
  engine_of(context.options).check(context.options);
  require_qoperators(context.options);
  const bool mixed = !context.options.at("mixed").is_null();
  if (mixed) validate_mixed(context.options.at("mixed"));
  if (!context.dataset.train || context.dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, "quantize", "calibration needs a train split in the data file");
  if (!context.options.at("max_drop").is_null() && (!context.dataset.val || context.dataset.val->size() == 0))
    throw Error(ErrorCode::kUsage, "quantize.max_drop", "the data has no val split to decide on");
  validate_calibration_check({activation_request(model, context.options)}, context);
  place_integers(model.graph, context.options, "quantize");
  require_types(model, context.options);
}

}  // namespace pare::compress
