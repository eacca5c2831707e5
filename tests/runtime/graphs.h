// Small graphs and random tensors for runtime tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/rng.h"
#include "ir/infer.h"
#include "ir/model.h"
#include "runtime/runtime.h"

namespace pare::test {

inline Tensor random_tensor(const Dims& dims, std::uint64_t seed, float low = -1.0f, float high = 1.0f) {
  Rng rng(seed, kRngTest);
  Tensor tensor(DType::kFloat32, dims);
  for (float& x : tensor.mutable_data<float>()) x = low + (high - low) * static_cast<float>(rng.uniform());
  return tensor;
}

/// A model that grows node by node; the last node added writes the output when finish() is called.
struct Builder {
  ir::Model model;
  std::uint64_t seed = 1;

  ir::ValueId input(const std::string& name, ir::Shape shape, DType dtype = DType::kFloat32) {
    return model.graph.add_input(name, dtype, std::move(shape));
  }
  ir::ValueId constant(Tensor tensor, const std::string& name = "c") {
    return model.graph.add_initializer(name, std::move(tensor));
  }
  ir::ValueId weight(const Dims& dims, float low = -1.0f, float high = 1.0f) {
    return constant(random_tensor(dims, ++seed, low, high), "w");
  }
  ir::ValueId node(const std::string& type, std::vector<ir::ValueId> inputs,
                   const std::vector<std::pair<std::string, ir::AttributeValue>>& attributes = {},
                   const std::string& out = "v") {
    ir::Node n;
    n.op_type = type;
    n.inputs = std::move(inputs);
    n.outputs = {model.graph.add_value(out)};
    for (const auto& [name, value] : attributes) n.set(name, value);
    const ir::ValueId result = n.outputs[0];
    model.graph.add_node(std::move(n));
    return result;
  }
  /// x → QuantizeLinear → DequantizeLinear.
  ir::ValueId qdq(ir::ValueId x, float scale, int zero_point, DType dtype = DType::kUint8) {
    const ir::ValueId s = constant(Tensor::scalar(scale), "scale");
    const ir::ValueId z = dtype == DType::kUint8
                              ? constant(Tensor::scalar(static_cast<std::uint8_t>(zero_point)), "zero")
                              : constant(Tensor::scalar(static_cast<std::int8_t>(zero_point)), "zero");
    return node("DequantizeLinear", {node("QuantizeLinear", {x, s, z}, {}, "q"), s, z}, {}, "dq");
  }
  /// A random s8 weight behind DequantizeLinear with one scale an index of `axis`.
  ir::ValueId quantized_weight(const Dims& dims, std::int64_t axis) {
    Rng rng(++seed, kRngTest);
    Tensor q(DType::kInt8, dims);
    for (std::int8_t& x : q.mutable_data<std::int8_t>())
      x = static_cast<std::int8_t>(static_cast<int>(rng.below(255)) - 127);
    const Dims per = {dims[static_cast<std::size_t>(axis)]};
    const ir::ValueId s = constant(random_tensor(per, ++seed, 0.002f, 0.01f), "scale"),
                      z = constant(Tensor(DType::kInt8, per), "zero");
    return node("DequantizeLinear", {constant(q, "wq"), s, z}, {{"axis", axis}}, "dw");
  }
  const ir::Model& finish(std::vector<ir::ValueId> outputs) {
    model.graph.outputs = std::move(outputs);
    ir::infer_shapes(model);
    return model;
  }
};

inline NamedTensors run(const ir::Model& model, const NamedTensors& inputs, exec::CompileOptions options = {}) {
  return runtime::backend().compile(model, options)->run(inputs);
}

/// Largest difference of two f32 tensors of one shape.
inline double max_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.dims(), b.dims());
  double worst = 0;
  for (std::int64_t i = 0; i < a.numel() && a.dims() == b.dims(); ++i) {
    const double x = a.data<float>()[static_cast<std::size_t>(i)], y = b.data<float>()[static_cast<std::size_t>(i)];
    worst = std::max(worst, std::isnan(x) == std::isnan(y) ? (std::isnan(x) ? 0 : std::abs(x - y)) : 1e30);
  }
  return worst;
}

inline std::vector<std::string> kernels_of(exec::Executor& executor, const std::map<std::string, Dims>& shapes) {
  std::vector<std::string> names;
  for (const exec::PlanStep& step : executor.plan(shapes)) names.push_back(step.kernel);
  return names;
}

/// The runtime and the scalar reference agree to `tolerance` of the result's range.
inline void expect_like_reference(const ir::Model& model, const NamedTensors& inputs, double tolerance = 1e-5) {
  const NamedTensors got = run(model, inputs), want = ir::evaluate(model, inputs);
  for (const auto& [name, tensor] : want) {
    ASSERT_EQ(got.at(name).dtype(), tensor.dtype()) << name;
    if (tensor.dtype() != DType::kFloat32) {
      EXPECT_TRUE(got.at(name).identical(tensor)) << name;
      continue;
    }
    float largest = 1e-3f;
    for (float x : tensor.data<float>())
      if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
    EXPECT_LE(max_difference(got.at(name), tensor), tolerance * largest) << name;
  }
}

}  // namespace pare::test
