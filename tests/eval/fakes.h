// A split and an executor that compute what the tests expect of them.
#pragma once

#include <functional>

#include "data/dataset.h"
#include "exec/backend.h"

namespace pare::eval {

/// Sample i has the single input x = i and label i mod `classes`.
class CountingSplit : public data::Split {
 public:
  CountingSplit(std::vector<std::int64_t> samples, std::int64_t classes)
      : samples_(std::move(samples)), classes_(classes) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(samples_.size()); }
  bool labelled() const override { return classes_ > 0; }
  std::int64_t classes() const override { return classes_; }
  data::Batch batch(const std::vector<std::int64_t>& indices, std::uint64_t, std::int64_t) const override {
    data::Batch batch;
    std::vector<float> values;
    for (std::int64_t index : indices) {
      const std::int64_t sample = samples_[static_cast<std::size_t>(index)];
      values.push_back(static_cast<float>(sample));
      if (labelled()) batch.labels.push_back(sample % classes_);
    }
    batch.inputs["x"] = Tensor::from({static_cast<std::int64_t>(indices.size()), 1}, values);
    batch.indices = indices;
    return batch;
  }
  std::shared_ptr<const Split> subset(std::vector<std::int64_t> indices) const override {
    for (std::int64_t& index : indices) index = samples_[static_cast<std::size_t>(index)];
    return std::make_shared<CountingSplit>(std::move(indices), classes_);
  }
  std::string fingerprint() const override { return "counting"; }

 private:
  std::vector<std::int64_t> samples_;
  std::int64_t classes_;
};

/// Logits from a function of x: the class it returns gets 1, the others 0.
class FunctionExecutor : public exec::Executor {
 public:
  FunctionExecutor(std::int64_t classes, std::function<std::int64_t(std::int64_t)> classify)
      : classes_(classes), classify_(std::move(classify)) {}
  NamedTensors run(const NamedTensors& inputs) override {
    ++runs;
    const std::span<const float> x = inputs.at("x").data<float>();
    Tensor logits(DType::kFloat32, {static_cast<std::int64_t>(x.size()), classes_});
    const std::span<float> out = logits.mutable_data<float>();
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i * static_cast<std::size_t>(classes_) +
          static_cast<std::size_t>(classify_(static_cast<std::int64_t>(x[i])))] = 1;
    return {{"logits", logits}};
  }
  NamedTensors observe(const NamedTensors& inputs, const exec::Observer&) override { return run(inputs); }
  std::vector<exec::PlanStep> plan(const std::map<std::string, Dims>&) override {
    return {{.kernel = "first_kernel", .nodes = {"conv", "relu"}}, {.kernel = "second_kernel", .nodes = {"fc"}}};
  }
  std::vector<exec::StepTime> profile(const NamedTensors&, int) override { return {{0, 1.5}, {1, 0.25}}; }
  exec::MemoryUse memory(const std::map<std::string, Dims>&) override { return {}; }

  int runs = 0;

 private:
  std::int64_t classes_;
  std::function<std::int64_t(std::int64_t)> classify_;
};

inline std::vector<std::int64_t> iota(std::int64_t count) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) all[static_cast<std::size_t>(i)] = i;
  return all;
}

}  // namespace pare::eval
