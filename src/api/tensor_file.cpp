#include "pare/tensor_file.h"

#include "base/file.h"
#include "data/npy.h"

namespace pare {

Tensor read_npy(const std::string& path) { return data::read_npy(path); }

NamedTensors read_npz(const std::string& path) { return data::read_npz(path); }

void write_npz(const std::string& path, const NamedTensors& tensors, bool force) {
  refuse_to_overwrite(path, force);
  data::write_npz(path, tensors);
}

}  // namespace pare
