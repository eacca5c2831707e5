// ONNX node tests by the scalar reference and by the runtime. Reads folders from standard input, one a line; answers a
// line a folder and executor: name, executor, outcome, reason, separated by tabs. The name alone comes first, so that a
// crash has one. Outcomes: pass, differs, refused (exit code 4), error (any other), not_tensors.
#include <cmath>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>

#include "base/float16.h"
#include "ir/infer.h"
#include "onnx/onnx_file.h"
#include "pare/error.h"
#include "runtime/runtime.h"

namespace pare::conformance {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  std::string kind, reason;
};

struct Case {
  ir::Model model;
  NamedTensors inputs, outputs;
};

/// The relative and absolute tolerance of ONNX's own test runner; it gives bfloat16 two units in the last place.
bool is_close(double got, double want, DType type) {
  const double relative = type == DType::kBFloat16 ? 0x1p-6 : 1e-3;
  if (got == want || (std::isnan(got) && std::isnan(want))) return true;
  return std::isfinite(got) && std::isfinite(want) && std::abs(got - want) <= 1e-7 + relative * std::abs(want);
}

/// Why `got` is not `want`, or "".
std::string difference(const Tensor& got, const Tensor& want) {
  if (got.dtype() != want.dtype())
    return "type " + std::string(name(got.dtype())) + " instead of " + std::string(name(want.dtype()));
  if (got.dims() != want.dims()) return "shape " + to_string(got.dims()) + " instead of " + to_string(want.dims());
  if (want.dtype() == DType::kString) return got.string_data() == want.string_data() ? "" : "other strings";
  for (std::int64_t i = 0; i < want.numel(); ++i) {
    const double a = element_as_double(got, i), b = element_as_double(want, i);
    if (!is_close(a, b, want.dtype()))
      return "element " + std::to_string(i) + " is " + std::to_string(a) + " instead of " + std::to_string(b);
  }
  return "";
}

/// nullopt when an input or output is a sequence, an optional or a map.
std::optional<NamedTensors> read_tensors(const fs::path& folder, const std::string& stem, const ir::Graph& graph,
                                         const std::vector<ir::ValueId>& ids) {
  NamedTensors tensors;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const ir::Value& value = graph.value(ids[i]);
    if (!value.opaque_type.empty()) return std::nullopt;
    Tensor tensor = onnx::read_tensor_proto(folder / "test_data_set_0" / (stem + "_" + std::to_string(i) + ".pb"));
    if (value.dtype == DType::kBFloat16 && tensor.dtype() == DType::kUint16)  // how ONNX 1.12 wrote bfloat16
      tensor = Tensor::view(value.dtype, tensor.dims(), tensor.raw(), std::make_shared<Tensor>(tensor));
    tensors[value.name] = tensor;
  }
  return tensors;
}

std::optional<Case> read_case(const fs::path& folder) {
  ir::Model model = onnx::read_model(folder / "model.onnx");
  auto inputs = read_tensors(folder, "input", model.graph, model.graph.inputs);
  auto outputs = read_tensors(folder, "output", model.graph, model.graph.outputs);
  if (!inputs || !outputs) return std::nullopt;
  return Case{std::move(model), std::move(*inputs), std::move(*outputs)};
}

Outcome judge(const NamedTensors& got, const NamedTensors& want) {
  for (const auto& [name, tensor] : want) {
    const std::string why = difference(got.at(name), tensor);
    if (!why.empty()) return {"differs", "output '" + name + "': " + why};
  }
  return {"pass", ""};
}

using Run = std::function<NamedTensors(const ir::Model&, const NamedTensors&)>;

Outcome outcome(const fs::path& folder, const Run& run) {
  try {
    const std::optional<Case> test = read_case(folder);
    if (!test) return {"not_tensors", "an input or output is a sequence, an optional or a map"};
    return judge(run(test->model, test->inputs), test->outputs);
  } catch (const Error& error) {
    return {error.code() == ErrorCode::kUnsupported ? "refused" : "error", error.what()};
  } catch (const std::exception& error) {
    return {"error", std::string("not a Pare error: ") + error.what()};
  }
}

NamedTensors by_runtime(const ir::Model& given, const NamedTensors& inputs) {
  ir::Model model = given;
  ir::infer_shapes(model);
  return runtime::backend().compile(model, {})->run(inputs);
}

void report(const std::string& name, const std::string& executor, const Outcome& outcome) {
  std::cout << name << '\t' << executor << '\t' << outcome.kind << '\t' << outcome.reason << std::endl;
}

}  // namespace
}  // namespace pare::conformance

int main() {
  using namespace pare::conformance;
  for (std::string line; std::getline(std::cin, line);) {
    const fs::path folder(line);
    std::cout << folder.filename().string() << std::endl;
    report(folder.filename().string(), "reference", outcome(folder, pare::ir::evaluate));
    report(folder.filename().string(), "runtime", outcome(folder, by_runtime));
  }
}
