// Engines: what a quantized file must look like so that another engine fuses it into integer kernels. One file and one
// row each; the first row asks for nothing.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "compress/option.h"
#include "compress/quantize/params.h"

namespace pare::compress {

struct Engine {
  std::string_view name, summary;
  std::string_view source;  ///< where its rules are told
  /// Of activations, where the options leave it open: "affine" or "symmetric".
  std::string_view scheme;
  /// Symmetric ranges of values that are never negative are uint8 with zero point 0 (twice as fine), others int8.
  bool unsigned_where_positive = false;
  /// Biases are stored as int32 behind a DequantizeLinear; otherwise they stay float.
  bool integer_bias = true;
  /// Of two summands, one that a layer makes for this sum alone stays float: the sum then fuses into that layer, which
  /// reads the other summand's integers.
  bool sums_fuse = false;
  bool wide_activations = false;  ///< it takes integers of 16 bits
  /// Weights of up to 4 bits may be stored in these; otherwise in bytes, so that they meet 8-bit activations on integers.
  bool packed_weights = false;
  /// Error(kUnsupported) where it cannot take what the options ask for.
  void (*check)(const nlohmann::json& options);
};

#define PARE_ENGINE(file, function) const Engine& function();
#include "compress/quantize/engines.inc"
#undef PARE_ENGINE

/// All rows of engines.inc.
std::span<const Engine* const> engines();
/// Of the option `target`; the first row where a method does not declare it.
const Engine& engine_of(const nlohmann::json& options);
/// The option `target`.
Option target_engine_option();

/// "affine" or "symmetric": what the option activations.scheme means for this target. `positive`: of a value that is
/// never negative.
std::string_view activation_scheme(const nlohmann::json& options, bool positive = false);

/// Whether weights of fewer bits take less than a byte in the file: what the target takes, in QDQ form.
bool packs_weights(const nlohmann::json& options);

/// For the engines' checks, which take the resolved options of static quantization or those among them that a method has.
/// Error(kUnsupported) naming the engine and the option.
[[noreturn]] void cannot(const Engine& engine, const std::string& option, const std::string& why,
                         const std::string& expected, const std::string& got);
/// Refuses 4-bit weights, which no engine here multiplies with integer activations, chosen or to choose from.
void refuse_4_bit_weights(const Engine& engine, const nlohmann::json& options);
/// Refuses 16-bit activations.
void refuse_16_bit_activations(const Engine& engine, const nlohmann::json& options);
/// Refuses activations of fewer than 8 bits.
void refuse_few_bit_activations(const Engine& engine, const nlohmann::json& options);
/// Refuses weights with zero points.
void refuse_affine_weights(const Engine& engine, const nlohmann::json& options);
/// Refuses anything but QDQ form.
void refuse_qoperators(const Engine& engine, const nlohmann::json& options);

}  // namespace pare::compress
