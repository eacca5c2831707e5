#include "ir/node_tests.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/float16.h"
#include "ir/op.h"
#include "ir/subgraph.h"
#include "onnx/onnx_file.h"
#include "pare/error.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;

std::vector<Tensor> read_all(const fs::path& folder, const std::string& stem, std::size_t count) {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(onnx::read_tensor_proto(folder / (stem + "_" + std::to_string(i) + ".pb")));
  return out;
}

/// Relative error that the type's own rounding allows.
double tolerance(DType type) {
  switch (type) {
    case DType::kFloat64:
      return 1e-7;
    case DType::kFloat16:
      return 2e-3;
    case DType::kBFloat16:
      return 1e-2;
    default:
      return 1e-5;
  }
}

}  // namespace

std::vector<fs::path> node_tests() {
  std::vector<fs::path> out;
  const fs::path package = "/usr/share/libonnx-testdata/data/node";
  if (!fs::is_directory(package)) return out;
  const char* further = std::getenv("PARE_NODE_TESTS");
  for (const fs::path& root :
       {package, fs::path(PARE_SOURCE_DIR "/tests/ir/microsoft"), fs::path(further != nullptr ? further : "")}) {
    if (root.empty() || !fs::is_directory(root)) continue;
    for (const auto& entry : fs::directory_iterator(root)) {
      if (fs::exists(entry.path() / "model.onnx")) out.push_back(entry.path());
    }
  }
  std::ranges::sort(out);
  return out;
}

const std::map<std::string, std::string>& skipped_node_tests() {
  static const std::string training = "training mode is the trainer's, not the reference's",
                           sequence = "its input is no tensor",
                           uint16 = "its files hold bfloat16 data as uint16 tensors";
  static const std::map<std::string, std::string> skipped = {
      {"test_batchnorm_epsilon_training_mode", training},
      {"test_batchnorm_example_training_mode", training},
      {"test_training_dropout", training},
      {"test_training_dropout_default", training},
      {"test_training_dropout_default_mask", training},
      {"test_training_dropout_mask", training},
      {"test_identity_opt", sequence},
      {"test_identity_sequence", sequence},
      {"test_cast_BFLOAT16_to_FLOAT", uint16},
      {"test_cast_FLOAT_to_BFLOAT16", uint16},
      {"test_castlike_BFLOAT16_to_FLOAT", uint16},
      {"test_castlike_FLOAT_to_BFLOAT16", uint16},
      {"test_castlike_BFLOAT16_to_FLOAT_expanded", uint16},
      {"test_castlike_FLOAT_to_BFLOAT16_expanded", uint16},
  };
  return skipped;
}

NodeTest read_node_test(const fs::path& folder) {
  NodeTest test;
  test.model = onnx::read_model(folder / "model.onnx");
  test.inputs = read_all(folder / "test_data_set_0", "input", test.model.graph.inputs.size());
  test.outputs = read_all(folder / "test_data_set_0", "output", test.model.graph.outputs.size());
  return test;
}

bool is_covered(const ir::Model& model) {
  bool covered = true;
  ir::for_each_node(model.graph, [&](const ir::Node& node) {
    covered = covered && ir::find_operator(node, model.opset(node.domain)) != nullptr;
  });
  return covered;
}

bool uses(const ir::Model& model, const std::string& op_type) {
  return std::ranges::any_of(model.graph.nodes(), [&](ir::NodeId id) { return model.graph.node(id).is(op_type); });
}

double slack_of(const std::string& test_name) {
  static const char* const rounded[] = {"test_blackmanwindow", "test_hammingwindow", "test_hannwindow",
                                        "test_gridsample", "test_roialign"};
  const bool is_rounded = std::ranges::any_of(rounded, [&](const char* stem) { return test_name.starts_with(stem); });
  return is_rounded ? 1e-3 / tolerance(DType::kFloat32) : 1;
}

std::string difference(const Tensor& expected, const Tensor& got, double slack) {
  if (expected.dtype() != got.dtype())
    return "type " + std::string(name(got.dtype())) + ", expected " + std::string(name(expected.dtype()));
  if (expected.dims() != got.dims())
    return "shape " + to_string(got.dims()) + ", expected " + to_string(expected.dims());
  if (expected.dtype() == DType::kString) return expected.string_data() == got.string_data() ? "" : "strings differ";
  for (std::int64_t i = 0; i < expected.numel(); ++i) {
    const double a = element_as_double(expected, i), b = element_as_double(got, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (is_float(expected.dtype()) && std::abs(a - b) <= slack * tolerance(expected.dtype()) * (0.1 + std::abs(a)))
      continue;
    return "element " + std::to_string(i) + " is " + std::to_string(b) + ", expected " + std::to_string(a);
  }
  return "";
}

}  // namespace pare::testing
