// AttributeProto.type, and which alternative of ir::AttributeValue holds it.
#pragma once

#include <cstdint>

namespace pare::onnx {

enum class AttributeKind : std::int32_t {
  kUndefined = 0,
  kFloat = 1,
  kInt = 2,
  kString = 3,
  kTensor = 4,
  kGraph = 5,
  kFloats = 6,
  kInts = 7,
  kStrings = 8,
  kTensors = 9,
  kGraphs = 10,
};

}  // namespace pare::onnx
