// How sparsity grows while training goes on.
#pragma once

#include <string>
#include <vector>

namespace pare::compress {

/// Sparsity at t in [0, 1], from `initial` to `final`.
using SparsityCurve = double (*)(double initial, double final, double t);

/// s_f + (s_i − s_f)(1 − t)³ (Zhu & Gupta 2017).
double cubic_sparsity(double initial, double final, double t);
/// s_i + (s_f − s_i)t.
double linear_sparsity(double initial, double final, double t);
/// 1 − (1 − s_i)·((1 − s_f)/(1 − s_i))ᵗ: each step removes the same share of what is left (Han et al. 2015; Frankle &
/// Carbin 2019). s_f below 1.
double exponential_sparsity(double initial, double final, double t);

/// "cubic", "linear" or "exponential"; null for another name.
SparsityCurve find_curve(const std::string& name);

}  // namespace pare::compress
