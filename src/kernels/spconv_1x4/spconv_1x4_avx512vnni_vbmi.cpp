// Sums become bytes as they are transposed: four columns of 16 rows are what the epilogue takes at once.
// False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "kernels/qconv/finish_quad_avx512vbmi.h"
#include "kernels/spconv_1x4/tile.h"
#include "kernels/sppanel/turn_avx512.h"

namespace pare::kernels {

namespace avx512vnni {
void spconv_1x4_multiply(const PanelProduct&) noexcept;
}

namespace avx512vnni_vbmi {
namespace {

constexpr int kChannels = 16;

/// P pixels from `pixel` on, of four that are transposed.
template <QuadAdds kAdds, int P>
[[gnu::always_inline]] inline void finish_pixels(const QuadFinish& finish, int pixel, std::int64_t channel,
                                                 __m512i bias, const __m512i (&sums)[4]) {
  __m512i some[P];
  for (int p = 0; p < P; ++p) some[p] = _mm512_add_epi32(sums[p], bias);
  finish.finish<kAdds, P>(pixel, channel, some);
}

template <QuadAdds kAdds>
void finish_channels(const SpConv1x4Finish& f, const QuadFinish& finish, std::int64_t channel) {
  const __m512i bias = _mm512_loadu_si512(f.finish.bias + channel);
  for (int p = 0; p < f.pixels; p += 4) {
    const std::uint32_t *from = f.sums + p / kPanelLanes * f.sum_stride + channel * kPanelLanes, *rows[kChannels];
    for (int c = 0; c < kChannels; ++c) rows[c] = from + c * kPanelLanes;
    __m512i sums[4];
    turn4(rows, p % kPanelLanes, sums);
    const int left = f.pixels - p;
    if (left >= 4) finish_pixels<kAdds, 4>(finish, p, channel, bias, sums);
    if (left == 3) finish_pixels<kAdds, 3>(finish, p, channel, bias, sums);
    if (left == 2) finish_pixels<kAdds, 2>(finish, p, channel, bias, sums);
    if (left == 1) finish_pixels<kAdds, 1>(finish, p, channel, bias, sums);
  }
}

template <QuadAdds kAdds>
std::int64_t finish_whole(const SpConv1x4Finish& f) {
  const QuadFinish finish(f.finish);
  std::int64_t channel = 0;
  for (; channel + kChannels <= f.channels; channel += kChannels) finish_channels<kAdds>(f, finish, channel);
  return channel;
}

}  // namespace

void spconv_1x4_multiply(const PanelProduct& t) noexcept { avx512vnni::spconv_1x4_multiply(t); }

void spconv_1x4_finish(const SpConv1x4Finish& f) noexcept {
  std::int64_t done = 0;
  if (f.bounded && QuadFinish::has(f.finish)) {
    const QuadAdds adds = QuadFinish::adds(f.finish);
    if (adds == QuadAdds::kNothing) done = finish_whole<QuadAdds::kNothing>(f);
    if (adds == QuadAdds::kBytes) done = finish_whole<QuadAdds::kBytes>(f);
    if (adds == QuadAdds::kBytesToRounded) done = finish_whole<QuadAdds::kBytesToRounded>(f);
  }
  for (; done < f.channels; done += kChannels) spconv_1x4_finish_rows(Isa::kAvx512Vnni, f, done);
}

}  // namespace avx512vnni_vbmi
}  // namespace pare::kernels
