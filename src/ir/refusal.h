// What an executor cannot take: the node, and what was asked of it (operator set, types and shapes), said in one way.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ir/model.h"
#include "ir/op.h"

namespace pare::ir {

/// A node that an executor cannot take, and why.
struct Refusal {
  std::string node, op_type, reason;
  std::int64_t opset = 0;           ///< of the node's domain; 0: none is imported, or no node is meant
  std::vector<std::string> inputs;  ///< types and shapes as far as the graph knows them: "float32 [batch, 3, ?]"
};

Refusal refusal_of(const Graph& graph, const Node& node, std::int64_t opset, std::string reason);

/// "relu1 (Relu, opset 13, inputs float32 [batch, 8]): no gradient"; the reason alone where no node is meant.
std::string describe(const Refusal& refusal);
/// All of them in one line.
std::string describe(const std::vector<Refusal>& refusals);

/// Throws Error(kUnsupported) naming the node, its operator set and what it was given.
[[noreturn]] void refuse(const InferContext& ctx, const std::string& problem, const std::string& expected = {},
                         const std::string& got = {});
[[noreturn]] void refuse(const Graph& graph, const Node& node, std::int64_t opset, const std::string& problem);
[[noreturn]] void refuse(const EvaluateContext& ctx, const std::string& problem, const std::string& expected = {},
                         const std::string& got = {});

}  // namespace pare::ir
