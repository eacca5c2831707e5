// Node attributes: the kinds of ONNX AttributeProto.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "pare/tensor.h"

namespace pare::ir {

class Graph;

using AttributeValue = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>,
                                    std::vector<std::string>, Tensor, std::vector<Tensor>, std::shared_ptr<Graph>,
                                    std::vector<std::shared_ptr<Graph>>>;

struct Attribute {
  AttributeValue value;
  /// In a function body: the name of the function's attribute that supplies the value (`value` is then meaningless).
  std::string reference;
  std::string doc;
  /// The serialized AttributeProto when its kind is none of the above (sparse tensors, type protos): kept, not
  /// understood.
  std::string opaque;
  std::string unknown_fields;  ///< wire bytes of fields that Pare does not know
  /// One a tensor of `value` when any has them: its name, documentation and metadata as a serialized TensorProto.
  std::vector<std::string> tensor_annotations;
};

/// Ordered by name, as attributes carry no order.
using Attributes = std::map<std::string, Attribute>;

}  // namespace pare::ir
