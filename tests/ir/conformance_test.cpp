// Every row of ops.inc against ONNX's own node tests: results, and inferred shapes and types.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "ir/infer.h"
#include "ir/node_tests.h"
#include "ir/op.h"
#include "onnx/onnx_file.h"
#include "pare/error.h"

namespace pare::testing {
namespace {

/// Rows that no node test of the package covers, and the test that does (in tests/ir/ops/).
const std::map<std::string, std::string>& unit_tested() {
  static const std::map<std::string, std::string> rows = {
      {"AffineGrid", "Grids.AffineGridOfTheIdentityReadsTheImageBack"},
      {"BitwiseAnd", "Logic.BitwiseOnSignedAndUnsigned"},
      {"BitwiseNot", "Logic.BitwiseOnSignedAndUnsigned"},
      {"BitwiseOr", "Logic.BitwiseOnSignedAndUnsigned"},
      {"BitwiseXor", "Logic.BitwiseOnSignedAndUnsigned"},
      {"CenterCropPad", "Images.CenterCropPad"},
      {"Col2Im", "Images.Col2ImAddsOverlappingBlocks"},
      {"MsCodebook", "Codebook.ReadsTheEntryOrTheOneOfItsPart"},
      {"MsLookup", "Lookup.EveryPatternHasItsEntry"},
      {"MsFakeQuantize", "FakeQuantize.LearnedStepsRoundAsQuantizeLinear"},
      {"MsHardConcrete", "LearnedMasks.HardConcreteIsThePapersGate"},
      {"MsMovementMask", "LearnedMasks.MovementMaskTakesTheMaskOnly"},
      {"MsSoftThreshold", "LearnedMasks.SoftThresholdShrinksAndZeros"},
      {"GlobalLpPool", "LpPooling.WindowsAndPlanes"},
      {"GroupNormalization", "Normalization.GroupNormalizationScalesChannelsFromOpset21"},
      {"LpNormalization", "Normalization.LpNormalizationKeepsZeroLines"},
      {"LpPool", "LpPooling.WindowsAndPlanes"},
      {"MaxRoiPool", "Regions.MaxRoiPoolTakesTheLargestOfEachBin"},
      {"Mish", "Activations.MishSeluAndSoftsign"},
      {"RMSNormalization", "Normalization.RmsNormalization"},
      {"Swish", "Activations.Swish"},
      {"Gelu", "Activations.Gelu"},
  };
  return rows;
}

bool is_registered(const std::string& full_name) {
  const ::testing::UnitTest& all = *::testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const ::testing::TestSuite& suite = *all.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t) {
      if (full_name == std::string(suite.name()) + "." + suite.GetTestInfo(t)->name()) return true;
    }
  }
  return false;
}

/// The declared type of the outputs is what inference must find.
void forget_outputs(ir::Graph& graph) {
  for (ir::ValueId id : graph.values()) {
    ir::Value& value = graph.value(id);
    if (value.producer == ir::kNoNode) continue;
    value.dtype = DType::kUndefined;
    value.shape = {};
  }
}

/// Inputs of other types that shapes depend on.
bool decides_shape(const ir::Model& model, ir::ValueId input) {
  static const std::map<std::string, std::set<std::size_t>> slots = {{"Resize", {1, 2}}, {"Upsample", {1}}};
  for (ir::NodeId id : model.graph.nodes()) {
    const ir::Node& node = model.graph.node(id);
    const auto found = slots.find(node.op_type);
    if (found == slots.end()) continue;
    for (std::size_t slot : found->second)
      if (node.input(slot) == input) return true;
  }
  return false;
}

/// Operators whose output sizes depend on elements: only ranks and types can be inferred.
bool depends_on_data(const ir::Model& model) {
  static const char* const types[] = {"Compress", "If", "Loop", "NonMaxSuppression", "NonZero", "Unique"};
  return std::ranges::any_of(types, [&](const char* type) { return uses(model, type); });
}

/// Small integer inputs (shapes, axes, bounds …) become constants, as they are in real models.
void fix_integer_inputs(NodeTest& test) {
  ir::Graph& graph = test.model.graph;
  const std::vector<ir::ValueId> inputs = graph.inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& tensor = test.inputs[i];
    if (!is_integer(tensor.dtype()) && tensor.numel() != 1 && !decides_shape(test.model, inputs[i])) continue;
    const ir::ValueId constant = graph.add_initializer(graph.value(inputs[i]).name + "_fixed", tensor);
    graph.replace_uses(inputs[i], constant, true);
  }
}

void expect_inferred(const NodeTest& test, bool all_known) {
  for (std::size_t i = 0; i < test.outputs.size(); ++i) {
    const ir::Value& value = test.model.graph.value(test.model.graph.outputs[i]);
    const ir::Shape actual = ir::Shape::of(test.outputs[i].dims());
    EXPECT_EQ(value.dtype, test.outputs[i].dtype()) << value.name;
    EXPECT_TRUE(ir::merge(value.shape, actual)) << to_string(value.shape) << " is not " << to_string(actual);
    if (all_known) {
      EXPECT_EQ(to_string(value.shape), to_string(actual)) << value.name;
    }
  }
}

void check(const std::filesystem::path& folder) {
  NodeTest test = read_node_test(folder);
  NamedTensors inputs;
  for (std::size_t i = 0; i < test.inputs.size(); ++i)
    inputs[test.model.graph.value(test.model.graph.inputs[i]).name] = test.inputs[i];
  const NamedTensors outputs = ir::evaluate(test.model, inputs);
  for (std::size_t i = 0; i < test.outputs.size(); ++i) {
    const std::string& name = test.model.graph.value(test.model.graph.outputs[i]).name;
    EXPECT_EQ(difference(test.outputs[i], outputs.at(name), slack_of(folder.filename())), "") << name;
  }
  forget_outputs(test.model.graph);
  ir::infer_shapes(test.model);
  expect_inferred(test, false);
  fix_integer_inputs(test);
  forget_outputs(test.model.graph);
  ir::infer_shapes(test.model);
  expect_inferred(test, !depends_on_data(test.model));
}

/// "Gelu"; "MsGelu" for that of com.microsoft.
std::string row_name(std::string_view domain, std::string_view type) {
  return (domain.empty() ? "" : "Ms") + std::string(type);
}

/// Node tests by the operators in them; those with an operator that the table lacks are left out.
const std::map<std::string, std::vector<std::filesystem::path>>& by_operator() {
  static const auto* const index = [] {
    auto* out = new std::map<std::string, std::vector<std::filesystem::path>>;
    for (const auto& folder : node_tests()) {
      if (skipped_node_tests().contains(folder.filename())) continue;
      const ir::Model model = onnx::read_model(folder / "model.onnx");
      if (!is_covered(model)) continue;
      std::set<std::string> types;
      for (ir::NodeId id : model.graph.nodes()) {
        const ir::Node& node = model.graph.node(id);
        types.insert(row_name(node.domain, node.op_type));
      }
      for (const std::string& type : types) (*out)[type].push_back(folder);
    }
    return out;
  }();
  return *index;
}

class Conformance : public ::testing::TestWithParam<const ir::Operator*> {};

TEST_P(Conformance, NodeTests) {
  if (node_tests().empty()) GTEST_SKIP() << "the node tests of libonnx-testdata are not installed";
  const std::string type = row_name(GetParam()->domain, GetParam()->op_type);
  const auto cases = by_operator().find(type);
  if (cases == by_operator().end()) {
    const auto named = unit_tested().find(type);
    ASSERT_NE(named, unit_tested().end()) << "no node test and no unit test covers " << type;
    EXPECT_TRUE(is_registered(named->second)) << named->second << " does not exist";
    return;
  }
  for (const auto& folder : cases->second) {
    SCOPED_TRACE(folder.filename().string());
    try {
      check(folder);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
  std::cout << type << ": " << cases->second.size() << " node tests\n";
}

INSTANTIATE_TEST_SUITE_P(Operators, Conformance, ::testing::ValuesIn(ir::operators().begin(), ir::operators().end()),
                         [](const auto& info) { return row_name(info.param->domain, info.param->op_type); });

TEST(ConformanceCount, CasesAndSkips) {
  if (node_tests().empty()) GTEST_SKIP() << "the node tests of libonnx-testdata are not installed";
  std::set<std::filesystem::path> cases;
  for (const auto& [type, folders] : by_operator()) cases.insert(folders.begin(), folders.end());
  std::cout << cases.size() << " node tests of " << ir::operators().size() << " operators, "
            << skipped_node_tests().size() << " skipped\n";
  EXPECT_GE(cases.size(), 700u);
  std::set<std::string> names;
  for (const auto& folder : node_tests()) names.insert(folder.filename());
  for (const auto& [name, reason] : skipped_node_tests())
    EXPECT_TRUE(names.contains(name)) << name << " is skipped but does not exist";
}

}  // namespace
}  // namespace pare::testing
