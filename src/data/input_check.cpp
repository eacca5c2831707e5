#include "data/input_check.h"

#include <algorithm>

#include "base/text.h"
#include "data/preprocess.h"
#include "pare/error.h"

namespace pare::data {

namespace {

bool same(std::int64_t wanted, std::int64_t got) { return wanted < 0 || wanted == got; }

struct Wanted {
  std::int64_t channels, height, width;
};

// The layout that the channel axis of a rank-4 input gives away: 1 or 3 channels sit first or last.
std::string layout_of(const InputSpec& input, const std::string& fallback) {
  const auto is_channels = [](std::int64_t dim) { return dim == 1 || dim == 3; };
  const bool first = is_channels(input.dims[1]), last = is_channels(input.dims[3]);
  if (first == last) return fallback;
  return first ? "NCHW" : "NHWC";
}

Wanted wanted_of(const InputSpec& input, const std::string& layout) {
  if (layout == "NHWC") return {input.dims[3], input.dims[1], input.dims[2]};
  return {input.dims[1], input.dims[2], input.dims[3]};
}

// The settings of `preprocess` that would turn such images into what the model wants.
std::string advice(const Tensor& image, const Preprocess& preprocess, const InputSpec& input,
                   const std::string& layout) {
  const Wanted wanted = wanted_of(input, layout);
  std::vector<std::string> steps;
  if (layout != preprocess.layout) steps.push_back("layout: " + layout);
  if (!same(wanted.channels, image.dim(2))) {
    if (wanted.channels != 1 && wanted.channels != 3) return "";
    steps.push_back(wanted.channels == 3 ? "color: rgb" : "color: gray");
  }
  if (!same(wanted.height, image.dim(0)) || !same(wanted.width, image.dim(1))) {
    const std::int64_t height = wanted.height < 0 ? image.dim(0) : wanted.height;
    const std::int64_t width = wanted.width < 0 ? image.dim(1) : wanted.width;
    steps.push_back("resize: [" + std::to_string(height) + ", " + std::to_string(width) + "]");
  }
  return steps.empty() ? "" : "; preprocess: {" + join(steps, ", ") + "} would make it fit";
}

void check_image_dtype(const InputSpec& input, const Preprocess& preprocess) {
  if (input.dtype == DType::kUint8) {
    if (preprocess.scale != 1 || !preprocess.mean.empty() || !preprocess.std.empty()) {
      throw Error(ErrorCode::kBadInput, "input '" + input.name + "'",
                  "takes uint8 pixels, so preprocess must not have scale, mean or std");
    }
  } else if (!is_float(input.dtype) || bits(input.dtype) < 16) {
    throw Error(ErrorCode::kBadInput, "input '" + input.name + "'", "cannot be fed with images",
                "a float or uint8 input", std::string(name(input.dtype)));
  }
}

bool converts(DType from, DType to) {
  if (from == to) return true;
  return (is_float(from) && is_float(to)) || (is_integer(from) && is_integer(to));
}

std::string names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return join(names, ", ");
}

}  // namespace

std::string sample_text(const Dims& dims) {
  std::string text;
  for (std::size_t i = 1; i < dims.size(); ++i) {
    if (i > 1) text += 'x';
    text += dims[i] < 0 ? "?" : std::to_string(dims[i]);
  }
  return text.empty() ? "scalar" : text;
}

bool fits(const Dims& sample, const InputSpec& input) {
  if (input.dims.empty()) return true;
  if (sample.size() + 1 != input.dims.size()) return false;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    if (!same(input.dims[i + 1], sample[i])) return false;
  }
  return true;
}

InputSpec check_image(const Tensor& image, const Preprocess& preprocess, const std::vector<InputSpec>& inputs,
                      const std::string& where) {
  if (inputs.empty()) return {};
  if (inputs.size() > 1) {
    std::vector<std::string> names;
    for (const InputSpec& input : inputs) names.push_back(input.name);
    throw Error(ErrorCode::kBadInput, where, "images feed models of one input; give all inputs as arrays (format: npz)",
                "inputs " + join(names, ", "), "images");
  }
  const InputSpec& input = inputs.front();
  check_image_dtype(input, preprocess);
  if (fits(delivered_dims(image, preprocess), input)) return input;
  const std::string got = to_string(image.dims());
  if (input.dims.size() != 4) {
    throw Error(ErrorCode::kBadInput, where, "model input '" + input.name + "' is not an image",
                sample_text(input.dims), "image " + got + " (height x width x channels)");
  }
  const std::string layout = layout_of(input, preprocess.layout);
  throw Error(ErrorCode::kBadInput, where,
              "model wants image " + sample_text(input.dims) + " (" + layout + "), data has " + got +
                  " (height x width x channels)" + advice(image, preprocess, input, layout));
}

void check_arrays(const Sample& sample, const std::vector<InputSpec>& inputs, const std::string& where) {
  for (const InputSpec& input : inputs) {
    auto found = sample.inputs.find(input.name);
    if (found == sample.inputs.end() && inputs.size() == 1 && sample.inputs.size() == 1) found = sample.inputs.find("");
    if (found == sample.inputs.end()) {
      throw Error(ErrorCode::kBadInput, where, "has no array for the model's input '" + input.name + "'", "",
                  names_of(sample.inputs));
    }
    const Tensor& array = found->second;
    const std::string what = where + " array '" + input.name + "'";
    if (!fits(array.dims(), input)) {
      throw Error(ErrorCode::kBadInput, what, "has another shape than the model's input (without the batch axis)",
                  sample_text(input.dims), to_string(array.dims()));
    }
    if (!converts(array.dtype(), input.dtype)) {
      throw Error(ErrorCode::kBadInput, what, "has another element type than the model's input",
                  std::string(name(input.dtype)), std::string(name(array.dtype())));
    }
  }
}

}  // namespace pare::data
