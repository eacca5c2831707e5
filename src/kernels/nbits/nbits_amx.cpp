// The bfloat16 form on the tile registers of AMX: 32 rows by two panels a block, four tiles of sums. A strip of weights
// is decoded once for all rows of a call, as the multiplications read it; scales are in it, so that blocks of K cost
// nothing when it is multiplied.
#include "kernels/amx/tiles.h"
#include "kernels/nbits/piece_avx512.h"

namespace pare::kernels::amx {

namespace {

constexpr std::int64_t kStripChunks = kNBitsTileDepth / 32;  ///< 16 KB of both panels stay in the L1 cache
constexpr std::int64_t kTile = 512;                          ///< bfloat16 numbers of a whole tile
constexpr std::int64_t kSums = 256;                          ///< of a tile
constexpr std::int64_t kDecodeDepth = 128;                   ///< K that is decoded by way of f32

/// A call's scratch.
struct Strip {
  std::uint16_t* weights;  ///< [chunks][2 panels][16 pairs of k][16][2]
  float* sums;             ///< [tiles of rows / 2][2][2 panels][16][16]
  float* decoded;          ///< [kDecodeDepth][32]

  explicit Strip(void* scratch)
      : weights(static_cast<std::uint16_t*>(scratch)),
        sums(reinterpret_cast<float*>(weights + kStripChunks * 2 * kTile)),
        decoded(sums + kNBitsMostTiles * 2 * kSums) {}
};

inline std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

/// Two vectors of f32 as pairs of bfloat16, rounded to the nearest.
inline __m512i pairs(__m512 first, __m512 second) {
  const __m512i half = _mm512_set1_epi32(0x8000);
  const __m512i low = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(first), half), 16),
                high = _mm512_add_epi32(_mm512_castps_si512(second), half);
  return _mm512_mask_blend_epi16(0xAAAAAAAA, low, high);
}

/// Where the pair of k and k + 1 is in a strip, of the first panel.
inline std::uint16_t* place(std::uint16_t* weights, std::int64_t k) {
  return weights + k / 32 * 2 * kTile + k % 32 / 2 * 32;
}

template <NBitsCode kCode, int kBits, int kField = 0>
inline void decode_piece(const Piece<kBits>& piece, __m512 table, __m512 scale, __m512 offset, std::uint16_t* out) {
  const __m512i field = piece.template field<kField>();
  const auto number = [&](auto n) { return _mm512_fmadd_ps(n, scale, offset); };
  const __m512i first = pairs(number(numbers<kCode, 0>(field, table)), number(numbers<kCode, 1>(field, table))),
                second = pairs(number(numbers<kCode, 2>(field, table)), number(numbers<kCode, 3>(field, table)));
  _mm512_store_si512(out + 64 * kField, first);
  _mm512_store_si512(out + 64 * kField + 32, second);
  if constexpr ((kField + 1) * 4 < kCodes<kBits>)
    decode_piece<kCode, kBits, kField + 1>(piece, table, scale, offset, out);
}

template <NBitsCode kCode, int kBits>
void decode(const NBitsPanel& p, std::int64_t first, std::int64_t last, std::uint16_t* out) {
  const __m512 table = kCode == NBitsCode::kTable16 ? _mm512_loadu_ps(p.table) : _mm512_setzero_ps();
  const std::uint32_t* words = p.words + first / kCodes<kBits> * kWords<kBits> * 16;
  for (std::int64_t k = first; k < last;) {
    const std::int64_t block = k / p.depth, end = least((block + 1) * p.depth, last);
    const __m512 scale = _mm512_loadu_ps(p.scale + 16 * block),
                 offset = p.offset ? _mm512_loadu_ps(p.offset + 16 * block) : _mm512_setzero_ps();
    for (; k < end; k += kCodes<kBits>, words += 16 * kWords<kBits>)
      decode_piece<kCode, kBits>(Piece<kBits>(words), table, scale, offset, place(out, k - first));
  }
}

/// What is looked up by rows, by way of f32.
void decode_by_rows(const NBitsTiles& c, const NBitsPanel& p, std::int64_t first, std::int64_t last, float* decoded,
                    std::uint16_t* out) {
  for (std::int64_t begin = first; begin < last; begin += kDecodeDepth) {
    const std::int64_t end = least(begin + kDecodeDepth, last);
    c.decode(p, begin, end, decoded);
    for (std::int64_t k = begin; k < end; k += 2) {
      const float* from = decoded + 32 * (k - begin);
      _mm512_store_si512(place(out, k - first), pairs(_mm512_load_ps(from), _mm512_load_ps(from + 32)));
    }
  }
}

void decode_panel(const NBitsTiles& c, int index, std::int64_t first, std::int64_t last, const Strip& strip) {
  const NBitsPanel& p = c.panel[index];
  std::uint16_t* out = strip.weights + index * kTile;
  const std::int64_t codes = p.blocks * p.depth, end = least(last, codes);
  if (p.code == NBitsCode::kRows16 || p.code == NBitsCode::kRows256)
    decode_by_rows(c, p, first, end, strip.decoded, out);
  else if (p.code == NBitsCode::kSigned8)
    decode<NBitsCode::kSigned8, 8>(p, first, end, out);
  else if (p.bits == 4)
    decode<NBitsCode::kTable16, 4>(p, first, end, out);
  else if (p.bits == 3)
    decode<NBitsCode::kTable16, 3>(p, first, end, out);
  else
    decode<NBitsCode::kTable16, 2>(p, first, end, out);
  for (std::int64_t k = end; k < last; k += 2) _mm512_store_si512(place(out, k - first), _mm512_setzero_si512());
}

PARE_TILE_PRODUCTS(Multiply, _tile_dpbf16ps);

/// Adds a strip to the sums of two tiles of rows at most; `begin`: these are zero.
template <int kTiles, int kHalves>
void multiply(const std::uint16_t* upper, std::int64_t chunk_size, std::int64_t tile_size, const std::uint16_t* weights,
              std::int64_t chunks, bool begin, float* sums) {
  fence();
  if (begin) {
    _tile_zero(0);
    if constexpr (kHalves == 2) _tile_zero(1);
    if constexpr (kTiles == 2) _tile_zero(2);
    if constexpr (kTiles == 2 && kHalves == 2) _tile_zero(3);
  } else {
    _tile_loadd(0, sums, 64);
    if constexpr (kHalves == 2) _tile_loadd(1, sums + kSums, 64);
    if constexpr (kTiles == 2) _tile_loadd(2, sums + 2 * kSums, 64);
    if constexpr (kTiles == 2 && kHalves == 2) _tile_loadd(3, sums + 3 * kSums, 64);
  }
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk, weights += 2 * kTile, upper += chunk_size) {
    _tile_loadd(6, weights, 64);
    _tile_loadd(4, upper, 64);
    Multiply::upper_left();
    if constexpr (kHalves == 2) {
      _tile_loadd(7, weights + kTile, 64);
      Multiply::upper_right();
    }
    if constexpr (kTiles == 2) {
      _tile_loadd(5, upper + tile_size, 64);
      Multiply::lower_left();
      if constexpr (kHalves == 2) Multiply::lower_right();
    }
  }
  _tile_stored(0, sums, 64);
  if constexpr (kHalves == 2) _tile_stored(1, sums + kSums, 64);
  if constexpr (kTiles == 2) _tile_stored(2, sums + 2 * kSums, 64);
  if constexpr (kTiles == 2 && kHalves == 2) _tile_stored(3, sums + 3 * kSums, 64);
  fence();
}

/// y (+)= sums; the first part of K begins with the bias.
void finish(const NBitsTiles& c, const float* sums) {
  const __mmask16 masks[2] = {static_cast<__mmask16>((1U << c.outputs[0]) - 1),
                              static_cast<__mmask16>((1U << c.outputs[1]) - 1)};
  __m512 bias[2];
  for (int i = 0; i < 2; ++i) bias[i] = c.bias[i] ? _mm512_maskz_loadu_ps(masks[i], c.bias[i]) : _mm512_setzero_ps();
  for (std::int64_t first = 0; first < c.rows; first += c.height, sums += 2 * kSums) {
    const std::int64_t rows = least(c.height, c.rows - first);
    for (std::int64_t r = 0; r < rows; ++r) {
      float* y = c.y + (first + r) * c.y_stride;
      for (int i = 0; i < 2; ++i) {
        const __m512 before = c.first > 0 ? _mm512_maskz_loadu_ps(masks[i], y + 16 * i) : bias[i];
        _mm512_mask_storeu_ps(y + 16 * i, masks[i], _mm512_add_ps(before, _mm512_load_ps(sums + i * kSums + 16 * r)));
      }
    }
  }
}

}  // namespace

void nbits_to_tile(const NBitsTileRows& c) noexcept {
  for (std::int64_t k = 0; k < c.k; k += 32) {
    const std::int64_t left = c.k - k;
    const auto low = static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1U << left) - 1),
               high = static_cast<__mmask16>(left >= 32  ? 0xFFFF
                                             : left > 16 ? (1U << (left - 16)) - 1
                                                         : 0);
    std::uint16_t* to = c.to + k * c.height;
    for (std::int64_t r = 0; r < c.height; ++r, to += 32) {
      __m512i both = _mm512_setzero_si512();
      if (r < c.rows) {
        const float* from = c.a + r * c.k + k;
        both = reinterpret_cast<__m512i>(
            _mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, from + 16), _mm512_maskz_loadu_ps(low, from)));
      }
      _mm512_store_si512(to, both);
    }
  }
}

void nbits_tiles(const NBitsTiles& c) noexcept {
  const bool two = c.panel[1].words != nullptr;
  const Strip strip(c.scratch);
  TileShapes shapes = whole_tiles();
  for (int tile = 0; tile < 6; ++tile) shapes.rows[tile] = static_cast<std::uint8_t>(c.height);
  const Tiles configured(shapes);
  const std::int64_t tiles = (c.rows + c.height - 1) / c.height, chunk_size = 32 * c.height,
                     tile_size = c.chunks * chunk_size;
  for (std::int64_t chunk = c.first; chunk < c.last; chunk += kStripChunks) {
    const std::int64_t chunks = least(kStripChunks, c.last - chunk);
    for (int i = 0; i < (two ? 2 : 1); ++i) decode_panel(c, i, 32 * chunk, 32 * (chunk + chunks), strip);
    const auto block = [&]<int kTiles>(std::int64_t tile) {
      const std::uint16_t* upper = c.a + tile * tile_size + chunk * chunk_size;
      float* sums = strip.sums + 2 * tile * kSums;
      const bool begin = chunk == c.first;
      two ? multiply<kTiles, 2>(upper, chunk_size, tile_size, strip.weights, chunks, begin, sums)
          : multiply<kTiles, 1>(upper, chunk_size, tile_size, strip.weights, chunks, begin, sums);
    };
    std::int64_t tile = 0;
    for (; tile + 2 <= tiles; tile += 2) block.template operator()<2>(tile);
    if (tile < tiles) block.template operator()<1>(tile);
  }
  finish(c, strip.sums);
}

}  // namespace pare::kernels::amx
