// Where and in which precision training runs.
#pragma once

#include <string>

#include "train/torch_headers.h"

namespace pare::train {

/// "cpu", "cuda", "cuda:1". Throws Error(kUsage) for other texts, Error(kUnsupported) when the device is absent.
at::Device find_device(const std::string& name);

/// Does `precision` ("f32", "bf16", "auto") mean bf16 autocast on this device? auto: where the device computes bf16
/// faster, that is on GPUs and on CPUs with AVX512_BF16. Throws Error(kUsage) for other texts.
bool uses_bf16(const std::string& precision, at::Device device);

/// A random generator of its own for the device.
at::Generator make_generator(at::Device device, std::uint64_t seed);

}  // namespace pare::train
