// A lowered model with its tensors on a device.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"
#include "pare/error.h"
#include "pare/tensor.h"
#include "train/program.h"

namespace pare::train {

class Network {
 public:
  /// Copies every initializer. `trainable`: parameters ask for gradients. `features`: values that run() gives beside
  /// the outputs. Throws Error(kUnsupported) listing refusals, Error(kBadInput) naming a feature that the model lacks.
  Network(const ir::Model& given, at::Device device, bool trainable, const std::vector<std::string>& features = {});

  /// An initializer that training changes.
  struct Entry {
    std::string name;
    int slot = kNoSlot;
    DType dtype = DType::kFloat32;  ///< as the model stores it; the tensor here is f32
  };
  const std::vector<Entry>& parameters() const { return parameters_; }
  const std::vector<Entry>& statistics() const { return statistics_; }
  at::Tensor tensor(const Entry& entry) const { return initial_[static_cast<std::size_t>(entry.slot)]; }

  /// A batch as LibTorch sees it: no copy where layout and device allow, so `inputs` must outlive its use. Throws
  /// Error(kBadInput) naming the input that is missing, unknown, or of the wrong type or shape.
  std::vector<at::Tensor> bind(const NamedTensors& inputs) const;

  struct Results {
    at::Tensor judged;                ///< [N, classes] logits
    std::vector<at::Tensor> outputs;  ///< of the graph, in order
    std::vector<at::Tensor> features;
  };
  /// `generator` draws dropout while training; undefined in inference.
  Results run(const std::vector<at::Tensor>& inputs, bool training, const at::Generator& generator = {}) const;

  /// Whether a pass over a batch is the same as passes over its parts: every input has its samples along a free first
  /// axis, no statistics run over the batch, and nothing is drawn at random.
  bool separable() const { return separable_; }

  const std::vector<std::string>& output_names() const { return output_names_; }

 private:
  struct Input {
    std::string name;
    int slot;
    DType dtype;
    ir::Shape shape;
  };

  at::Tensor bind_one(const Input& input, const Tensor& tensor) const;
  void add_entries(const ir::Graph& graph, const std::vector<ir::ValueId>& ids, bool gradients,
                   std::vector<Entry>& entries);

  bool find_separable(const ir::Graph& graph) const;

  Program program_;
  at::Device device_;
  std::vector<at::Tensor> initial_;  ///< by slot; undefined where a step produces the value
  std::vector<Entry> parameters_, statistics_;
  std::vector<Input> inputs_;
  std::vector<int> output_slots_, feature_slots_;
  std::vector<std::string> output_names_;
  bool separable_ = false;
};

/// "node (Op): reason; …" of every refusal, as an Error(kUnsupported).
Error unsupported(const std::vector<exec::Refusal>& refusals);

}  // namespace pare::train
