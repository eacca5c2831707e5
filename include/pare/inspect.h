// What a model is made of, and how this CPU would run it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pare/control.h"
#include "pare/model.h"

namespace pare {

/// A node with weights.
struct LayerInfo {
  std::string node, op_type, weight;
  Dims weight_dims;
  std::vector<std::string> output_dims;  ///< as far as known
  std::int64_t parameters = 0;
  std::int64_t macs = 0;  ///< multiply–accumulates
  std::int64_t bytes = 0;
  int bits = 32;        ///< of a weight element as stored
  double sparsity = 0;  ///< fraction of weights that are exactly zero
  std::string pattern;  ///< "8:64"; "" when none was found
};

/// One kernel call of the compiled plan.
struct PlanStepInfo {
  std::string kernel, op_type;
  std::vector<std::string> nodes;  ///< nodes of the model that it covers, the main one first
  std::string output;
  Dims output_dims;
  std::string reason;  ///< why this kernel
  std::int64_t macs = 0, weight_bytes = 0;
};

/// Channels that can only be removed together, and through which layers.
struct ChannelGroupInfo {
  std::string name;                 ///< the first of its layers
  std::vector<std::string> layers;  ///< whose outputs these channels are
  std::int64_t channels = 0;
  std::int64_t unit = 1;  ///< channels that go at once
  std::string blocked;    ///< why none can be removed; "" when they can
};

struct InspectOptions {
  ExecutionOptions execution;
  std::int64_t batch = 1;  ///< for MACs and the plan, where the model leaves it open
  InputShapes shapes;
  bool plan = false;    ///< compile and list the plan
  bool tune = true;     ///< of the plan, as SessionOptions::tune
  bool exact = false;   ///< of the plan, as SessionOptions::exact
  bool groups = false;  ///< list the coupled channel groups of the simplified model
  /// Of the plan. kBFloat16: float32 layers multiply in bfloat16. Error(kUnsupported) on a CPU without it.
  DType precision = DType::kFloat32;
};

struct Inspection {
  std::string path, graph_name, producer;
  std::int64_t ir_version = 0, opset = 0;
  std::vector<PortInfo> inputs, outputs;
  std::map<std::string, int> operators;  ///< nodes by operator ("com.example::Op" outside the default domain)
  std::int64_t bytes = 0, parameters = 0, nonzero_parameters = 0;
  std::optional<std::int64_t> macs;  ///< unset when shapes are not known well enough
  std::string macs_note;             ///< then: why
  InputShapes shapes;                ///< that MACs and plan were made for
  std::vector<LayerInfo> layers;
  std::vector<PlanStepInfo> plan;
  std::vector<ChannelGroupInfo> groups;
  std::int64_t plan_weight_bytes = 0, plan_arena_bytes = 0;
  std::string provenance;  ///< JSON of the compression steps that the model went through; "" none
};

/// Throws Error(kBadInput) for a shape that contradicts the model; with `plan`, Error(kUnsupported) listing refusals.
Inspection inspect(const Model& model, const InspectOptions& options = {});

}  // namespace pare
