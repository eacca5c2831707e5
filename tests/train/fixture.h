// Small graphs, random tensors and the plug-in, for the trainer's tests.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "exec/trainer.h"
#include "ir/infer.h"
#include "ir/model.h"
#include "pare/error.h"

namespace pare::train {

inline const exec::TrainPlugin& plugin() {
  static const exec::TrainPlugin* found = [] {
    void* library = dlopen(PARE_BINARY_DIR "/lib/pare/libpare_train.so", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    return reinterpret_cast<const exec::TrainPlugin* (*)()>(dlsym(library, "pare_train_plugin"))();
  }();
  return *found;
}

inline const exec::TrainerFactory& factory() { return *plugin().factory; }

/// f32, plain SGD without momentum or decay: one step at rate 1 subtracts the gradient.
inline exec::TrainerOptions plain_options() {
  exec::TrainerOptions options;
  options.precision = "f32";
  options.optimizer.momentum = 0;
  options.optimizer.nesterov = false;
  options.optimizer.weight_decay = 0;
  options.threads = 1;
  return options;
}

inline Tensor random_tensor(const Dims& dims, std::uint64_t item, float scale = 1, float offset = 0) {
  Rng rng(7, kRngTest, 0, item);
  Tensor tensor(DType::kFloat32, dims);
  for (float& value : tensor.mutable_data<float>()) value = offset + scale * static_cast<float>(rng.normal());
  return tensor;
}

/// Appends nodes one after another; every name is its value's name.
class Builder {
 public:
  explicit Builder(std::int64_t opset = 17) { model_.opsets[""] = opset; }

  Builder& input(const std::string& name, const Dims& dims, DType dtype = DType::kFloat32) {
    model_.graph.add_input(name, dtype, ir::Shape::of(dims));
    return *this;
  }
  /// [batch, rest...] with a symbolic first dimension.
  Builder& free_input(const std::string& name, const std::string& batch, const Dims& rest) {
    std::vector<ir::Dim> dims = {ir::Dim::symbol(batch)};
    dims.insert(dims.end(), rest.begin(), rest.end());
    model_.graph.add_input(name, DType::kFloat32, ir::Shape(dims));
    return *this;
  }
  Builder& constant(const std::string& name, Tensor tensor) {
    model_.graph.add_initializer(name, std::move(tensor));
    return *this;
  }
  Builder& ints(const std::string& name, const std::vector<std::int64_t>& values) {
    return constant(name, Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  }
  /// Inputs by name, "" for an omitted one; the outputs' names are made here.
  Builder& node(const std::string& op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                const std::vector<std::pair<std::string, ir::AttributeValue>>& attributes = {}) {
    ir::Node node;
    const std::size_t dot = op.rfind('.') + 1;  // com.microsoft.Gelu; npos + 1 = 0
    node.op_type = op.substr(dot);
    if (dot > 0) model_.opsets[node.domain = op.substr(0, dot - 1)] = 1;
    node.name = op + "_" + outputs.front();
    for (const std::string& name : inputs)
      node.inputs.push_back(name.empty() ? ir::kNoValue : model_.graph.find_value(name));
    for (const std::string& name : outputs) node.outputs.push_back(model_.graph.add_value(name));
    for (const auto& [name, value] : attributes) node.set(name, value);
    model_.graph.add_node(std::move(node));
    return *this;
  }
  ir::Model build(const std::vector<std::string>& outputs) {
    for (const std::string& name : outputs) model_.graph.outputs.push_back(model_.graph.find_value(name));
    ir::infer_shapes(model_);
    return model_;
  }

 private:
  ir::Model model_;
};

using Ints = std::vector<std::int64_t>;

/// conv → BatchNorm → relu → residual conv → pool → Gemm over [N, 2, 6, 6]: every kind of parameter.
inline ir::Model small_network() {
  Builder b;
  b.input("x", {8, 2, 6, 6});
  b.constant("w1", random_tensor({4, 2, 3, 3}, 1, 0.3F)).constant("b1", random_tensor({4}, 2, 0.1F));
  b.constant("scale", random_tensor({4}, 3, 0.1F, 1)).constant("shift", random_tensor({4}, 4, 0.1F));
  b.constant("mean", random_tensor({4}, 5, 0.1F)).constant("variance", random_tensor({4}, 6, 0.05F, 1));
  b.constant("w2", random_tensor({4, 4, 3, 3}, 7, 0.2F)).constant("b2", random_tensor({4}, 8, 0.1F));
  b.constant("w3", random_tensor({5, 4}, 9, 0.5F)).constant("b3", random_tensor({5}, 10, 0.1F));
  b.node("Conv", {"x", "w1", "b1"}, {"c1"}, {{"pads", Ints{1, 1, 1, 1}}});
  b.node("BatchNormalization", {"c1", "scale", "shift", "mean", "variance"}, {"n1"});
  b.node("Relu", {"n1"}, {"r1"});
  b.node("Conv", {"r1", "w2", "b2"}, {"c2"}, {{"pads", Ints{1, 1, 1, 1}}});
  b.node("Add", {"c2", "r1"}, {"a"});
  b.node("Relu", {"a"}, {"r2"});
  b.node("GlobalAveragePool", {"r2"}, {"p"});
  b.node("Flatten", {"p"}, {"f"});
  b.node("Gemm", {"f", "w3", "b3"}, {"logits"}, {{"transB", std::int64_t{1}}});
  return b.build({"logits"});
}

inline data::Batch batch_for(const Dims& dims, std::int64_t classes, std::uint64_t item = 100) {
  data::Batch batch;
  batch.inputs["x"] = random_tensor(dims, item);
  Rng rng(8, kRngTest, 0, item);
  for (std::int64_t i = 0; i < dims[0]; ++i) {
    batch.labels.push_back(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(classes))));
  }
  return batch;
}

inline data::Batch small_batch(std::uint64_t item = 100) { return batch_for({8, 2, 6, 6}, 5, item); }

inline std::vector<Tensor> weights_of(const exec::Trainer& trainer) {
  std::vector<Tensor> weights;
  for (const std::string& name : trainer.parameters()) weights.push_back(trainer.parameter(name).clone());
  return weights;
}

inline void expect_identical(const exec::Trainer& a, const exec::Trainer& b) {
  for (const std::string& name : a.parameters()) EXPECT_TRUE(a.parameter(name).identical(b.parameter(name))) << name;
}

/// x [2, 3] → Gemm → logits [2, 4] with known numbers.
inline ir::Model linear_model() {
  Builder b;
  b.input("x", {2, 3}).constant("w", random_tensor({4, 3}, 1)).constant("b", random_tensor({4}, 2));
  b.node("Gemm", {"x", "w", "b"}, {"logits"}, {{"transB", std::int64_t{1}}});
  return b.build({"logits"});
}

inline data::Batch linear_batch() { return batch_for({2, 3}, 4); }

/// Runs `body`, which must throw a pare::Error, and returns it.
template <class Body>
Error thrown_by(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::kInternal, "", "nothing was thrown");
}

}  // namespace pare::train
