#include "ir/sparsity.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "pare/error.h"

namespace pare::ir {

namespace {

/// "8<separator>64" as two numbers from 1 to 999; nullopt for anything else.
std::optional<std::pair<int, int>> two_numbers(const std::string& text, char separator) {
  const std::vector<std::string> parts = split(text, separator);
  if (parts.size() != 2) return std::nullopt;
  for (const std::string& part : parts)
    if (part.empty() || part.size() > 3 || part[0] == '0' ||
        !std::all_of(part.begin(), part.end(), [](unsigned char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
  return std::pair(std::stoi(parts[0]), std::stoi(parts[1]));
}

}  // namespace

SparsityPattern SparsityPattern::parse(const std::string& text) {
  if (text == "unstructured") return {};
  if (const auto balanced = two_numbers(text, ':'); balanced && balanced->first < balanced->second)
    return {.kind = Kind::kBalanced, .q = balanced->first, .group = balanced->second};
  if (const auto blocks = two_numbers(text, 'x'); blocks && blocks->first * blocks->second > 1)
    return {.kind = Kind::kBlocks, .block_outputs = blocks->first, .block_inputs = blocks->second};
  throw Error(ErrorCode::kUsage, "pattern", "unknown sparsity pattern",
              "'unstructured', N:M with N < M (8:64, 2:4: keeps N of M input channels) or RxC (1x4: output by input "
              "channels that are zero together)",
              text);
}

std::string SparsityPattern::to_string() const {
  switch (kind) {
    case Kind::kUnstructured:
      return "unstructured";
    case Kind::kBalanced:
      return std::to_string(q) + ":" + std::to_string(group);
    case Kind::kBlocks:
      break;
  }
  return std::to_string(block_outputs) + "x" + std::to_string(block_inputs);
}

std::optional<double> SparsityPattern::fixed_sparsity() const {
  if (kind != Kind::kBalanced) return std::nullopt;
  return 1.0 - static_cast<double>(q) / group;
}

int SparsityPattern::survivors(std::int64_t group_size) const {
  if (kind != Kind::kBalanced) return static_cast<int>(group_size);
  return static_cast<int>((group_size * q + group - 1) / group);
}

namespace {

/// The initializer behind an input slot: itself, or the data of a DequantizeLinear.
ValueId stored_weight(const Graph& graph, ValueId id) {
  if (id == kNoValue) return kNoValue;
  if (graph.value(id).constant) return id;
  const NodeId producer = graph.producer(id);
  if (producer == kNoNode || !graph.node(producer).is("DequantizeLinear")) return kNoValue;
  const ValueId data = graph.node(producer).input(0);
  return data != kNoValue && graph.value(data).constant ? data : kNoValue;
}

WeightView matrix_view(const Dims& dims, bool outputs_first) {
  if (outputs_first) return {.outputs = dims[0], .inputs = dims[1], .output_stride = dims[1], .input_stride = 1};
  return {.outputs = dims[1], .inputs = dims[0], .output_stride = 1, .input_stride = dims[1]};
}

WeightView convolution_view(const Dims& dims) {
  std::int64_t taps = 1;
  for (std::size_t i = 2; i < dims.size(); ++i) taps *= dims[i];
  return {.outputs = dims[0],
          .taps = taps,
          .inputs = dims[1],
          .output_stride = dims[1] * taps,
          .tap_stride = 1,
          .input_stride = taps};
}

/// Reads "is zero" of an element whatever the type. Integer weights are symmetric here: stored 0 means 0.
class ZeroTest {
 public:
  explicit ZeroTest(const Tensor& tensor) : width_(bits(tensor.dtype())), data_(tensor.raw()) {
    if (width_ == 0 || width_ > 64)
      throw Error(ErrorCode::kUnsupported, "sparsity", "element type has no zero to look for",
                  "2 to 64 bits an element", std::string(name(tensor.dtype())));
    // −0.0 is a zero too: mask the sign bit of floats away.
    mask_ = width_ == 64 ? ~0ull : (1ull << width_) - 1;
    if (is_float(tensor.dtype())) mask_ >>= 1;
  }
  bool operator()(std::int64_t index) const noexcept {
    std::uint64_t value = 0;
    if (width_ < 8) {
      const std::int64_t bit = index * width_;
      value = std::to_integer<std::uint64_t>(data_[bit / 8]) >> (bit % 8);
    } else {
      std::memcpy(&value, data_ + index * (width_ / 8), static_cast<std::size_t>(width_ / 8));
    }
    return (value & mask_) == 0;
  }

 private:
  int width_;
  const std::byte* data_;
  std::uint64_t mask_ = 0;
};

/// Calls visit(group size, survivors) for every group of up to 64 inputs of a tap and output; stops when it returns
/// false.
template <class F>
bool for_each_group(const Tensor& tensor, const WeightView& view, std::int64_t group, F visit) {
  const ZeroTest is_zero(tensor);
  for (std::int64_t o = 0; o < view.outputs; ++o)
    for (std::int64_t t = 0; t < view.taps; ++t)
      for (std::int64_t begin = 0; begin < view.inputs; begin += group) {
        const std::int64_t end = std::min(begin + group, view.inputs);
        std::int64_t survivors = 0;
        for (std::int64_t i = begin; i < end; ++i) survivors += is_zero(view.index(o, t, i)) ? 0 : 1;
        if (!visit(end - begin, survivors)) return false;
      }
  return true;
}

}  // namespace

std::optional<WeightRef> find_weight(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const bool convolution = node.is("Conv") || node.is("ConvInteger");
  if (!convolution && !node.is("Gemm") && !node.is("MatMul") && !node.is("MatMulInteger")) return std::nullopt;
  const ValueId weight = stored_weight(graph, node.input(1));
  if (weight == kNoValue) return std::nullopt;
  const Dims& dims = graph.value(weight).constant->dims();
  if (convolution) {
    if (dims.size() < 3) return std::nullopt;
    return WeightRef{weight, convolution_view(dims), 0};
  }
  if (dims.size() != 2) return std::nullopt;
  const bool outputs_first = node.is("Gemm") && node.int_or("transB", 0) != 0;
  return WeightRef{weight, matrix_view(dims, outputs_first), outputs_first ? 0 : 1};
}

double sparsity(const Tensor& tensor) {
  if (tensor.numel() == 0) return 0;
  const ZeroTest is_zero(tensor);
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < tensor.numel(); ++i) zeros += is_zero(i) ? 1 : 0;
  return static_cast<double>(zeros) / static_cast<double>(tensor.numel());
}

bool has_pattern(const Tensor& tensor, const WeightView& view, const SparsityPattern& pattern) {
  if (pattern.kind == SparsityPattern::Kind::kUnstructured) return true;
  if (pattern.kind == SparsityPattern::Kind::kBlocks) {
    const ZeroTest is_zero(tensor);
    const BlockGrid grid(view, pattern);
    for (std::int64_t block = 0; block < grid.size(); ++block) {
      std::int64_t zeros = 0, all = 0;
      grid.for_each(block, [&](std::int64_t at) {
        zeros += is_zero(at) ? 1 : 0;
        ++all;
      });
      if (zeros != 0 && zeros != all) return false;
    }
    return true;
  }
  return for_each_group(tensor, view, pattern.group, [&](std::int64_t size, std::int64_t survivors) {
    return survivors <= pattern.survivors(size);
  });
}

std::optional<SparsityPattern> detect_balanced(const Tensor& tensor, const WeightView& view) {
  constexpr double kFilled = 0.75;
  SparsityPattern pattern{.kind = SparsityPattern::Kind::kBalanced, .q = 1};
  std::int64_t all = 0;
  std::map<std::int64_t, std::int64_t> groups;  // by size, those that are not empty: whole rows may have gone
  // A group of n with s survivors obeys q:64 when s ≤ ceil(q·n/64), that is q > 64·(s − 1)/n.
  const bool sparse = for_each_group(tensor, view, pattern.group, [&](std::int64_t size, std::int64_t survivors) {
    if (survivors == 0) return true;
    pattern.q = std::max(pattern.q, static_cast<int>(pattern.group * (survivors - 1) / size) + 1);
    all += survivors;
    ++groups[size];
    return pattern.q <= 32;
  });
  // One input channel a group (depthwise) obeys every q as soon as it is not empty: no pattern to speak of.
  if (!sparse || view.inputs < 4) return std::nullopt;
  std::int64_t allowed = 0;
  for (const auto& [size, count] : groups) allowed += count * pattern.survivors(size);
  if (static_cast<double>(all) < kFilled * static_cast<double>(allowed)) return std::nullopt;
  return pattern;
}

}  // namespace pare::ir
