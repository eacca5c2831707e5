// The autograd function of uniform fake quantization: LSQ, LSQ+ and PACT.
#pragma once

#include "ir/fake_quantize.h"
#include "train/torch_headers.h"

namespace pare::train {

/// x (f32) on the grid that `scale` and `offset` (undefined without one) give by the scheme.
/// ∂L/∂x passes where x lies strictly inside the range.
/// LSQ: ∂y/∂s = round(x/s) − x/s inside, −Qn and Qp outside; with an offset β ∂y/∂β = 1 outside; both times
/// 1/√(N·Qp), N the number of weights, or of one sample's features, that share the step (Esser et al. 2020,
/// section 2.2; Bhalgat et al. 2020, section 3.1). The zero point −β/s is rounded to an integer, straight through.
/// PACT: ∂y/∂α = 1 from α on, 0 below (Choi et al. 2018, equation 3).
at::Tensor on_uniform_grid(const ir::FakeQuantizer& how, const at::Tensor& x, const at::Tensor& scale,
                           const at::Tensor& offset);

/// The factor 1/√(N·Qp).
double gradient_scale(const ir::FakeQuantizer& how, const at::Tensor& x, std::int64_t scales);

}  // namespace pare::train
