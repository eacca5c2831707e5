// jpeg and png files as pixels.
#pragma once

#include <filesystem>

#include "pare/tensor.h"

namespace pare::data {

/// Decodes to uint8 H×W×3 (RGB; gray is repeated, alpha dropped, orientation tags ignored), by the content's first
/// bytes, not by the file's name. Throws Error(kBadInput) naming the file when it is missing, truncated or neither jpeg
/// nor png.
Tensor read_image(const std::filesystem::path& path);

/// True for .jpg, .jpeg and .png in any case.
bool has_image_extension(const std::filesystem::path& path);

}  // namespace pare::data
