// Convolutions and matrix products of float32 with constant weights: oneDNN's, in float32 or in bfloat16, by the
// weights that are not zero, by Winograd's fewer multiplications, or by our own tiles for single pixels.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kernels/float_epilogue.h"
#include "runtime/lower/candidate.h"
#include "runtime/lowerer.h"
#include "runtime/onednn.h"

namespace pare::runtime {

struct FloatProduct {
  kernels::ConvShape shape;
  kernels::FilterStrides strides;
  Tensor weight, bias;            ///< bias [out_c] or undefined
  Layout layout = Layout::kOnnx;  ///< of input, addend and output
  std::string family;             ///< of oneDNN's name in the plan: "conv" of "conv_f32__onednn"
  /// oneDNN's product of these types with the group's post-ops; null with a reason where it refuses.
  std::function<std::shared_ptr<const onednn::Product>(const onednn::ProductTypes& types, std::string& reason)> dense;

  std::string dense_kernel() const { return family + "_f32__onednn"; }
};

/// oneDNN's product as a form.
ProductForm library_form(const std::string& kernel, const std::shared_ptr<const onednn::Product>& product);

/// Our own depthwise kernels, for a shape that depthwise_fits() and inputs of `type`.
ProductForm depthwise_form(Lowerer& lw, const FloatProduct& product, DType type, const kernels::FloatEpilogue& epilogue);

/// By the estimate, multiplying only weights that are not zero takes less than half of a dense product.
bool zeros_pay(Lowerer& lw, const Group& group, const FloatProduct& product);

/// Emits the fastest form, whatever follows the product; in bfloat16 where the plan's precision asks for it, oneDNN has
/// it and zeros do not pay more. Returns why there is none.
std::optional<std::string> lower_float(Lowerer& lw, const Group& group, const FloatProduct& product);

}  // namespace pare::runtime
