// ONNX's node tests (Debian package libonnx-testdata): a model of few nodes, its inputs and the outputs it must give.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ir/model.h"
#include "pare/tensor.h"

namespace pare::testing {

/// Folders with model.onnx and test_data_set_0: those of the package, of tests/ir/microsoft (what ONNX Runtime gives),
/// and of the folder that PARE_NODE_TESTS names if set. Sorted by name; empty when the package is not installed.
std::vector<std::filesystem::path> node_tests();

/// Cases that the table does not claim, with the reason.
const std::map<std::string, std::string>& skipped_node_tests();

struct NodeTest {
  ir::Model model;
  std::vector<Tensor> inputs, outputs;  ///< in the order of the graph's
};
NodeTest read_node_test(const std::filesystem::path& folder);

/// True when every node is of a known operator.
bool is_covered(const ir::Model& model);
bool uses(const ir::Model& model, const std::string& op_type);

/// Why `got` is not `expected`, or "": integers exactly, floats within `slack` times the rounding of their type.
std::string difference(const Tensor& expected, const Tensor& got, double slack = 1);
/// For tests whose expected outputs are rounded themselves (four digits, or a function body that writes π as 3.14159):
/// ONNX's own tolerance of 1e-3. 1 otherwise.
double slack_of(const std::string& test_name);

}  // namespace pare::testing
