#include "compress/validate.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "ir/codebook.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

/// Attention masks may hold −∞ by intent; what a layer multiplies or adds may not.
bool is_layer_parameter(const ir::Graph& graph, const ir::Value& value) {
  return std::any_of(value.consumers.begin(), value.consumers.end(), [&](ir::NodeId id) {
    const ir::Node& node = graph.node(id);
    return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm") || node.is("MatMul") ||
           node.is("BatchNormalization");
  });
}

void require_finite_weights(const ir::Graph& graph) {
  for (ir::ValueId id : graph.values()) {
    const ir::Value& value = graph.value(id);
    if (!value.constant || value.constant->dtype() != DType::kFloat32 || !is_layer_parameter(graph, value)) continue;
    auto data = value.constant->data<float>();
    if (std::all_of(data.begin(), data.end(), [](float x) { return std::isfinite(x); })) continue;
    throw Error(ErrorCode::kBadInput,
                "tensor '" + value.name + "' (of layer '" + graph.node(value.consumers[0]).name + "')",
                "holds values that are not finite");
  }
}

/// Whether the step leaves float weights that share values.
bool shares_weights(const Step& step) { return step.method->step == "quantize" && step.method->name == "codebook"; }

void require_order(const Recipe& recipe) {
  const Method* integers = nullptr;
  for (std::size_t i = 0; i < recipe.steps.size(); ++i) {
    const Method& method = *recipe.steps[i].method;
    if (integers && method.needs_floats && !(shares_weights(recipe.steps[i - 1]) && keeps_clusters(recipe.steps[i])))
      throw Error(ErrorCode::kUsage, "steps[" + std::to_string(i) + "]." + std::string(method.step),
                  "cannot follow " + std::string(integers->step) + ", which leaves no float weights; put it before");
    if (method.makes_integers) integers = &method;
  }
}

/// A step would work on the weights that the codebooks stand for and leave them expanded, larger than they came.
void require_no_codebooks(const ir::Graph& graph) {
  for (ir::NodeId id : graph.nodes())
    if (const auto codebook = ir::find_codebook(graph, graph.node(id)))
      throw Error(ErrorCode::kUnsupported, "tensor '" + graph.value(codebook->indices).name + "'",
                  "the weights are shared by a codebook, which only quantize with the method qat keeps; start from the "
                  "model before it");
}

void require_no_refusals(const std::vector<exec::Refusal>& refusals, const std::string& who) {
  if (refusals.empty()) return;
  throw Error(ErrorCode::kUnsupported, who, "cannot take the model: " + ir::describe(refusals));
}

}  // namespace

bool keeps_clusters(const Step& step) { return step.options.value("keep_clusters", false); }

void expand_for(const Step& step, ir::Model& model) {
  if (!keeps_clusters(step) || !ir::has_codebooks(model.graph)) return;
  ir::expand_codebooks(model);
  ir::infer_shapes(model);
}

void validate_recipe(const PipelineInputs& inputs, const ir::Model& model, bool ask_executors) {
  if (inputs.recipe.steps.empty()) throw Error(ErrorCode::kUsage, "recipe", "has no steps");
  if (inputs.recipe.max_drop && !inputs.dataset.val)
    throw Error(ErrorCode::kUsage, "gate.max_drop", "the data has no val split to decide on");
  if (!keeps_clusters(inputs.recipe.steps.front())) require_no_codebooks(inputs.model.graph);
  require_finite_weights(model.graph);
  require_order(inputs.recipe);
  for (const Step& step : inputs.recipe.steps) {
    nlohmann::json unused;
    StepContext context{step.options,     model,          inputs.dataset, inputs.backend, inputs.trainer,
                        inputs.execution, inputs.control, nullptr,        unused,         &inputs.store};
    step.method->validate(model, context);
    if (ask_executors && step.method->needs_gradients(step.options))
      require_no_refusals(inputs.trainer().refusals(model), "the trainer");
  }
  if (ask_executors) require_no_refusals(inputs.backend.refusals(model), "the " + inputs.backend.name() + " backend");
}

}  // namespace pare::compress
