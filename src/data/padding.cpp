#include "data/padding.h"

#include <cstring>

namespace pare::data {

void fill_up(NamedTensors& inputs, std::int64_t rows, std::int64_t batch) {
  if (rows <= 0 || rows >= batch) return;
  for (auto& [name, tensor] : inputs) {
    if (tensor.rank() == 0 || tensor.dim(0) != rows) continue;
    Dims dims = tensor.dims();
    dims[0] = batch;
    Tensor whole(tensor.dtype(), std::move(dims));
    const std::size_t row = tensor.bytes() / static_cast<std::size_t>(rows);
    std::byte* out = whole.mutable_raw();
    std::memcpy(out, tensor.raw(), tensor.bytes());
    for (std::int64_t i = rows; i < batch; ++i)
      std::memcpy(out + static_cast<std::size_t>(i) * row, tensor.raw() + tensor.bytes() - row, row);
    tensor = std::move(whole);
  }
}

Tensor first_rows(const Tensor& tensor, std::int64_t rows, std::int64_t batch) {
  if (rows >= batch || tensor.rank() == 0 || tensor.dim(0) != batch) return tensor;
  Dims dims = tensor.dims();
  const std::size_t row = tensor.bytes() / static_cast<std::size_t>(dims[0]);
  dims[0] = rows;
  Tensor head(tensor.dtype(), std::move(dims));
  std::memcpy(head.mutable_raw(), tensor.raw(), static_cast<std::size_t>(rows) * row);
  return head;
}

}  // namespace pare::data
