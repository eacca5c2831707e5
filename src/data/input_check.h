// Does the data fit what the model wants? Every mismatch is an error that says what would fix it.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace pare::data {

/// Checks one prepared image (uint8 H×W×C) against the model's inputs; returns the input that images feed (name "" and
/// any shape when `inputs` is empty). `where` names the image in messages. Throws Error(kBadInput).
InputSpec check_image(const Tensor& image, const Preprocess& preprocess, const std::vector<InputSpec>& inputs,
                      const std::string& where);

/// "3x224x?" of an input or output without its batch axis; "scalar" when that was all.
std::string sample_text(const Dims& dims);

/// True when a sample of these dimensions (no batch axis) fits the input.
bool fits(const Dims& sample, const InputSpec& input);

/// Checks one sample of arrays; names absent arrays, wrong shapes and types that do not convert. Throws
/// Error(kBadInput).
void check_arrays(const Sample& sample, const std::vector<InputSpec>& inputs, const std::string& where);

}  // namespace pare::data
