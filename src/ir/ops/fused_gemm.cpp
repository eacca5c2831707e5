// FusedGemm (com.microsoft): activation(Gemm(A, B, C)).
#include "ir/expansion.h"

namespace pare::ir::ops {
namespace {

void expand(Expansion& e) {
  const ValueId y = e.add("Gemm", {e.in(0), e.in(1), e.in(2)}, e.own({"alpha", "beta", "transA", "transB"}));
  std::vector<float> params;
  for (const char* name : {"activation_alpha", "activation_beta", "activation_gamma"})
    if (e.node().find(name) != nullptr) params.push_back(e.node().float_or(name, 0));
  e.output(0, e.activation(y, params));
}

}  // namespace

extern const Expand expandFusedGemm = expand;
extern const Operator kFusedGemm = expanded_operator<expand>(
    "FusedGemm", kMicrosoft, 2, 3,
    {"activation", "activation_alpha", "activation_beta", "activation_gamma", "alpha", "beta", "transA", "transB"});

}  // namespace pare::ir::ops
