// Assembly of batches (split.h).
#include <cstring>

#include "base/float16.h"
#include "data/augment.h"
#include "data/input_check.h"
#include "data/split.h"
#include "pare/error.h"

namespace pare::data {

namespace {

Dims with_batch(std::size_t batch, const Dims& sample) {
  Dims dims{static_cast<std::int64_t>(batch)};
  dims.insert(dims.end(), sample.begin(), sample.end());
  return dims;
}

// uint8 models get the pixels themselves.
void write_pixels(const Tensor& image, bool channels_first, std::uint8_t* out) {
  const std::int64_t pixels = image.dim(0) * image.dim(1), channels = image.dim(2);
  const auto* in = image.data<std::uint8_t>().data();
  if (!channels_first) {
    std::memcpy(out, in, image.bytes());
    return;
  }
  for (std::int64_t i = 0; i < pixels; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) out[c * pixels + i] = in[i * channels + c];
  }
}

Tensor prepared_image(const SplitContext& context, std::int64_t sample, std::uint64_t seed,
                      std::int64_t augment_epoch) {
  const std::string where = context.source->where(sample);
  const Sample raw = context.source->read(sample);
  Tensor image = prepare_geometry(raw.inputs.begin()->second, context.preprocess, where);
  if (!fits(delivered_dims(image, context.preprocess), context.image_input)) {
    check_image(image, context.preprocess, {context.image_input}, where);
  }
  return augment_epoch < 0 ? image : augment(image, context.augment, seed, augment_epoch, sample);
}

// An integer that the model's narrower type cannot hold would wrap silently.
void check_range(const Tensor& from, const Tensor& to, const std::string& what) {
  for (std::int64_t i = 0; i < from.numel(); ++i) {
    if (element_as_double(from, i) != element_as_double(to, i)) {
      throw Error(ErrorCode::kBadInput, what, "holds a value that the model's input type cannot",
                  std::string(name(to.dtype())), std::to_string(static_cast<std::int64_t>(element_as_double(from, i))));
    }
  }
}

const Tensor& array_for(const Sample& sample, const std::string& name) {
  const auto found = sample.inputs.find(name);
  return found != sample.inputs.end() ? found->second : sample.inputs.begin()->second;  // a lone array is keyed ""
}

}  // namespace

NamedTensors batch_images(const SplitContext& context, std::span<const std::int64_t> samples, std::uint64_t seed,
                          std::int64_t augment_epoch) {
  const bool raw = context.image_input.dtype == DType::kUint8;
  Tensor batch;
  Dims first;
  std::byte* out = nullptr;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Tensor image = prepared_image(context, samples[i], seed, augment_epoch);
    if (i == 0) {
      first = image.dims();
      batch = Tensor(raw ? DType::kUint8 : DType::kFloat32,
                     with_batch(samples.size(), delivered_dims(image, context.preprocess)));
      out = batch.mutable_raw();
    } else if (image.dims() != first) {
      throw Error(ErrorCode::kBadInput, context.source->where(samples[i]),
                  "the images of a batch differ in size; set preprocess.resize to [height, width], or resize and crop",
                  to_string(first), to_string(image.dims()));
    }
    std::byte* place = out + i * (batch.bytes() / samples.size());
    if (raw) {
      write_pixels(image, context.normalizer->channels_first(), reinterpret_cast<std::uint8_t*>(place));
    } else {
      context.normalizer->write(image, reinterpret_cast<float*>(place));
    }
  }
  NamedTensors inputs;
  inputs.emplace(context.image_input.name, cast(batch, context.image_input.dtype));
  return inputs;
}

NamedTensors batch_arrays(const SplitContext& context, std::span<const std::int64_t> samples) {
  std::vector<InputSpec> wanted = context.inputs;
  const Sample head = context.source->read(samples.front());
  if (wanted.empty()) {
    for (const auto& [name, tensor] : head.inputs) wanted.push_back({name, tensor.dtype(), {}});
  }
  std::vector<Tensor> batches;
  std::vector<std::byte*> out;
  for (const InputSpec& input : wanted) {
    const Tensor& array = array_for(head, input.name);
    batches.emplace_back(array.dtype(), with_batch(samples.size(), array.dims()));
    out.push_back(batches.back().mutable_raw());
  }
  for (const std::int64_t index : samples) {
    const Sample sample = context.source->read(index);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const Tensor& array = array_for(sample, wanted[i].name);
      if (array.bytes() > 0) std::memcpy(out[i], array.raw(), array.bytes());
      out[i] += array.bytes();
    }
  }
  NamedTensors inputs;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    Tensor converted = cast(batches[i], wanted[i].dtype);
    if (is_integer(wanted[i].dtype) && wanted[i].dtype != batches[i].dtype()) {
      check_range(batches[i], converted, context.source->where(samples.front()) + " array '" + wanted[i].name + "'");
    }
    inputs.emplace(wanted[i].name, std::move(converted));
  }
  return inputs;
}

}  // namespace pare::data
