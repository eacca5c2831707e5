// A partial batch for a model that takes only whole ones.
#pragma once

#include <cstdint>

#include "pare/tensor.h"

namespace pare::data {

/// Repeats the last of `rows` samples until every input that has so many rows has `batch` of them.
void fill_up(NamedTensors& inputs, std::int64_t rows, std::int64_t batch);

/// The first `rows` of a tensor [batch, …]; any other tensor as it is.
Tensor first_rows(const Tensor& tensor, std::int64_t rows, std::int64_t batch);

}  // namespace pare::data
