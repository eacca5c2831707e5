// AMX: 16 pixels by 16 channels a tile of sums, 64 8-bit products each at once; inputs as they are, signed or not.
#include "kernels/amx/walk.h"
#include "kernels/qconv/finish_avx512.h"
#include "kernels/qconv/finish_pair_avx512.h"
#include "kernels/qconv/row.h"

namespace pare::kernels::amx {
namespace {

PARE_TILE_PRODUCTS(MultiplyU8, _tile_dpbusd);
PARE_TILE_PRODUCTS(MultiplyS8, _tile_dpbssd);

template <class T>
std::int32_t sum_of(const std::byte* row, std::int64_t count) {
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += reinterpret_cast<const T*>(row)[i];
  return sum;
}

template <class Multiply>
void run(const QConvCall& call, const ProductPart& part, std::int32_t* row_sums, std::byte* scratch) {
  const QConvWeights::Packed& w = *call.weights;
  const ConvShape& s = call.shape;
  const Chunks chunks(s, 1);
  const bool bounded = qconv_bounded(*call.epilogue, s.out_c);
  const std::int64_t group_weights = w.panels * w.steps * kWeightRow;
  for (std::int64_t group = 0; group < s.groups; ++group) {
    const std::int64_t first = group * s.group_out();
    const Source source{s, static_cast<const std::byte*>(call.input) + group * s.group_in(), 1,
                        static_cast<std::byte>(w.input_zero_point)};
    const auto* weights = reinterpret_cast<const std::byte*>(w.weights.data()) + group * group_weights;
    const auto prepared = [&](std::int64_t pixel, std::int64_t rows, const std::byte* at, std::int64_t stride,
                              std::int64_t segment_stride) {
      if (w.weight_zero_point.empty()) return;
      for (std::int64_t r = 0; r < rows; ++r, at += stride) {
        std::int32_t sum = -static_cast<std::int32_t>(s.taps() * s.group_in()) * w.input_zero_point;
        for (std::int64_t segment = 0; segment < chunks.segments; ++segment) {
          const std::byte* from = at + segment * segment_stride;
          sum += w.input_signed ? sum_of<std::int8_t>(from, chunks.segment_bytes)
                                : sum_of<std::uint8_t>(from, chunks.segment_bytes);
        }
        row_sums[pixel + r] = sum;
      }
    };
    const QConvFinish all = qconv_finish_at(w, *call.epilogue, 0, first, call.output);
    PairFinish pair(all);
    const bool pairs = PairFinish::has(all) && bounded;
    const auto finish = [&](std::int64_t channel, int channels, const Sums* tiles, int count) {
      if (pairs && channels == kPanel) {
        pair.move_to(channel);
        for (int i = 0; i < count; ++i)
          pair.finish(tiles[i].pixel, tiles[i].rows, reinterpret_cast<const std::int32_t*>(tiles[i].at), kSums);
        return;
      }
      for (int i = 0; i < count; ++i)
        for (int half = 0; 16 * half < channels; ++half) {
          QConvFinish f = qconv_finish_at(w, *call.epilogue, tiles[i].pixel, first + channel + 16 * half, call.output);
          f.row_sum = row_sums + tiles[i].pixel;
          finish_rows(f, tiles[i].rows, static_cast<int>(least(16, channels - 16 * half)),
                      reinterpret_cast<const std::int32_t*>(tiles[i].at) + half * kSums);
        }
    };
    walk<Multiply>(source, weights, part, scratch, prepared, finish);
  }
}

}  // namespace

std::size_t qconv_scratch_bytes(const QConvWeights::Packed& w, const ConvShape& shape) noexcept {
  const std::size_t sums = w.weight_zero_point.empty() ? 0 : static_cast<std::size_t>(shape.pixels());
  return scratch_bytes(shape, 1) + sums * sizeof(std::int32_t) + kChunk;
}

void qconv_run(const QConvCall& call, const ProductPart& part, std::byte* scratch) noexcept {
  scratch += (kChunk - reinterpret_cast<std::uintptr_t>(scratch) % kChunk) % kChunk;
  auto* row_sums = reinterpret_cast<std::int32_t*>(scratch + scratch_bytes(call.shape, 1) / 4 * 4);
  if (call.weights->input_signed)
    run<MultiplyS8>(call, part, row_sums, scratch);
  else
    run<MultiplyU8>(call, part, row_sums, scratch);
}

}  // namespace pare::kernels::amx
