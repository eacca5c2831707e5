#include "data/array_source.h"

#include <cmath>
#include <utility>

#include "base/float16.h"
#include "pare/error.h"

namespace pare::data {

namespace {

std::string array_name(const std::string& file, const std::string& name) {
  return name.empty() ? file : file + " array '" + name + "'";
}

// Index of the first element that is not finite, or −1.
std::int64_t first_not_finite(const Tensor& array) {
  if (!is_float(array.dtype())) return -1;
  if (array.dtype() == DType::kFloat32) {
    const auto values = array.data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) return static_cast<std::int64_t>(i);
    }
    return -1;
  }
  for (std::int64_t i = 0; i < array.numel(); ++i) {
    if (!std::isfinite(element_as_double(array, i))) return i;
  }
  return -1;
}

}  // namespace

Arrays::Arrays(std::string name, NamedTensors arrays, Answers answers, std::vector<std::filesystem::path> files)
    : name_(std::move(name)), answers_(std::move(answers)), files_(std::move(files)) {
  if (arrays.empty()) throw Error(ErrorCode::kBadInput, name_, "holds no input arrays");
  std::string first;
  for (const auto& [key, array] : arrays) {
    if (array.rank() == 0 || array.numel() == 0) {
      throw Error(ErrorCode::kBadInput, array_name(name_, key), "holds no samples", "a first axis of samples",
                  to_string(array.dims()));
    }
    if (rows_ == 0) {
      rows_ = array.dim(0);
      first = key;
    } else if (array.dim(0) != rows_) {
      throw Error(ErrorCode::kBadInput, array_name(name_, key),
                  "has another number of samples than array '" + first + "'", std::to_string(rows_),
                  std::to_string(array.dim(0)));
    }
    const std::int64_t bad = first_not_finite(array);
    if (bad >= 0) {
      throw Error(ErrorCode::kBadInput, array_name(name_, key), "holds a value that is not finite", "",
                  std::to_string(element_as_double(array, bad)) + " in sample " +
                      std::to_string(bad / (array.numel() / rows_)));
    }
  }
  answers_.require_count(name_, rows_, "samples");
  arrays_ = std::make_shared<const NamedTensors>(std::move(arrays));
}

Sample Arrays::read(std::int64_t index) const {
  Sample sample;
  for (const auto& [key, array] : *arrays_) {
    const std::size_t row = array.bytes() / static_cast<std::size_t>(rows_);
    sample.inputs.emplace(key, Tensor::view(array.dtype(), Dims(array.dims().begin() + 1, array.dims().end()),
                                            array.raw() + static_cast<std::size_t>(index) * row, arrays_));
  }
  sample.label = label(index);
  return sample;
}

}  // namespace pare::data
