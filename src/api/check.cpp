#include "pare/check.h"

#include <algorithm>
#include <cmath>

#include "api/model_impl.h"
#include "api/plugin.h"
#include "base/float16.h"
#include "ir/codebook.h"
#include "ir/sparsity.h"
#include "ir/verify.h"
#include "pare/error.h"
#include "runtime/runtime.h"

namespace pare {
namespace {

bool is_scanned(DType type) {
  return type == DType::kFloat32 || type == DType::kFloat64 || type == DType::kFloat16 || type == DType::kBFloat16;
}

template <class T, class Convert>
void count(std::span<const T> values, Convert convert, NonFiniteTensor& found) {
  for (const T& stored : values) {
    const auto value = convert(stored);
    if (std::isfinite(value)) continue;
    ++(std::isnan(value) ? found.nans : found.infinities);
  }
}

NonFiniteTensor scan(const std::string& name, const Tensor& tensor) {
  NonFiniteTensor found{name, 0, 0, tensor.numel(), true};
  const auto same = [](auto value) { return value; };
  if (tensor.dtype() == DType::kFloat32) {
    count(tensor.data<float>(), same, found);
  } else if (tensor.dtype() == DType::kFloat64) {
    count(tensor.data<double>(), same, found);
  } else {
    const std::span bits(reinterpret_cast<const std::uint16_t*>(tensor.aligned_raw()),
                         static_cast<std::size_t>(tensor.numel()));
    count(bits, tensor.dtype() == DType::kFloat16 ? half_to_float : bfloat16_to_float, found);
  }
  return found;
}

std::vector<NonFiniteTensor> non_finite_tensors(const ir::Graph& graph) {
  std::vector<ir::ValueId> weights;
  for (ir::NodeId node : graph.nodes()) {
    if (const auto weight = ir::find_weight(graph, node)) weights.push_back(weight->value);
  }
  std::vector<NonFiniteTensor> all;
  for (ir::ValueId id : graph.values()) {
    const Tensor* constant = graph.constant(id);
    if (!constant || !is_scanned(constant->dtype())) continue;
    NonFiniteTensor found = scan(graph.value(id).name, *constant);
    if (found.nans + found.infinities == 0) continue;
    found.harmful = found.nans > 0 || std::find(weights.begin(), weights.end(), id) != weights.end();
    all.push_back(std::move(found));
  }
  return all;
}

std::vector<RefusalInfo> refusals_of(const std::vector<exec::Refusal>& refusals) {
  std::vector<RefusalInfo> infos;
  for (const exec::Refusal& refusal : refusals)
    infos.push_back({refusal.node, refusal.op_type, refusal.reason, refusal.opset, refusal.inputs});
  return infos;
}

void ask_trainer(CheckReport& report, const ir::Model& model) {
  report.train_asked = true;
  try {
    report.train = refusals_of(api::load_train_plugin("check --train").plugin->factory->refusals(model));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    report.train_unavailable = error.what();
  }
}

std::vector<std::string> possible_commands(const CheckReport& report, bool codebooks) {
  std::vector<std::string> commands{"inspect"};
  if (!report.problems.empty()) return commands;
  const bool finite = report.valid();
  if (report.runtime.empty()) {
    commands.insert(commands.end(), {"run", "bench"});
    if (finite) commands.push_back("eval");
    if (codebooks) return commands;  // no step keeps them
    if (finite) commands.insert(commands.end(), {"prune (one-shot)", "quantize"});
    const bool trainable = report.train_asked && report.train_unavailable.empty() && report.train.empty();
    if (finite && trainable) commands.insert(commands.end(), {"prune (with training)", "finetune", "compress"});
  }
  return commands;
}

}  // namespace

bool CheckReport::valid() const noexcept {
  return problems.empty() &&
         std::none_of(non_finite.begin(), non_finite.end(), [](const auto& t) { return t.harmful; });
}

CheckReport check(const Model& model, const CheckOptions& options) {
  const ir::Model& ir_model = model.impl().model;
  CheckReport report;
  report.problems = ir::verify(ir_model);
  report.non_finite = non_finite_tensors(ir_model.graph);
  if (report.problems.empty()) {  // passes and executors may assume a valid graph
    report.runtime = refusals_of(runtime::backend().refusals(model.impl().prepared()));
    if (options.train) ask_trainer(report, model.impl().prepared());
  }
  report.possible = possible_commands(report, ir::has_codebooks(ir_model.graph));
  return report;
}

namespace api {

void require_finite(const Model& model) {
  for (const NonFiniteTensor& tensor : non_finite_tensors(model.impl().model.graph)) {
    if (!tensor.harmful) continue;
    const std::string subject = model.path().empty() ? tensor.tensor : model.path() + ": " + tensor.tensor;
    throw Error(ErrorCode::kBadInput, subject, "weights that are not finite", "finite numbers",
                std::to_string(tensor.nans) + " NaN and " + std::to_string(tensor.infinities) + " infinite of " +
                    std::to_string(tensor.elements));
  }
}

}  // namespace api
}  // namespace pare
