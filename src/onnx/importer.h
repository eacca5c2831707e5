// ModelProto → ir::Model.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

#include "ir/model.h"
#include "onnx/pare_onnx.pb.h"
#include "onnx/tensor_reader.h"

namespace pare::onnx {

inline constexpr std::int64_t kOldestIr = 3, kNewestIr = 14, kOldestOpset = 1, kNewestOpset = 28;

/// "ai.onnx" is another spelling of the default domain.
inline std::string normal_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

class Importer {
 public:
  Importer(std::string file, TensorReader& tensors) : file_(std::move(file)), tensors_(tensors) {}

  /// Takes the message apart. Errors: those of read_model().
  ir::Model model(ModelProto& proto);

 private:
  /// Says which part of the file an error is about; called for an error alone.
  using Who = std::function<std::string()>;
  using Opsets = std::map<std::string, std::int64_t>;
  /// The graphs around the one being built, innermost first.
  struct Scope {
    const ir::Graph& graph;
    const Scope* outer;
    bool has(const std::string& name) const {
      return graph.find_value(name) != ir::kNoValue || (outer && outer->has(name));
    }
  };
  /// A graph under construction.
  struct Build {
    ir::Graph& graph;
    const Scope* outer;
    const Opsets& opsets;
    std::unordered_set<std::string_view> reserved;  ///< node names that the file gives
    std::map<std::string, int> last_made;  ///< counters of made-up node names
  };

  Opsets opsets(const google::protobuf::RepeatedPtrField<OperatorSetIdProto>& imports, const std::string& who) const;
  ir::Function function(FunctionProto& proto);

  ir::Graph graph(const GraphProto& proto, const Scope* outer, const Opsets& opsets);
  void add_inputs(const GraphProto& proto, Build& build);
  void add_initializers(const GraphProto& proto, Build& build);
  void add_node_outputs(const GraphProto& proto, Build& build);
  void apply_value_infos(const GraphProto& proto, Build& build);
  void add_outputs(const GraphProto& proto, Build& build);
  void add_node(const NodeProto& proto, int index, Build& build);
  ir::ValueId find_or_capture(const std::string& name, Build& build, const Who& reader);
  void declare(const ValueInfoProto& info, ir::Value& value);
  static std::string node_name(const NodeProto& proto, Build& build, bool& made_up);

  ir::Attributes attributes(const google::protobuf::RepeatedPtrField<AttributeProto>& protos, const Who& who,
                            const Scope* scope, const Opsets& opsets);
  ir::Attribute attribute(const AttributeProto& proto, const Who& who, const Scope* scope, const Opsets& opsets);
  ir::AttributeValue attribute_value(const AttributeProto& proto, int kind, const Who& who, const Scope* scope,
                                     const Opsets& opsets);

  std::string at(const std::string& what) const { return file_ + ": " + what; }

  std::string file_;
  TensorReader& tensors_;
  std::set<std::string> function_domains_;
};

}  // namespace pare::onnx
