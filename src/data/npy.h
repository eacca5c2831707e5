// numpy's .npy (NEP 1, format versions 1 to 3) and .npz files.
#pragma once

#include <filesystem>

#include "pare/tensor.h"

namespace pare::data {

/// Reads one array; large ones stay mapped. Column-major arrays are transposed to row-major. Throws Error(kBadInput)
/// naming the file when it is damaged, Error(kUnsupported) for big-endian, text and object arrays.
Tensor read_npy(const std::filesystem::path& path);
/// Every array of the file by its name without ".npy".
NamedTensors read_npz(const std::filesystem::path& path);

/// Written atomically. Types that numpy lacks are written as the next wider one it has: bfloat16 and smaller floats as
/// float32, 4- and 2-bit integers as int8 or uint8. Throws Error(kUnsupported) for strings, Error(kIo).
void write_npy(const std::filesystem::path& path, const Tensor& tensor);
void write_npz(const std::filesystem::path& path, const NamedTensors& tensors);

}  // namespace pare::data
