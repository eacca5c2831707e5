#include "compress/prune/sparsity_curve.h"

#include <algorithm>
#include <cmath>

namespace pare::compress {

double cubic_sparsity(double initial, double final, double t) {
  const double left = 1 - std::clamp(t, 0.0, 1.0);
  return final + (initial - final) * left * left * left;
}

double linear_sparsity(double initial, double final, double t) {
  return initial + (final - initial) * std::clamp(t, 0.0, 1.0);
}

double exponential_sparsity(double initial, double final, double t) {
  if (t >= 1) return final;
  return 1 - (1 - initial) * std::pow((1 - final) / (1 - initial), std::max(t, 0.0));
}

SparsityCurve find_curve(const std::string& name) {
  if (name == "cubic") return cubic_sparsity;
  if (name == "linear") return linear_sparsity;
  if (name == "exponential") return exponential_sparsity;
  return nullptr;
}

}  // namespace pare::compress
