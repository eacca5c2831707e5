// Numpy broadcasting reduced to the fewest axes.
#include <algorithm>
#include <vector>

#include "kernels/elementwise/elementwise.h"
#include "pare/error.h"
#include "pare/tensor.h"

namespace pare::kernels {
namespace {

struct Axis {
  std::int64_t dim, a, b;
};

/// Axes from the innermost on, with strides; axes of size 1 left out.
std::vector<Axis> broadcast(std::span<const std::int64_t> a_dims, std::span<const std::int64_t> b_dims) {
  std::vector<Axis> axes;
  std::int64_t a_stride = 1, b_stride = 1;
  for (std::size_t i = 1; i <= std::max(a_dims.size(), b_dims.size()); ++i) {
    const std::int64_t a = i <= a_dims.size() ? a_dims[a_dims.size() - i] : 1,
                       b = i <= b_dims.size() ? b_dims[b_dims.size() - i] : 1;
    if (a != b && a != 1 && b != 1) {
      throw Error(ErrorCode::kBadInput, "broadcast", "shapes do not broadcast",
                  to_string({a_dims.begin(), a_dims.end()}), to_string({b_dims.begin(), b_dims.end()}));
    }
    if (a != 1 || b != 1) axes.push_back({a == 1 ? b : a, a == 1 ? 0 : a_stride, b == 1 ? 0 : b_stride});
    a_stride *= a, b_stride *= b;
  }
  return axes;
}

/// Joins an axis with the next inner one where both operands step through them as through one.
std::vector<Axis> collapse(const std::vector<Axis>& axes) {
  std::vector<Axis> joined;
  for (const Axis& axis : axes) {
    if (!joined.empty() && axis.a == joined.back().a * joined.back().dim &&
        axis.b == joined.back().b * joined.back().dim) {
      joined.back().dim *= axis.dim;
    } else {
      joined.push_back(axis);
    }
  }
  if (joined.empty()) joined.push_back({1, 1, 1});
  return joined;
}

}  // namespace

std::int64_t BinaryShape::count() const noexcept {
  std::int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= dims[i];
  return n;
}

BinaryShape plan_binary(std::span<const std::int64_t> a_dims, std::span<const std::int64_t> b_dims) {
  const std::vector<Axis> axes = collapse(broadcast(a_dims, b_dims));
  if (axes.size() > kMaxRank) {
    throw Error(ErrorCode::kUnsupported, "broadcast", "too many axes", std::to_string(kMaxRank),
                std::to_string(axes.size()));
  }
  BinaryShape shape;
  shape.rank = static_cast<int>(axes.size());
  for (int i = 0; i < shape.rank; ++i) {
    const Axis& axis = axes[axes.size() - 1 - i];
    shape.dims[i] = axis.dim, shape.a[i] = axis.a, shape.b[i] = axis.b;
  }
  return shape;
}

}  // namespace pare::kernels
