// ONNX's own node tests (Debian: libonnx-testdata) through the runtime, for every operator that it accepts.
#include <filesystem>

#include "base/float16.h"
#include "onnx/onnx_file.h"
#include "pare/error.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

namespace fs = std::filesystem;

bool close(const Tensor& got, const Tensor& want) {
  if (got.dtype() != want.dtype() || got.dims() != want.dims()) return false;
  if (want.dtype() == DType::kString || bits(want.dtype()) < 8) return true;
  for (std::int64_t i = 0; i < want.numel(); ++i) {
    const double a = element_as_double(got, i), b = element_as_double(want, i);
    if (std::isnan(a) != std::isnan(b)) return false;
    if (a != b && !std::isnan(a) && std::abs(a - b) > 1e-5 + 1e-3 * std::abs(b)) return false;
  }
  return true;
}

/// Reads input_0.pb … of a test; false when one is no tensor (sequences, optionals).
bool read_all(const fs::path& folder, const std::string& stem, const ir::Graph& graph,
              const std::vector<ir::ValueId>& ids, NamedTensors& out) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!graph.value(ids[i]).opaque_type.empty()) return false;
    const fs::path file = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return false;
    out[graph.value(ids[i]).name] = onnx::read_tensor_proto(file);
  }
  return true;
}

/// Tests whose files cannot be compared: bfloat16 data is stored as uint16, and training dropout draws random numbers.
bool comparable(const std::string& name) {
  return name.find("BFLOAT16") == std::string::npos && !name.starts_with("test_training_dropout");
}

TEST(OnnxNodeTests, EveryAcceptedModelGivesItsOutputs) {
  const fs::path root = "/usr/share/libonnx-testdata/data/node";
  if (!fs::exists(root)) GTEST_SKIP() << "the Debian package libonnx-testdata is not installed";
  int ran = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (!fs::exists(entry.path() / "model.onnx") || !comparable(entry.path().filename().string())) continue;
    SCOPED_TRACE(entry.path().filename().string());
    try {
      ir::Model model = onnx::read_model(entry.path() / "model.onnx");
      NamedTensors inputs, want;
      const fs::path data = entry.path() / "test_data_set_0";
      if (!runtime::backend().refusals(model).empty()) continue;
      if (!read_all(data, "input", model.graph, model.graph.inputs, inputs)) continue;
      if (!read_all(data, "output", model.graph, model.graph.outputs, want)) continue;
      const NamedTensors got = test::run(model, inputs);
      for (const auto& [name, tensor] : want) EXPECT_TRUE(close(got.at(name), tensor)) << name;
      ++ran;
    } catch (const Error& error) {
      // A shape that depends on data, a training mode: valid refusals. Anything else is a fault.
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << error.what();
    }
  }
  RecordProperty("ran", ran);
  EXPECT_GT(ran, 200);
}

}  // namespace
}  // namespace pare
