#include "compress/quantize/layer_codebook.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/threads.h"
#include "compress/quantize/vectors.h"
#include "pare/error.h"
#include "passes/qdq.h"

namespace pare::compress {
namespace {

using Parts = std::vector<std::vector<std::size_t>>;

/// Elements of the weight by part.
Parts parts_of(const Tensor& weight, const ir::WeightRef& ref, const CodebookSpec& spec) {
  const bool whole = spec.sharing == CodebookSpec::Sharing::kTensor;
  const passes::ParamMap output(passes::QuantParams{.axis = whole ? -1 : ref.output_axis}, weight.dims());
  const auto each = static_cast<std::size_t>(spec.channels);
  Parts parts(whole ? 1 : (output.count() + each - 1) / each);
  for (std::size_t i = 0; i < static_cast<std::size_t>(weight.numel()); ++i) parts[output(i) / each].push_back(i);
  return parts;
}

/// Where the parts of output channels begin, along `axis` of a tensor of this rank.
Tensor first_of_channels(std::int64_t outputs, std::int64_t channels, std::int64_t entries, std::size_t rank,
                         std::size_t axis) {
  Dims along(rank, 1);
  along[axis] = outputs;
  std::vector<std::int32_t> first;
  for (std::int64_t o = 0; o < outputs; ++o) first.push_back(static_cast<std::int32_t>(o / channels * entries));
  return Tensor::from(along, first);
}

/// Levels of these elements, and their indices: 0 is the first, that few bytes say where pruned weights are. Returns
/// Σ(ŵ − w)².
double fill_part(std::span<const float> weights, std::span<const float> importance, const std::vector<std::size_t>& elements,
                 const CodebookSpec& spec, Rng& rng, std::span<float> codebook, std::span<std::uint8_t> indices) {
  std::vector<float> values, counts;
  bool zeros = false;
  for (const std::size_t at : elements) {
    const bool zero = spec.keep_zeros && weights[at] == 0;
    zeros |= zero;
    if (zero) continue;
    values.push_back(weights[at]);
    if (!importance.empty()) counts.push_back(importance[at]);
  }
  const std::vector<float> levels = spec.levels->choose({.weights = values,
                                                         .importance = counts,
                                                         .entries = spec.entries,
                                                         .with_zero = zeros,
                                                         .start = spec.start,
                                                         .rng = rng});
  const LevelMap map(levels, *spec.levels, values);
  const auto at_zero = static_cast<std::size_t>(std::find(levels.begin(), levels.end(), 0.0F) - levels.begin());
  const auto place = [&](std::size_t level) {
    if (at_zero == levels.size() || level > at_zero) return level;
    return level == at_zero ? 0 : level + 1;
  };
  double error = 0;
  for (const std::size_t at : elements) {
    const std::size_t level = spec.keep_zeros && weights[at] == 0 ? at_zero : map(weights[at]);
    indices[at] = static_cast<std::uint8_t>(place(level));
    error += std::pow(static_cast<double>(levels[level]) - static_cast<double>(weights[at]), 2);
  }
  std::fill(codebook.begin(), codebook.end(), levels.back());
  for (std::size_t level = 0; level < levels.size(); ++level) codebook[place(level)] = levels[level];
  return error;
}

/// The weight's elements as rows of outputs, in the order in which vectors are cut from them.
std::vector<std::size_t> output_rows(const Tensor& weight, int output_axis) {
  std::vector<std::size_t> order(static_cast<std::size_t>(weight.numel()));
  const auto outputs = static_cast<std::size_t>(weight.dim(output_axis)), columns = order.size() / outputs;
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t c = 0; c < columns; ++c) order[o * columns + c] = output_axis == 0 ? o * columns + c : c * outputs + o;
  return order;
}

std::vector<float> picked(std::span<const float> from, const std::vector<std::size_t>& order) {
  std::vector<float> out;
  if (from.empty()) return out;
  for (const std::size_t at : order) out.push_back(from[at]);
  return out;
}

struct ZeroVectors {
  bool whole = false, partly = false;
};

ZeroVectors zeros_of(std::span<const float> points, std::size_t length) {
  ZeroVectors found;
  for (std::size_t at = 0; at < points.size(); at += length) {
    const auto zeros = static_cast<std::size_t>(
        std::count(points.begin() + static_cast<std::ptrdiff_t>(at), points.begin() + static_cast<std::ptrdiff_t>(at + length), 0.0F));
    (zeros == length ? found.whole : found.partly) |= zeros > 0;
  }
  return found;
}

/// Vectors by part; a vector is `inputs` / length of its output.
Parts vector_parts(std::size_t outputs, std::size_t across, const CodebookSpec& spec) {
  const auto each = static_cast<std::size_t>(spec.channels);
  const bool by_position = spec.sharing == CodebookSpec::Sharing::kPosition;
  Parts parts(by_position ? across : spec.sharing == CodebookSpec::Sharing::kTensor ? 1 : (outputs + each - 1) / each);
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t p = 0; p < across; ++p)
      parts[by_position ? p : parts.size() == 1 ? 0 : o / each].push_back(o * across + p);
  return parts;
}

std::vector<float> vectors_at(std::span<const float> all, const std::vector<std::size_t>& at, std::size_t length) {
  std::vector<float> out;
  if (all.empty()) return out;
  for (const std::size_t vector : at)
    out.insert(out.end(), all.begin() + static_cast<std::ptrdiff_t>(vector * length),
               all.begin() + static_cast<std::ptrdiff_t>((vector + 1) * length));
  return out;
}

/// Rows of these vectors, and their indices; returns Σ(ŵ − w)².
double fill_vectors(std::span<const float> points, std::span<const float> importance, const CodebookSpec& spec, Rng& rng,
                    std::span<float> codebook, const std::function<void(std::size_t, std::uint8_t)>& put) {
  const auto length = static_cast<std::size_t>(spec.vector);
  const bool zeros = spec.keep_zeros && zeros_of(points, length).whole;
  const std::vector<float> rows = choose_vectors({.points = points,
                                                  .importance = importance,
                                                  .length = spec.vector,
                                                  .entries = spec.entries,
                                                  .with_zero = zeros,
                                                  .rng = rng});
  const std::vector<std::int32_t> nearest = nearest_vectors(points, importance, spec.vector, rows);
  double error = 0;
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const auto row = static_cast<std::size_t>(nearest[i]);
    put(i, static_cast<std::uint8_t>(row));
    for (std::size_t j = 0; j < length; ++j)
      error += std::pow(static_cast<double>(rows[row * length + j]) - static_cast<double>(points[i * length + j]), 2);
  }
  std::copy(rows.begin(), rows.end(), codebook.begin());
  return error;
}

void require_whole_vectors(const Layer& layer, const Tensor& weight, const std::vector<float>& points,
                           const CodebookSpec& spec) {
  const std::int64_t inputs = weight.numel() / weight.dim(layer.weight.output_axis);
  if (inputs % spec.vector != 0) throw not_whole_vectors(layer, inputs, spec.vector);
  if (spec.keep_zeros && zeros_of(points, static_cast<std::size_t>(spec.vector)).partly)
    throw Error(ErrorCode::kUnsupported, "node '" + layer.name + "'",
                "its zeros do not come in whole vectors, so that a codebook of vectors loses them; take vector 1, or "
                "keep_zeros: false");
}

/// Runs fill(part, its random numbers) → error for all parts at once; returns the sum.
double fill_all(std::size_t parts, Rng& rng, const std::function<double(std::size_t, Rng&)>& fill) {
  std::vector<Rng> rngs;
  for (std::size_t p = 0; p < parts; ++p) rngs.emplace_back(rng.next(), kRngMethod);
  std::vector<double> errors(parts);
  parallel_for(static_cast<std::int64_t>(parts), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto p = static_cast<std::size_t>(begin); p < static_cast<std::size_t>(end); ++p) errors[p] = fill(p, rngs[p]);
  });
  double sum = 0;
  for (const double error : errors) sum += error;
  return sum;
}

double fill_numbers(const Layer& layer, const Tensor& weight, const CodebookSpec& spec, std::span<const float> importance,
                    Rng& rng, LayerCodebook& made) {
  const Parts parts = parts_of(weight, layer.weight, spec);
  made.indices = Tensor(DType::kUint8, weight.dims());
  made.parts = static_cast<std::int64_t>(parts.size());
  made.codebook.resize(parts.size() * static_cast<std::size_t>(spec.entries));
  const int axis = layer.weight.output_axis;
  if (made.parts > 1)
    made.first = first_of_channels(weight.dim(axis), spec.channels, spec.entries, weight.dims().size(),
                                   static_cast<std::size_t>(axis));
  const auto indices = made.indices.mutable_data<std::uint8_t>();
  const auto size = static_cast<std::size_t>(spec.entries);
  return fill_all(parts.size(), rng, [&](std::size_t p, Rng& own) {
    return fill_part(weight.data<float>(), importance, parts[p], spec, own,
                     std::span(made.codebook).subspan(p * size, size), indices);
  });
}

double fill_with_vectors(const Layer& layer, const Tensor& weight, const CodebookSpec& spec,
                         std::span<const float> importance, Rng& rng, LayerCodebook& made) {
  const std::vector<std::size_t> order = output_rows(weight, layer.weight.output_axis);
  const std::vector<float> points = picked(weight.data<float>(), order), counts = picked(importance, order);
  require_whole_vectors(layer, weight, points, spec);
  const auto length = static_cast<std::size_t>(spec.vector);
  const std::int64_t outputs = weight.dim(layer.weight.output_axis), across = weight.numel() / outputs / spec.vector;
  const Parts parts = vector_parts(static_cast<std::size_t>(outputs), static_cast<std::size_t>(across), spec);
  made.indices = Tensor(DType::kUint8, {outputs, across});
  made.parts = static_cast<std::int64_t>(parts.size());
  const std::size_t size = static_cast<std::size_t>(spec.entries) * length;
  made.codebook.resize(parts.size() * size, 0.0F);
  if (made.parts > 1 && spec.sharing == CodebookSpec::Sharing::kPosition)
    made.first = first_of_channels(across, 1, spec.entries, 2, 1);
  else if (made.parts > 1)
    made.first = first_of_channels(outputs, spec.channels, spec.entries, 2, 0);
  const auto indices = made.indices.mutable_data<std::uint8_t>();
  return fill_all(parts.size(), rng, [&](std::size_t p, Rng& own) {
    return fill_vectors(vectors_at(points, parts[p], length), vectors_at(counts, parts[p], length), spec, own,
                        std::span(made.codebook).subspan(p * size, size),
                        [&](std::size_t i, std::uint8_t row) { indices[parts[p][i]] = row; });
  });
}

}  // namespace

Error not_whole_vectors(const Layer& layer, std::int64_t inputs, std::int64_t vector) {
  return Error(ErrorCode::kUnsupported, "node '" + layer.name + "'",
               "its inputs do not come in whole vectors; exclude the layer or take shorter ones",
               "a multiple of " + std::to_string(vector), std::to_string(inputs));
}

double LayerCodebook::bits() const {
  const double weights = static_cast<double>(indices.numel() * vector);
  return (static_cast<double>(indices.numel()) * pare::bits(index_type) + 32.0 * static_cast<double>(codebook.size())) /
         weights;
}

LayerCodebook make_codebook(const Layer& layer, const Tensor& weight, const CodebookSpec& spec, Rng& rng,
                            std::span<const float> importance) {
  double power = 0;
  for (float w : weight.data<float>()) power += static_cast<double>(w) * static_cast<double>(w);
  if (!std::isfinite(power))
    throw Error(ErrorCode::kBadInput, "tensor '" + layer.weight_name + "'", "holds weights that are not finite");
  LayerCodebook made{.entries = spec.entries, .vector = spec.vector};
  if (spec.entries <= kTwoBitEntries && spec.two_bits)
    made.index_type = DType::kUint2;
  else if (spec.entries <= kFourBitEntries)
    made.index_type = DType::kUint4;
  const double error = spec.vector == 1 ? fill_numbers(layer, weight, spec, importance, rng, made)
                                        : fill_with_vectors(layer, weight, spec, importance, rng, made);
  made.error = power > 0 ? error / power : 0;
  return made;
}

}  // namespace pare::compress
