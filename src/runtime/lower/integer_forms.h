// The ways to run an integer product: one function and one row of the table each (integer_forms.cpp).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/qconv/qconv.h"
#include "runtime/lower/candidate.h"
#include "runtime/lower/weight_facts.h"

namespace pare::runtime {

/// What all forms of one product share.
struct IntegerTask {
  Lowerer& lw;
  const Group& group;
  const IntegerProduct& product;
  kernels::ConvShape shape;
  kernels::FilterStrides strides;
  std::vector<std::int32_t> bias, weight_zero_point;          ///< [out_c]
  std::shared_ptr<const std::vector<float>> multiplier;       ///< [out_c]
  kernels::QConvEpilogue epilogue;                            ///< multiplier and residual are set by the form that runs
  std::shared_ptr<const std::vector<float>> shared;           ///< [out_c], added to all pixels; null: none
  std::shared_ptr<const WeightFacts> facts;                   ///< null: not looked at (groups, u8 weights)

  const Tensor& weight() const { return *lw.graph().constant(product.weight.q); }
  kernels::QConvFilter filter() const {
    return {weight().raw(), product.weight.dtype == DType::kUint8, strides, weight_zero_point.data()};
  }
  /// Without the elements, for keys: to look at those of a file reads them all, to check them.
  kernels::QConvFilter layout() const {
    return {nullptr, product.weight.dtype == DType::kUint8, strides, weight_zero_point.data()};
  }
  const std::string& name() const { return lw.main(group).name; }
  DType input_type() const { return product.input.dtype; }
  std::int32_t input_zero_point() const { return product.input.zero_point[0]; }
};

/// Every form that takes the product, dense ones first; those of CPUs with VNNI begin with oneDNN's where it has one.
std::vector<Candidate> integer_candidates(const IntegerTask& task);

/// What the times of all forms depend on.
std::string timing_key(const IntegerTask& task);

}  // namespace pare::runtime
