// ir::Model → ModelProto. Large tensor data stays where it is: the message names it by cut_segment (cut.h) or by its
// place in the external data file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/model.h"
#include "onnx/cut.h"
#include "onnx/pare_onnx.pb.h"

namespace pare::onnx {

/// A piece of the external data file.
struct ExternalPiece {
  std::uint64_t offset;
  std::string_view bytes;
};

class Exporter {
 public:
  /// `external_file`: name of the data file that initializers go to; empty: they stay in the model. Raw data of at
  /// least `cut_bytes` stays outside the message.
  explicit Exporter(const ir::Model& model, std::string external_file = {}, std::size_t cut_bytes = kCutBytes);

  /// The file's bytes; views into the model's tensors.
  Rope rope() const;
  /// The message without the data that stays outside, and that data by cut_segment.
  std::string message() const { return proto_.SerializePartialAsString(); }
  const std::vector<Tensor>& cut_tensors() const noexcept { return cut_tensors_; }
  const std::vector<ExternalPiece>& external() const noexcept { return external_; }

 private:
  void write_model();
  void write_function(const ir::Function& function, FunctionProto& proto);
  void write_graph(const ir::Graph& graph, GraphProto& proto, bool top);
  void write_node(const ir::Graph& graph, const ir::Node& node, NodeProto& proto);
  void write_attribute(const ir::Attribute& attribute, const std::string& name, AttributeProto& proto);
  void write_attribute_value(const ir::Attribute& attribute, AttributeProto& proto);
  void write_initializer(const ir::Value& value, TensorProto& proto);
  void write_tensor(const Tensor& tensor, TensorProto& proto);
  void place_external(std::string_view bytes, TensorProto& proto);

  const ir::Model& model_;
  std::string external_file_;
  std::size_t cut_bytes_;
  ModelProto proto_;
  std::vector<std::string_view> segments_;
  std::vector<Tensor> cut_tensors_;
  std::vector<ExternalPiece> external_;
  std::uint64_t external_size_ = 0;
};

}  // namespace pare::onnx
