// Cost of a model: bytes, parameters, MACs, and the latency of its layers; turns.h measures whole models.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "exec/backend.h"

namespace pare::eval {

/// Random (seeded) inputs of the given shapes and the model's dtypes; integer inputs are small non-negative numbers.
NamedTensors random_inputs(const ir::Model& model, const std::map<std::string, Dims>& shapes, std::uint64_t seed);

struct LayerCost {
  std::string node, op_type, weight;  ///< weight: name of the weight initializer, "" when none
  Dims weight_dims;
  std::int64_t parameters = 0, macs = 0, bytes = 0;
  int bits = 32;  ///< of the weight as stored
  double sparsity = 0;
  std::string pattern;     ///< "8:64", "" none found
  double latency_ms = -1;  ///< −1: not measured
  std::string kernel;      ///< "" when not compiled
};

struct ModelCost {
  std::int64_t parameters = 0, nonzero_parameters = 0, macs = 0;
  std::vector<LayerCost> layers;  ///< nodes with weights
};

/// Static costs. Parameters: elements of float or quantized weight initializers (scales, zero points and index
/// constants do not count).
ModelCost model_cost(const ir::Model& model, const std::map<std::string, Dims>& input_shapes);

/// Of the model as one ONNX file, which is read once and never assembled.
struct FileCost {
  std::int64_t bytes = 0, gzip_bytes = 0;
  std::string hash;  ///< hash.h
};
FileCost file_cost(const exec::ModelStore& store, const ir::Model& model);
std::string content_hash(const exec::ModelStore& store, const ir::Model& model);  ///< FileCost::hash alone

/// Adds measured per-layer latency and kernel names to `cost`.
void add_layer_latency(ModelCost& cost, exec::Executor& executor, const NamedTensors& inputs, int repeats);

}  // namespace pare::eval
