// DynamicQuantizeLinear, and MatMulInteger with a constant weight: quantization whose parameters exist only at run
// time.
#include <algorithm>
#include <cmath>

#include "base/float16.h"
#include "base/threads.h"
#include "kernels/qconv/qconv.h"
#include "kernels/quantize/quantize.h"
#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

/// Rows of a slice: sums of so many products are exact in f32, in which the kernel hands them out. Weights without zero
/// point are below 128, others below 256.
constexpr std::int64_t kChunk = 512, kChunkOfShifted = 256;

/// B packed in slices of rows, and the sums of its columns.
struct IntegerWeight {
  struct Chunk {
    kernels::QConvWeights weights;
    std::int64_t first, rows;
  };
  std::vector<Chunk> chunks;
  std::vector<std::int32_t> column_sums;
  std::size_t bytes = 0;
};

std::shared_ptr<const IntegerWeight> pack(const Tensor& b, const Tensor& zero, DType input) {
  auto made = std::make_shared<IntegerWeight>();
  const std::int64_t k = b.dim(0), n = b.dim(1);
  std::vector<std::int32_t> points(static_cast<std::size_t>(n));
  for (std::size_t c = 0; c < points.size() && zero.defined(); ++c)
    points[c] =
        static_cast<std::int32_t>(element_as_double(zero, zero.numel() == 1 ? 0 : static_cast<std::int64_t>(c)));
  made->column_sums.resize(points.size());
  for (std::int64_t r = 0; r < k; ++r)
    for (std::size_t c = 0; c < points.size(); ++c)
      made->column_sums[c] +=
          static_cast<std::int32_t>(element_as_double(b, r * n + static_cast<std::int64_t>(c))) - points[c];
  const bool shifted = b.dtype() == DType::kUint8 || std::ranges::any_of(points, [](std::int32_t z) { return z != 0; });
  const std::int64_t chunk = shifted ? kChunkOfShifted : kChunk;
  for (std::int64_t first = 0; first < k; first += chunk) {
    const std::int64_t rows = std::min(chunk, k - first);
    const kernels::QConvFilter filter{b.raw() + first * n, b.dtype() == DType::kUint8,
                                      kernels::FilterStrides{1, n, 0, 0}, points.data()};
    made->chunks.push_back(
        {kernels::QConvWeights::pack(kernels::ConvShape::matmul(1, rows, n), filter, input, 0, nullptr), first, rows});
    made->bytes += made->chunks.back().weights.bytes();
  }
  return made;
}

/// One product at run time.
struct IntegerProductStep {
  std::shared_ptr<const IntegerWeight> weight;
  std::int64_t m, k, n;
  DType input;
  int threads;
  std::vector<float> ones;

  void run(const std::byte* a, std::int32_t zero, std::byte* rows, float* sums, std::byte* scratch,
           std::int32_t* y) const {
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t c = 0; c < n; ++c) y[i * n + c] = -zero * weight->column_sums[static_cast<std::size_t>(c)];
    for (const IntegerWeight::Chunk& chunk : weight->chunks) {
      const std::byte* in = a;
      if (chunk.rows != k) {
        for (std::int64_t i = 0; i < m; ++i) std::copy_n(a + i * k + chunk.first, chunk.rows, rows + i * chunk.rows);
        in = rows;
      }
      kernels::QConvEpilogue epilogue;
      epilogue.multiplier = ones.data();
      epilogue.output_type = DType::kFloat32;
      kernels::qconv(chunk.weights, kernels::ConvShape::matmul(m, chunk.rows, n), in, epilogue, sums, scratch, threads);
      for (std::int64_t i = 0; i < m * n; ++i) y[i] += static_cast<std::int32_t>(sums[i]);
    }
  }
};

std::int32_t zero_point(DType type, const std::byte* at) {
  return type == DType::kInt8 ? static_cast<std::int32_t>(static_cast<std::int8_t>(*at)) : std::to_integer<int>(*at);
}

}  // namespace

std::optional<std::string> lower_MatMulInteger(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const Tensor* b = lw.graph().constant(node.input(1));
  const Tensor* b_zero = lw.graph().constant(node.input(3));
  if (!b || b->rank() != 2) return "the weight is not a constant matrix";
  if (node.input(3) != ir::kNoValue && (!b_zero || (b_zero->numel() != 1 && b_zero->numel() != b->dim(1))))
    return "the weight's zero points are not constants, one a column";
  const ir::ValueId a_zero = node.input(2);
  if (a_zero != ir::kNoValue && element_count(lw.dims(a_zero)) != 1) return "the input has zero points by row";
  const Dims in = lw.dims(node.input(0));
  if (in.size() < 2) return "a vector operand";
  IntegerProductStep step;
  step.k = in.back();
  step.n = b->dim(1);
  step.m = step.k == 0 ? 0 : element_count(in) / step.k;
  if (step.m == 0 || step.n == 0) return "an empty product";
  step.input = lw.dtype(node.input(0));
  step.threads = lw.threads();
  step.ones.assign(static_cast<std::size_t>(step.n), 1.0F);
  step.weight = lw.cache().get<IntegerWeight>("integer matmul " + node.name, *b,
                                              [&] { return pack(*b, b_zero ? *b_zero : Tensor(), step.input); });
  std::size_t scratch = 1;
  for (const IntegerWeight::Chunk& chunk : step.weight->chunks)
    scratch =
        std::max(scratch, kernels::qconv_scratch_bytes(
                              chunk.weights, kernels::ConvShape::matmul(step.m, chunk.rows, step.n), step.threads));
  const BufferId x = lw.read(node.input(0)), zero = a_zero == ir::kNoValue ? kNoBuffer : lw.read(a_zero);
  const BufferId y = lw.write(group.output), work = lw.scratch(scratch),
                 sums = lw.scratch(static_cast<std::size_t>(step.m * step.n) * sizeof(float)),
                 rows = lw.scratch(static_cast<std::size_t>(step.m * std::min(step.k, kChunk)));
  std::vector<BufferId> reads = {x};
  if (zero != kNoBuffer) reads.push_back(zero);
  const std::string kernel = std::string(step.weight->chunks.front().weights.kernel_name()) + "_s32";
  lw.emit(group, {kernel, "exact int32 sums", static_cast<std::int64_t>(step.weight->bytes)}, std::move(reads),
          {y, work, sums, rows}, [=](const Frame& frame) {
            const std::int32_t shift = zero == kNoBuffer ? 0 : zero_point(step.input, frame.at(zero));
            step.run(frame.at(x), shift, frame.at(rows), frame.at<float>(sums), frame.at(work),
                     frame.at<std::int32_t>(y));
          });
  return std::nullopt;
}

std::optional<std::string> lower_DynamicQuantizeLinear(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const std::int64_t count = element_count(lw.dims(node.input(0)));
  const BufferId x = lw.read(node.input(0)), y = lw.write(node.output(0));
  const auto written = [&](std::size_t slot, DType type) {
    return node.output(slot) == ir::kNoValue ? lw.scratch(static_cast<std::size_t>(bits(type)) / 8)
                                             : lw.write(node.output(slot));
  };
  const BufferId scale = written(1, DType::kFloat32), zero = written(2, DType::kUint8);
  lw.emit(group, {"dynamic_quantize", ""}, {x}, {y, scale, zero}, [=](const Frame& frame) {
    const float* in = frame.at<float>(x);
    float low = 0, high = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      low = std::min(low, in[i]);
      high = std::max(high, in[i]);
    }
    const float step = high > low ? (high - low) / 255.0F : 1.0F;
    const float point = std::nearbyint(std::clamp(-low / step, 0.0F, 255.0F));
    *frame.at<float>(scale) = step;
    *frame.at<std::uint8_t>(zero) = static_cast<std::uint8_t>(point);
    kernels::quantize_span(in, count, {DType::kUint8, step, static_cast<std::int32_t>(point)}, frame.at(y));
  });
  return std::nullopt;
}

}  // namespace pare::runtime
