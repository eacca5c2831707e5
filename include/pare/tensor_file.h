// Tensors in NumPy's files (format: numpy.lib.format, versions 1 to 3).
#pragma once

#include <string>

#include "pare/tensor.h"

namespace pare {

/// One array. Throws Error(kBadInput) when the file is missing, damaged, big-endian or of a type that ONNX lacks.
Tensor read_npy(const std::string& path);
/// All arrays of an archive by name. Errors as read_npy.
NamedTensors read_npz(const std::string& path);
/// Writes an archive, whole or not at all. Throws Error(kUsage) when `path` exists and `force` is false, Error(kIo).
void write_npz(const std::string& path, const NamedTensors& tensors, bool force = false);

}  // namespace pare
