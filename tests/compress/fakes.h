// A model, data, backend, store and trainer small enough to know what they must give.
#pragma once

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>

#include "base/hash.h"
#include "base/rng.h"
#include "compress/pipeline.h"
#include "compress/targets.h"
#include "data/dataset.h"
#include "exec/backend.h"
#include "exec/trainer.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::compress {

inline Tensor random_tensor(Dims dims, std::uint64_t seed, float scale = 0.3f) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  Rng rng(seed, kRngTest);
  for (float& x : tensor.mutable_data<float>()) x = scale * static_cast<float>(rng.normal());
  return tensor;
}

/// Adds nodes one after the other; every node is named after its output.
struct Builder {
  ir::Model model;

  ir::ValueId input(const std::string& name, std::vector<ir::Dim> dims) {
    return model.graph.add_input(name, DType::kFloat32, ir::Shape(std::move(dims)));
  }
  ir::ValueId constant(const std::string& name, Tensor tensor) {
    return model.graph.add_initializer(name, std::move(tensor));
  }
  ir::ValueId add(const std::string& type, const std::string& name, std::vector<ir::ValueId> inputs,
                  std::vector<std::pair<std::string, ir::AttributeValue>> attributes = {}) {
    ir::Node node;
    node.op_type = type;
    node.name = name;
    node.inputs = std::move(inputs);
    node.outputs = {model.graph.add_value(name + "_out")};
    for (auto& [key, value] : attributes) node.set(key, std::move(value));
    ir::ValueId out = node.outputs[0];
    model.graph.add_node(std::move(node));
    return out;
  }
  ir::ValueId conv(const std::string& name, ir::ValueId x, std::int64_t in, std::int64_t out, std::uint64_t seed) {
    return add("Conv", name,
               {x, constant(name + ".weight", random_tensor({out, in, 3, 3}, seed)),
                constant(name + ".bias", random_tensor({out}, seed + 100))},
               {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}, {"kernel_shape", std::vector<std::int64_t>{3, 3}}});
  }
  ir::Model finish(ir::ValueId output) {
    model.graph.outputs = {output};
    ir::infer_shapes(model);
    return model;
  }
};

/// image [N,1,8,8] → stem → relu → pool → {body → relu → tail, skip} → add → relu → mean → flatten → head → [N, 4]
inline ir::Model residual_model(std::int64_t channels = 8) {
  Builder b;
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  ir::ValueId stem = b.add("Relu", "stem_relu", {b.conv("stem", x, 1, channels, 1)});
  ir::ValueId pooled =
      b.add("MaxPool", "pool", {stem},
            {{"kernel_shape", std::vector<std::int64_t>{2, 2}}, {"strides", std::vector<std::int64_t>{2, 2}}});
  ir::ValueId body = b.add("Relu", "body_relu", {b.conv("body", pooled, channels, channels, 2)});
  ir::ValueId sum = b.add("Add", "add", {b.conv("tail", body, channels, channels, 3), pooled});
  ir::ValueId mean = b.add("GlobalAveragePool", "mean", {b.add("Relu", "add_relu", {sum})});
  ir::ValueId flat = b.add("Flatten", "flatten", {mean});
  ir::ValueId head = b.add("Gemm", "head",
                           {flat, b.constant("head.weight", random_tensor({4, channels}, 4, 1.0f)),
                            b.constant("head.bias", random_tensor({4}, 5))},
                           {{"transB", std::int64_t{1}}});
  return b.finish(head);
}

/// Random images; label = which quarter of the image is brightest.
class ImageSplit : public data::Split {
 public:
  ImageSplit(std::vector<std::int64_t> samples, bool labelled, std::string name)
      : samples_(std::move(samples)), labelled_(labelled), name_(std::move(name)) {}
  static std::shared_ptr<ImageSplit> make(std::int64_t from, std::int64_t count, bool labelled = true,
                                          std::string name = "images") {
    std::vector<std::int64_t> samples(static_cast<std::size_t>(count));
    std::iota(samples.begin(), samples.end(), from);
    return std::make_shared<ImageSplit>(std::move(samples), labelled, std::move(name));
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(samples_.size()); }
  bool labelled() const override { return labelled_; }
  std::int64_t classes() const override { return labelled_ ? 4 : 0; }
  data::Batch batch(const std::vector<std::int64_t>& indices, std::uint64_t, std::int64_t) const override {
    data::Batch batch;
    batch.indices = indices;
    Tensor images(DType::kFloat32, {static_cast<std::int64_t>(indices.size()), 1, 8, 8});
    auto out = images.mutable_data<float>();
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const std::int64_t sample = samples_[static_cast<std::size_t>(indices[i])];
      Rng rng(7, kRngTest, static_cast<std::uint64_t>(sample));
      for (std::size_t p = 0; p < 64; ++p) {
        auto quarter = static_cast<std::int64_t>((p / 32) * 2 + (p % 8) / 4);
        out[i * 64 + p] = static_cast<float>(rng.normal()) * 0.5f + (quarter == sample % 4 ? 1.5f : 0.0f);
      }
      if (labelled_) batch.labels.push_back(sample % 4);
    }
    batch.inputs["image"] = images;
    return batch;
  }
  std::shared_ptr<const Split> subset(std::vector<std::int64_t> indices) const override {
    for (std::int64_t& index : indices) index = samples_[static_cast<std::size_t>(index)];
    return std::make_shared<ImageSplit>(std::move(indices), labelled_, name_);
  }
  std::string fingerprint() const override { return name_ + std::to_string(samples_.size()); }

 private:
  std::vector<std::int64_t> samples_;
  bool labelled_;
  std::string name_;
};

inline data::Dataset image_data(bool labelled = true) {
  return {ImageSplit::make(0, 40, labelled), ImageSplit::make(1000, 20, labelled), ImageSplit::make(2000, 20, labelled),
          "40 train, 20 val, 20 test"};
}

/// Runs the scalar reference.
class ReferenceExecutor : public exec::Executor {
 public:
  ReferenceExecutor(ir::Model model, std::vector<std::string> observed)
      : model_(std::move(model)), observed_(std::move(observed)) {}
  NamedTensors run(const NamedTensors& inputs) override { return ir::evaluate(model_, inputs); }
  NamedTensors observe(const NamedTensors& inputs, const exec::Observer& observer) override {
    ir::Model all = model_;
    for (const std::string& value : observed_)
      if (!all.graph.is_output(all.graph.find_value(value))) all.graph.outputs.push_back(all.graph.find_value(value));
    NamedTensors outputs = ir::evaluate(all, inputs);
    for (const std::string& value : observed_) observer(value, outputs.at(value));
    return outputs;
  }
  std::vector<exec::PlanStep> plan(const std::map<std::string, Dims>&) override { return {}; }
  std::vector<exec::StepTime> profile(const NamedTensors&, int) override { return {}; }
  exec::MemoryUse memory(const std::map<std::string, Dims>&) override { return {1000, 500}; }

 private:
  ir::Model model_;
  std::vector<std::string> observed_;
};

class ReferenceBackend : public exec::Backend {
 public:
  std::string name() const override { return "reference"; }
  std::vector<exec::Refusal> refusals(const ir::Model&) const override { return refused; }
  std::unique_ptr<exec::Executor> compile(const ir::Model& model, const exec::CompileOptions& options) const override {
    ++compiled;
    return std::make_unique<ReferenceExecutor>(model, options.observed);
  }
  std::vector<exec::Refusal> refused;
  mutable int compiled = 0;
};

/// Keeps models in memory under their path and leaves a marker file there.
class MemoryStore : public exec::ModelStore {
 public:
  ir::Model load(const std::string& path) const override {
    ir::Model model = models_.at(path);
    for (ir::ValueId id : model.graph.values()) model.graph.value(id).mask.reset();  // ONNX knows no masks
    return model;
  }
  void save(const ir::Model& model, const std::string& path) const override {
    models_[path] = model;
    std::ofstream(path) << serialize(model);
  }
  void visit_content(const ir::Model& model, const std::function<void(std::string_view)>& visit) const override {
    visit(serialize(model));
  }
  std::string serialize(const ir::Model& model) const {
    std::string bytes;
    for (ir::NodeId id : model.graph.nodes()) bytes += model.graph.node(id).op_type + model.graph.node(id).name + ";";
    std::map<std::string, std::string> constants;
    for (ir::ValueId id : model.graph.values())
      if (const auto& constant = model.graph.value(id).constant)
        constants[model.graph.value(id).name] =
            std::string(reinterpret_cast<const char*>(constant->raw()), constant->bytes());
    for (const auto& [name, content] : constants) bytes += name + content;
    for (const auto& [key, value] : model.baggage.metadata) bytes += key + value;
    return bytes;
  }

 private:
  mutable std::map<std::string, ir::Model> models_;
};

/// An "optimizer" with momentum whose gradient depends on the samples, the weights and the step only.
class FakeTrainer : public exec::Trainer {
 public:
  explicit FakeTrainer(const ir::Model& model) {
    for (const Layer& layer : find_layers(model.graph)) {
      const ir::Value& value = model.graph.value(layer.weight.value);
      names_.push_back(value.name);
      weights_[value.name] = value.constant->clone();
      velocity_[value.name] = Tensor(DType::kFloat32, value.constant->dims());
      if (value.mask) masks_[value.name] = *value.mask;
    }
    for (const ir::NodeId id : model.graph.nodes()) add_latents(model.graph, model.graph.node(id));
  }
  std::vector<std::string> parameters() const override { return names_; }
  Tensor parameter(const std::string& name) const override { return weights_.at(name).clone(); }
  void set_parameter(const std::string& name, const Tensor& value) override { weights_[name] = value.clone(); }
  void set_mask(const std::string& name, const Tensor& mask) override {
    masks_[name] = mask;
    apply_masks();
    ++mask_updates;
  }
  void set_update_rule(const std::string& name, const exec::UpdateRule& rule) override { rules[name] = rule; }
  exec::StepResult step(const data::Batch& batch, double lr) override {
    if (steps_ == diverge_at) throw Error(ErrorCode::kDiverged, "loss", "is not finite");
    rates.push_back(lr);
    double sum = 0;
    for (std::size_t i = 0; i < batch.indices.size(); ++i)
      sum += static_cast<double>(batch.indices[i] * static_cast<std::int64_t>(i + 1));
    for (const std::string& name : names_) {
      auto w = weights_[name].mutable_data<float>();
      auto v = velocity_[name].mutable_data<float>();
      const auto rule = rules.find(name);
      if (rule != rules.end() && rule->second.rate == 0) continue;
      for (std::size_t i = 0; i < w.size(); ++i) {
        v[i] = 0.9f * v[i] + static_cast<float>(std::sin(sum + static_cast<double>(i)) * 0.01) + 0.01f * w[i];
        w[i] -= static_cast<float>(lr) * v[i];
      }
    }
    apply_masks();
    ++steps_;
    return {1.0 / static_cast<double>(steps_) + sum * 1e-7, static_cast<std::int64_t>(batch.labels.size() / 2),
            static_cast<std::int64_t>(batch.indices.size()), 1};
  }
  /// Of the pretended loss Σw²/2: the weights themselves.
  NamedTensors gradients(const data::Batch&) override {
    NamedTensors out;
    for (const std::string& name : names_) out[name] = weights_.at(name).clone();
    return out;
  }
  exec::StepResult evaluate(const data::Batch& batch) override {
    double score = scores.empty()
                       ? 0.5
                       : scores[std::min<std::size_t>(static_cast<std::size_t>(evaluations_++), scores.size() - 1)];
    auto samples = static_cast<std::int64_t>(batch.indices.size());
    return {1 - score, std::llround(score * static_cast<double>(samples)), samples, 0};
  }
  NamedTensors forward(const NamedTensors&) override { return {}; }
  void write_back(ir::Model& model) const override {
    for (const std::string& name : names_)
      model.graph.set_constant(model.graph.find_value(name), weights_.at(name).clone());
  }
  std::string save_state() const override {
    std::string bytes(reinterpret_cast<const char*>(&steps_), sizeof steps_);
    for (const std::string& name : names_)
      for (const auto* tensors : {&weights_, &velocity_})
        bytes.append(reinterpret_cast<const char*>(tensors->at(name).raw()), tensors->at(name).bytes());
    for (const std::string& name : names_) {
      auto mask = masks_.find(name);
      bytes.push_back(mask != masks_.end());
      if (mask != masks_.end()) bytes.append(reinterpret_cast<const char*>(mask->second.raw()), mask->second.bytes());
    }
    return bytes;
  }
  void load_state(const std::string& bytes) override {
    const char* at = bytes.data();
    auto take = [&](void* to, std::size_t size) {
      std::memcpy(to, at, size);
      at += size;
    };
    take(&steps_, sizeof steps_);
    for (const std::string& name : names_)
      for (auto* tensors : {&weights_, &velocity_}) take(tensors->at(name).mutable_raw(), tensors->at(name).bytes());
    for (const std::string& name : names_)
      if (*at++) {
        Tensor mask(DType::kUint8, weights_[name].dims());
        take(mask.mutable_raw(), mask.bytes());
        masks_[name] = mask;
      }
  }
  std::string description() const override { return "fake"; }

  std::vector<double> rates, scores;
  std::map<std::string, exec::UpdateRule> rules;
  std::int64_t diverge_at = -1;
  int mask_updates = 0;

 private:
  /// What a node of domain pare reads is trained too.
  void add_latents(const ir::Graph& graph, const ir::Node& node) {
    if (node.domain != "pare") return;
    for (const ir::ValueId id : node.inputs) {
      const ir::Value& value = graph.value(id);
      if (!value.constant || weights_.count(value.name)) continue;
      names_.push_back(value.name);
      weights_[value.name] = value.constant->clone();
      velocity_[value.name] = Tensor(DType::kFloat32, value.constant->dims());
      if (value.mask) masks_[value.name] = *value.mask;
    }
  }
  void apply_masks() {
    for (const auto& [name, mask] : masks_) {
      auto m = mask.data<std::uint8_t>();
      auto w = weights_[name].mutable_data<float>();
      auto v = velocity_[name].mutable_data<float>();
      for (std::size_t i = 0; i < w.size(); ++i)
        if (m[i] == 0) w[i] = v[i] = 0;
    }
  }
  std::vector<std::string> names_;
  std::map<std::string, Tensor> weights_, velocity_, masks_;
  std::int64_t steps_ = 0;
  int evaluations_ = 0;
};

class FakeFactory : public exec::TrainerFactory {
 public:
  std::vector<exec::Refusal> refusals(const ir::Model&) const override { return refused; }
  std::unique_ptr<exec::Trainer> create(const ir::Model& student, const ir::Model* teacher,
                                        const exec::TrainerOptions& options) const override {
    ++created;
    had_teacher = teacher != nullptr;
    last_options = options;
    auto trainer = std::make_unique<FakeTrainer>(student);
    trainer->diverge_at = diverge_at;
    return trainer;
  }
  std::vector<exec::Refusal> refused;
  std::int64_t diverge_at = -1;
  mutable int created = 0;
  mutable bool had_teacher = false;
  mutable exec::TrainerOptions last_options;
};

/// Everything that a pipeline run needs, with a folder of its own that goes with it.
struct World {
  ir::Model model = residual_model();
  data::Dataset dataset = image_data();
  ReferenceBackend backend;
  FakeFactory factory;
  MemoryStore store;
  Control control;
  exec::TrainerProvider trainer = [this]() -> const exec::TrainerFactory& { return factory; };
  std::filesystem::path folder;
  bool resume = false;
  std::uint64_t seed = 3;

  explicit World(const std::string& name) : folder(std::filesystem::temp_directory_path() / ("pare_compress_" + name)) {
    std::filesystem::remove_all(folder);
  }
  ~World() { std::filesystem::remove_all(folder); }

  PipelineInputs inputs(const Recipe& recipe) {
    return {model,   "model.onnx",
            dataset, recipe,
            backend, trainer,
            store,   {.threads = 1, .seed = seed},
            control, folder / "checkpoints",
            resume,  "pare compress",
            {},      0.005};
  }
  PipelineResult run(const std::string& yaml) {
    Recipe recipe = parse_recipe(yaml, "r.yaml");
    return run_pipeline(inputs(recipe));
  }
};

/// The error that `body` throws; fails the test (through the caller's checks on code kInternal) when it throws none.
template <class Body>
Error error_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::kInternal, "test", "no error was thrown");
}

}  // namespace pare::compress
