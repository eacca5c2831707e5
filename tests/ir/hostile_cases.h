// Indices, sizes and shapes that come as data and make no sense: what the scalar reference and the runtime must refuse.
#pragma once

#include <cmath>
#include <limits>

#include "ir/op_case.h"
#include "pare/error.h"

namespace pare::testing {

inline Tensor floats(Dims dims, float value = 1) {
  return Tensor::from<float>(dims, std::vector<float>(static_cast<std::size_t>(element_count(dims)), value));
}
inline Tensor ints(Dims dims, const std::vector<std::int64_t>& values) {
  return Tensor::from<std::int64_t>(std::move(dims), values);
}

/// One node on these inputs, and how it ends.
struct Hostile {
  std::string type;
  std::int64_t opset;
  std::vector<Tensor> inputs;
  std::map<std::string, ir::AttributeValue> attributes;
  ErrorCode code = ErrorCode::kBadInput;
};

constexpr std::int64_t kHuge = 1LL << 40, kMost = std::numeric_limits<std::int64_t>::max(),
                       kLeast = std::numeric_limits<std::int64_t>::min();

inline std::vector<Hostile> hostile_cases() {
  const Tensor x = floats({2, 3}), image = floats({1, 1, 4, 4});
  const std::vector<std::int64_t> two = {2, 2};
  return {
      {"Gather", 13, {x, ints({1}, {2})}, {}},
      {"Gather", 13, {x, ints({2}, {0, kLeast})}, {}},
      {"Gather", 13, {x, ints({1}, {-4})}, {{"axis", std::int64_t{1}}}},
      {"Gather", 13, {x, Tensor::from<std::int32_t>({1}, {7})}, {}},
      {"Scatter", 10, {x, ints({1, 1}, {2}), floats({1, 1})}, {}},
      {"GatherElements", 13, {x, ints({1, 1}, {kMost})}, {}},
      {"GatherND", 13, {x, ints({1, 1}, {kLeast})}, {}},
      {"ScatterND", 18, {x, ints({1, 2}, {0, kMost}), floats({1})}, {}},
      {"TopK", 11, {x, ints({1}, {kHuge})}, {}},
      {"Slice", 13, {x, ints({1}, {0}), ints({1}, {1}), ints({1}, {2})}, {}},
      {"Slice", 13, {x, ints({1}, {0}), ints({1}, {1}), ints({1}, {0}), ints({1}, {0})}, {}},
      {"Slice", 13, {x, ints({1}, {0}), ints({2}, {1, 1}), ints({1}, {0})}, {}},
      {"Split", 13, {x, ints({1}, {3})}, {}},
      {"Split", 13, {x, ints({1}, {kLeast})}, {}},
      {"Reshape", 13, {x, ints({2}, {kHuge, kHuge})}, {}},
      {"Reshape", 13, {x, ints({2}, {-1, -1})}, {}},
      {"Reshape", 13, {x, ints({1}, {-7})}, {}},
      {"Reshape", 13, {x, ints({3}, {2, 3, 0})}, {}},
      {"Squeeze", 13, {x, ints({1}, {0})}, {}},
      {"Squeeze", 13, {x, ints({1}, {kHuge})}, {}},
      {"Unsqueeze", 13, {x, ints({1}, {9})}, {}},
      {"Unsqueeze", 13, {x, ints({2}, {0, 0})}, {}},
      {"ReduceSum", 13, {x, ints({1}, {2})}, {}},
      {"ReduceMax", 18, {x, ints({1}, {kLeast})}, {}},
      {"Tile", 13, {x, ints({2}, {kMost, kMost})}, {}},
      {"Tile", 13, {x, ints({2}, {kHuge / 4, kHuge})}, {}, ErrorCode::kMemory},
      {"Tile", 13, {x, ints({1}, {1})}, {}},
      {"OneHot", 11, {ints({1}, {0}), ints({}, {kMost}), floats({2})}, {}},
      {"Expand", 13, {x, ints({2}, {4, 3})}, {}},
      {"Expand", 13, {x, ints({2}, {-1, 3})}, {}},
      {"Expand", 13, {floats({1}), ints({3}, {kMost, kMost, kMost})}, {}, ErrorCode::kMemory},
      {"ConstantOfShape", 9, {ints({3}, {kMost, kMost, 2})}, {}, ErrorCode::kMemory},
      {"Range", 11, {ints({}, {kLeast}), ints({}, {kMost}), ints({}, {1})}, {}, ErrorCode::kMemory},
      {"Range", 11, {ints({}, {0}), ints({}, {5}), ints({}, {0})}, {}},
      {"Range", 11, {floats({}, 0), floats({}, INFINITY), floats({}, 1)}, {}},
      {"Range", 11, {floats({}, 0), floats({}, 1), floats({}, 1e-30F)}, {}},
      {"Range", 11, {floats({}, 0), floats({}, NAN), floats({}, 1)}, {}},
      {"Pad", 13, {x, ints({4}, {0, kMost, 0, kMost})}, {}},
      {"Pad", 13, {x, ints({4}, {kLeast, 0, kLeast, 0})}, {}},
      {"Pad", 13, {x, ints({4}, {kHuge, kHuge, 0, 0})}, {{"mode", std::string("edge")}}, ErrorCode::kMemory},
      {"Pad", 13, {x, ints({3}, {0, 0, 0})}, {}},
      {"Resize", 13, {image, Tensor(), floats({4}, 1e9F)}, {}},
      {"Resize", 13, {image, Tensor(), floats({4}, NAN)}, {}},
      {"Resize", 13, {image, Tensor(), floats({4}, 1e8F)}, {}, ErrorCode::kMemory},
      {"Resize", 13, {image, Tensor(), Tensor(), ints({4}, {1, 1, kMost, kMost})}, {}, ErrorCode::kMemory},
      {"Resize", 13, {image, Tensor(), Tensor(), ints({4}, {1, 1, -1, 4})}, {}},
      {"Upsample", 9, {image, floats({4}, 1e8F)}, {}, ErrorCode::kMemory},
      {"GatherElements", 13, {x, ints({1, 1}, {2})}, {}},
      {"GatherND", 13, {x, ints({1, 2}, {0, -4})}, {}},
      {"GatherND", 13, {x, ints({1, 3}, {0, 0, 0})}, {}},
      {"ScatterElements", 18, {x, ints({1, 1}, {5}), floats({1, 1})}, {}},
      {"ScatterND", 18, {x, ints({1, 1}, {2}), floats({1, 3})}, {}},
      {"ScatterND", 18, {x, ints({1, 1}, {0}), floats({2, 3})}, {}},
      {"TopK", 11, {x, ints({1}, {4})}, {}},
      {"TopK", 11, {x, ints({1}, {-1})}, {}},
      {"Compress", 11, {x, Tensor::from<bool>({3}, {false, false, true})}, {{"axis", std::int64_t{0}}}},
      {"ReverseSequence", 10, {x, ints({3}, {1, 2, 3})}, {}},
      {"Mod", 13, {ints({1}, {7}), ints({1}, {0})}, {}},
      {"CumSum", 14, {x, ints({}, {2})}, {}},
      {"Tile", 13, {x, ints({2}, {1, -1})}, {}},
      {"Tile", 13, {x, ints({2}, {kHuge, 1})}, {}, ErrorCode::kMemory},
      {"OneHot", 11, {ints({1}, {0}), ints({}, {kHuge}), x.reshaped({6})}, {}},
      {"OneHot", 11, {ints({1}, {0}), ints({}, {kHuge}), floats({2})}, {}, ErrorCode::kMemory},
      {"OneHot", 11, {ints({1}, {0}), ints({}, {-1}), floats({2})}, {}},
      {"Expand", 13, {floats({1}), ints({2}, {kHuge, kHuge})}, {}, ErrorCode::kMemory},
      {"ConstantOfShape", 9, {ints({2}, {kHuge, 1024})}, {}, ErrorCode::kMemory},
      {"ConstantOfShape", 9, {ints({1}, {-1})}, {}},
      {"Range", 11, {ints({}, {0}), ints({}, {kHuge}), ints({}, {1})}, {}, ErrorCode::kMemory},
      {"Pad", 13, {x, ints({4}, {0, kHuge, 0, 0})}, {}, ErrorCode::kMemory},
      {"Pad", 13, {x, ints({4}, {-3, 0, 0, 0})}, {}},
      {"Resize", 13, {image, Tensor(), Tensor(), ints({4}, {1, 1, kHuge, 4})}, {}, ErrorCode::kMemory},
      {"Resize", 13, {image, Tensor(), floats({4}, -1)}, {}},
      {"Resize", 13, {image, Tensor(), floats({3})}, {}},
      {"CenterCropPad", 18, {x, ints({2}, {kHuge, 3})}, {}, ErrorCode::kMemory},
      {"CenterCropPad", 18, {x, ints({2}, {-1, 3})}, {}},
      {"MaxUnpool", 11, {image, ints({1, 1, 4, 4}, std::vector<std::int64_t>(16, 1000)), {}}, {{"kernel_shape", two}}},
      {"RoiAlign", 16, {image, floats({1, 4}), ints({1}, {3})}, {}},
      {"RoiAlign", 16, {image, Tensor::from<float>({1, 4}, {0, 0, 1e30F, 1e30F}), ints({1}, {0})}, {}},
      {"MaxRoiPool", 17, {image, floats({1, 5}, 9)}, {{"pooled_shape", two}}},
      {"GridSample", 16, {image, floats({2, 1, 1, 2})}, {}},
      {"AffineGrid", 20, {floats({1, 2, 3}), ints({4}, {1, 1, kHuge, kHuge})}, {}, ErrorCode::kMemory},
      {"Col2Im", 18, {floats({1, 2, 2}), ints({1}, {3}), ints({1}, {0})}, {}},
      {"Einsum", 12, {x, floats({2, 3})}, {{"equation", std::string("ij,jk->ik")}}},
      {"Einsum", 12, {x}, {{"equation", std::string("ij->ik")}}},
      {"NonMaxSuppression", 11, {floats({1, 2, 4}), floats({1, 1, 3})}, {}},
      {"Trilu", 14, {x, ints({2}, {1, 1})}, {}},
      {"ConvTranspose", 11, {image, floats({2, 1, 3, 3})}, {}},
  };
}

}  // namespace pare::testing
