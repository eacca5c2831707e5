// A model: a graph, the operator sets it is written in, and its history.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace pare::ir {

/// A local function of the file (ModelProto.functions).
struct Function {
  std::string domain, name, overload;
  std::vector<std::string> attributes;  ///< required attribute names
  Attributes attribute_defaults;
  std::map<std::string, std::int64_t> opsets;
  std::shared_ptr<Graph> body;  ///< its inputs and outputs are the function's
  Baggage baggage;
};

struct Model {
  Graph graph;
  std::int64_t ir_version = 8;
  std::map<std::string, std::int64_t> opsets = {{"", 17}};  ///< by domain; "" is ai.onnx
  std::string producer_name, producer_version, domain;
  std::int64_t model_version = 0;
  std::vector<Function> functions;
  Baggage baggage;  ///< metadata holds provenance under "pare.provenance" (JSON)

  std::int64_t opset(const std::string& domain = "") const;  ///< 0 when the domain is not imported
};

}  // namespace pare::ir
