#include "runtime/lower/exact_product.h"

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "base/float16.h"
#include "base/threads.h"
#include "kernels/qconv/qconv.h"
#include "kernels/qdepthwise/qdepthwise.h"
#include "runtime/onednn.h"

namespace pare::runtime {

namespace {

constexpr std::int64_t kExact = std::int64_t{1} << 24, kLargestInput = 255;

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

std::int32_t byte_at(const Tensor& tensor, std::int64_t index) {
  return tensor.dtype() == DType::kUint8 ? static_cast<std::int32_t>(std::to_integer<std::uint8_t>(tensor.raw()[index]))
                                         : static_cast<std::int8_t>(std::to_integer<std::uint8_t>(tensor.raw()[index]));
}

bool is_depthwise(const kernels::ConvShape& s) { return s.groups > 1 && s.groups == s.in_c && s.groups == s.out_c; }

}  // namespace

struct ExactProduct::Weight {
  struct Chunk {
    kernels::QConvWeights dense;
    std::int64_t first, rows;  ///< input channels of every group
  };
  std::vector<Chunk> chunks;  ///< none where one of the others takes all
  std::shared_ptr<const kernels::QDepthwiseWeights> depthwise;
  std::shared_ptr<const onednn::IntegerProduct> library;
  std::vector<std::int32_t> sums;  ///< Σ (w − w_zero) by output
  std::vector<float> ones;

  std::int64_t widest() const {
    std::int64_t rows = 0;
    for (const Chunk& chunk : chunks) rows = std::max(rows, chunk.rows);
    return rows;
  }
  std::size_t bytes() const {
    std::size_t total = library ? library->weight_bytes() : depthwise ? depthwise->bytes() : 0;
    for (const Chunk& chunk : chunks) total += chunk.dense.bytes();
    return total;
  }
};

namespace {

/// Weights as the kernels read them.
struct Source {
  const kernels::ConvShape& shape;
  const Tensor& weight;
  const kernels::FilterStrides& strides;
  const std::vector<std::int32_t>& zero;

  std::int32_t at(std::int64_t o, std::int64_t i, std::int64_t tap) const {
    return byte_at(weight, o * strides.o + i * strides.i + tap / shape.kw * strides.y + tap % shape.kw * strides.x) -
           zero[static_cast<std::size_t>(o)];
  }
  kernels::QConvFilter filter(std::int64_t first) const {
    return {weight.raw() + first * strides.i, weight.dtype() == DType::kUint8, strides, zero.data()};
  }
};

/// Ranges of input channels whose sums stay exact, as few as a greedy walk gives; empty when one channel alone does
/// not.
std::vector<std::pair<std::int64_t, std::int64_t>> ranges_of(const Source& source) {
  const kernels::ConvShape& s = source.shape;
  std::vector<std::int64_t> bound(static_cast<std::size_t>(s.out_c));
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges = {{0, 0}};
  for (std::int64_t i = 0; i < s.group_in(); ++i) {
    std::vector<std::int64_t> own(bound.size());
    for (std::int64_t o = 0; o < s.out_c; ++o)
      for (std::int64_t tap = 0; tap < s.taps(); ++tap)
        own[static_cast<std::size_t>(o)] += kLargestInput * std::abs(source.at(o, i, tap));
    if (*std::max_element(own.begin(), own.end()) > kExact) return {};
    bool fits = true;
    for (std::size_t o = 0; o < own.size(); ++o) fits = fits && bound[o] + own[o] <= kExact;
    if (!fits) {
      ranges.emplace_back(i, 0);
      std::fill(bound.begin(), bound.end(), 0);
    }
    for (std::size_t o = 0; o < own.size(); ++o) bound[o] += own[o];
    ++ranges.back().second;
  }
  return ranges;
}

std::vector<std::int32_t> sums_of(const Source& source) {
  std::vector<std::int32_t> sums(static_cast<std::size_t>(source.shape.out_c));
  for (std::int64_t o = 0; o < source.shape.out_c; ++o)
    for (std::int64_t i = 0; i < source.shape.group_in(); ++i)
      for (std::int64_t tap = 0; tap < source.shape.taps(); ++tap)
        sums[static_cast<std::size_t>(o)] += source.at(o, i, tap);
  return sums;
}

kernels::ConvShape part_of(kernels::ConvShape shape, std::int64_t rows) {
  shape.in_c = rows * shape.groups;
  return shape;
}

kernels::QConvEpilogue plain_epilogue(const std::vector<float>& ones) {
  kernels::QConvEpilogue epilogue;
  epilogue.multiplier = ones.data();
  epilogue.output_type = DType::kFloat32;
  return epilogue;
}

/// oneDNN's product, under the conditions of runtime/lower/product.cpp.
std::shared_ptr<const onednn::IntegerProduct> library_product(Lowerer& lw, const std::string& key, const Source& source,
                                                              DType input, const std::vector<float>& ones) {
  constexpr std::int64_t kFewRows = 4;
  const kernels::ConvShape& s = source.shape;
  const bool centred = std::all_of(source.zero.begin(), source.zero.end(), [](std::int32_t z) { return z == 0; });
  if (!isa_available(Isa::kAvx512Vnni) || s.pixels() < kFewRows || source.weight.dtype() != DType::kInt8 || !centred)
    return nullptr;
  const onednn::IntegerInput in{input, 0, nullptr};
  std::string reason;
  const kernels::QConvEpilogue plain = plain_epilogue(ones);
  const auto offer =
      source.weight.rank() == 2
          ? onednn::integer_matmul(key, s, source.weight, source.strides.i == 1, in, plain, lw.cache(), reason)
          : onednn::integer_convolution(key, s, source.weight, in, plain, lw.cache(), reason);
  return offer ? offer->make() : nullptr;
}

}  // namespace

std::shared_ptr<const ExactProduct> ExactProduct::make(Lowerer& lw, const std::string& key,
                                                       const kernels::ConvShape& shape, const Tensor& weight,
                                                       const kernels::FilterStrides& strides,
                                                       const std::vector<std::int32_t>& zero, DType input,
                                                       std::string& reason) {
  const Source source{shape, weight, strides, zero};
  const auto ranges = ranges_of(source);
  if (ranges.empty()) {
    reason = "sums of one input channel may pass what the kernels hold exactly";
    return nullptr;
  }
  auto made = std::make_shared<ExactProduct>();
  made->shape_ = shape;
  made->threads_ = lw.threads();
  auto packed = std::make_shared<Weight>();
  packed->sums = sums_of(source);
  packed->ones.assign(static_cast<std::size_t>(shape.out_c), 1.0F);
  if (ranges.size() == 1 && is_depthwise(shape)) {
    packed->depthwise = lw.cache().get<kernels::QDepthwiseWeights>(key, weight, [&] {
      return std::make_shared<const kernels::QDepthwiseWeights>(
          kernels::QDepthwiseWeights::pack(shape, source.filter(0), input, 0, nullptr));
    });
  } else if (ranges.size() == 1) {
    packed->library = library_product(lw, key, source, input, packed->ones);
  }
  if (packed->depthwise || packed->library) {
    made->weight_ = packed;
    made->inner_scratch_ = packed->library ? packed->library->scratch_bytes() : 0;
    return made;
  }
  made->weight_ = lw.cache().get<Weight>(key + " in tiles", weight, [&] {
    for (const auto& [first, rows] : ranges)
      packed->chunks.push_back(
          {kernels::QConvWeights::pack(part_of(shape, rows), source.filter(first), input, 0, nullptr), first, rows});
    return std::shared_ptr<const Weight>(packed);
  });
  for (const Weight::Chunk& chunk : made->weight_->chunks)
    made->inner_scratch_ = std::max(
        made->inner_scratch_, kernels::qconv_scratch_bytes(chunk.dense, part_of(shape, chunk.rows), made->threads_));
  return made;
}

std::string ExactProduct::kernel() const {
  if (weight_->library) return "qconv__onednn_s32";
  return std::string(weight_->depthwise ? weight_->depthwise->kernel_name()
                                        : weight_->chunks.front().dense.kernel_name()) +
         "_s32";
}

std::size_t ExactProduct::weight_bytes() const { return weight_->bytes(); }

std::size_t ExactProduct::chunk_bytes() const {
  if (weight_->chunks.size() < 2) return 0;
  return aligned(
      static_cast<std::size_t>(shape_.batch * shape_.in_h * shape_.in_w * weight_->widest() * shape_.groups));
}

std::size_t ExactProduct::sums_bytes() const {
  return aligned(static_cast<std::size_t>(shape_.pixels() * shape_.out_c) * sizeof(float));
}

std::size_t ExactProduct::scratch_bytes() const { return aligned(inner_scratch_) + sums_bytes() + chunk_bytes(); }

namespace {

/// Channels [first, first + rows) of every group and pixel, dense.
void take_channels(const kernels::ConvShape& s, std::int64_t first, std::int64_t rows, const std::byte* in,
                   std::byte* out) {
  const std::int64_t count = s.batch * s.in_h * s.in_w * s.groups;
  for (std::int64_t i = 0; i < count; ++i) std::copy_n(in + i * s.group_in() + first, rows, out + i * rows);
}

}  // namespace

void ExactProduct::run(const std::byte* in, std::int32_t zero, std::int32_t* out, std::byte* scratch) const {
  auto* sums = reinterpret_cast<float*>(scratch + aligned(inner_scratch_));
  std::byte* part = scratch + aligned(inner_scratch_) + sums_bytes();
  const kernels::QConvEpilogue epilogue = plain_epilogue(weight_->ones);
  const std::int64_t channels = shape_.out_c;
  const auto add = [&](bool first) {
    const auto body = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p)
        for (std::int64_t c = 0, at = p * channels; c < channels; ++c, ++at)
          out[at] = static_cast<std::int32_t>(sums[at]) +
                    (first ? -zero * weight_->sums[static_cast<std::size_t>(c)] : out[at]);
    };
    parallel_for(shape_.pixels(), std::max<std::int64_t>(1, 32768 / std::max<std::int64_t>(channels, 1)),
                 std::ref(body));
  };
  if (weight_->library) weight_->library->run(in, nullptr, sums, scratch);
  if (weight_->depthwise) kernels::qdepthwise(*weight_->depthwise, shape_, in, epilogue, sums);
  if (weight_->chunks.empty()) return add(true);
  for (const Weight::Chunk& chunk : weight_->chunks) {
    const bool all = weight_->chunks.size() == 1;
    if (!all) take_channels(shape_, chunk.first, chunk.rows, in, part);
    kernels::qconv(chunk.dense, part_of(shape_, chunk.rows), all ? in : part, epilogue, sums, scratch, threads_);
    add(chunk.first == 0);
  }
}

std::optional<std::vector<std::int32_t>> zero_points(const Tensor* tensor, std::int64_t outputs) {
  std::vector<std::int32_t> points(static_cast<std::size_t>(outputs));
  if (tensor == nullptr) return points;
  if (tensor->numel() != 1 && tensor->numel() != outputs) return std::nullopt;
  for (std::int64_t c = 0; c < outputs; ++c)
    points[static_cast<std::size_t>(c)] =
        static_cast<std::int32_t>(element_as_double(*tensor, tensor->numel() == 1 ? 0 : c));
  return points;
}

}  // namespace pare::runtime
