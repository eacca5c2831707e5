// What a change of a value costs the model's loss: the squared gradient, which stands for the Hessian's diagonal in the
// Fisher information (Li et al., BRECQ, 2021, section 3.3, equation 10).
#pragma once

#include <functional>
#include <string>

#include "compress/method.h"

namespace pare::compress {

/// Why the gradients by `value` cannot be had; "": they can.
std::string why_no_fisher(const ir::Model& model, const std::string& value, const StepContext& context);

/// Calls `visit` with |∂L/∂z| of `value` z, [rows, …] in f32, for `samples` of train in batches of `wanted`, in the order of
/// visit_samples(). L is the training loss of the float model (cross-entropy of labels, squared error of targets); without
/// either, its expected Fisher information by one draw a sample from the model's own answer: a class by its probability, or
/// the output and noise of variance 1. Needs the training plug-in. `shape`: of the value, [rows of any batch, …].
void visit_loss_gradients(const ir::Model& model, const std::string& value, const Dims& shape, std::int64_t samples,
                          std::int64_t wanted, const StepContext& context, const std::function<void(const Tensor&)>& visit);

}  // namespace pare::compress
