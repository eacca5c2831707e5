// TypeProto ↔ element type and shape of a value.
#pragma once

#include <string>

#include "ir/graph.h"
#include "onnx/pare_onnx.pb.h"

namespace pare::onnx {

/// Sets dtype, shape, opaque_type and type_annotations. Error(kBadInput) with `subject` on an unknown element type or a
/// negative dimension (but −1, which exporters write for "unknown").
void read_type(const TypeProto& type, ir::Value& value, const std::string& subject);
/// Nothing is written when nothing is known.
void write_type(const ir::Value& value, ValueInfoProto& info);

}  // namespace pare::onnx
