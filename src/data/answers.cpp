#include "data/answers.h"

#include <cmath>

#include "base/float16.h"
#include "pare/error.h"

namespace pare::data {

namespace {

std::string described(const Tensor& array) {
  return std::string(pare::name(array.dtype())) + " " + to_string(array.dims());
}

}  // namespace

void Answers::require_count(const std::string& name, std::int64_t samples, const std::string& what) const {
  const bool regression = targets.defined();
  if (!labelled && !regression) return;
  const std::string kind = regression ? "targets" : "labels";
  const std::int64_t count = regression ? targets.dim(0) : static_cast<std::int64_t>(labels.size());
  if (count == samples) return;
  throw Error(ErrorCode::kBadInput, name, "the numbers of " + what + " and " + kind + " differ",
              std::to_string(samples) + " " + kind, std::to_string(count));
}

Answers as_labels(const std::string& name, const Tensor& array) {
  const bool column = array.rank() == 1 || (array.rank() == 2 && array.dim(1) == 1);
  if (!is_integer(array.dtype()) || !column) {
    const std::string hint = is_float(array.dtype()) ? "; the numbers of a regression belong under targets" : "";
    throw Error(ErrorCode::kBadInput, name, "does not hold labels" + hint, "a one-dimensional array of integers",
                described(array));
  }
  const Tensor wide = cast(array, DType::kInt64);
  const auto values = wide.data<std::int64_t>();
  return {{values.begin(), values.end()}, true, {}};
}

Answers as_targets(const std::string& name, const Tensor& array) {
  if (array.rank() < 1 || array.numel() == 0 || !(is_float(array.dtype()) || is_integer(array.dtype()))) {
    throw Error(ErrorCode::kBadInput, name, "does not hold targets", "an array of numbers, one row a sample",
                described(array));
  }
  Answers answers{{}, false, cast(array, DType::kFloat32)};
  const auto values = answers.targets.data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    const std::int64_t row = answers.targets.numel() / answers.targets.dim(0);
    throw Error(ErrorCode::kBadInput, name, "holds a target that is not finite", "",
                std::to_string(values[i]) + " in sample " + std::to_string(static_cast<std::int64_t>(i) / row));
  }
  return answers;
}

}  // namespace pare::data
