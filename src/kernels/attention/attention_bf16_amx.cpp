// Products of bfloat16 on AMX tiles: 16 queries by all keys, then their exponentials by all values.
#include "kernels/amx/tiles.h"
#include "kernels/attention/tile.h"
#include "kernels/transpose16_avx512.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::amx {
namespace {

using V = avx512::F32;

constexpr std::int64_t kTileFloats = 256;  ///< a tile's kilobyte, in floats

constexpr std::int64_t rounded_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

/// Sizes in whole tiles, and where things lie in the scratch memory, in floats.
struct Layout {
  std::int64_t keys, depth, columns;  ///< keys and elements of a key by 32, of a value by 16
  std::int64_t k, v, q, scores, weights, out, floats;

  Layout(std::int64_t key_count, std::int64_t width, std::int64_t value_width)
      : keys(rounded_up(key_count, 32)), depth(rounded_up(width, 32)), columns(rounded_up(value_width, 16)) {
    k = 0;
    v = k + keys * depth / 2;
    q = v + keys * columns / 2;
    scores = q + 16 * depth / 2;
    weights = scores + 16 * keys;
    out = weights + 16 * keys / 2;
    floats = out + 16 * columns;
  }
};

/// 32 numbers of a row from `from` on, of which the row has `left`.
__m512i narrow(const float* row, std::int64_t left) {
  const __m512 low = V::load_some(row, left < 0 ? 0 : left, 0.0f),
               high = left > 16 ? V::load_some(row + 16, left - 16, 0.0f) : V::zero();
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/// Tiles [keys / 16][depth / 32] of pairs of elements by keys.
void pack_keys(const AttentionBlock& b, const Layout& l, float* to) {
  for (std::int64_t key = 0; key < l.keys; key += 16)
    for (std::int64_t d = 0; d < l.depth; d += 32, to += kTileFloats) {
      __m512 rows[16];
      for (std::int64_t r = 0; r < 16; ++r)
        rows[r] =
            key + r < b.keys ? _mm512_castsi512_ps(narrow(b.k + (key + r) * b.k_position + d, b.width - d)) : V::zero();
      transpose16(rows);
      for (std::int64_t r = 0; r < 16; ++r) V::store(to + 16 * r, rows[r]);
    }
}

/// Tiles [columns / 16][keys / 32] of pairs of keys by columns.
void pack_values(const AttentionBlock& b, const Layout& l, float* to) {
  const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (std::int64_t column = 0; column < l.columns; column += 16)
    for (std::int64_t key = 0; key < l.keys; key += 2, to += 16) {
      const std::int64_t left = b.value_width - column;
      const auto row = [&](std::int64_t at) {
        return at < b.keys ? V::load_some(b.v + at * b.v_position + column, left, 0.0f) : V::zero();
      };
      const auto both = (__m512i)_mm512_cvtne2ps_pbh(row(key + 1), row(key));
      _mm512_storeu_si512(to, _mm512_permutexvar_epi16(pairs, both));
    }
}

/// scores [16][keys] of the packed queries.
void score(const Layout& l, const float* q, const float* k, float* scores) {
  fence();
  for (std::int64_t key = 0; key < l.keys; key += 32) {
    const float *left = k + key / 16 * (l.depth / 32) * kTileFloats, *right = left + l.depth / 32 * kTileFloats;
    _tile_zero(0);
    _tile_zero(1);
    for (std::int64_t d = 0; d < l.depth; d += 32, left += kTileFloats, right += kTileFloats) {
      _tile_loadd(4, q + d / 2, l.depth * 2);
      _tile_loadd(6, left, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, right, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    _tile_stored(0, scores + key, l.keys * 4);
    _tile_stored(1, scores + key + 16, l.keys * 4);
  }
}

/// The exponentials of a row as bfloat16, zeros behind the last key.
void narrow_row(const float* scores, std::int64_t count, const Layout& l, float* to) {
  for (std::int64_t key = 0; key < l.keys; key += 32, to += 16)
    _mm512_storeu_si512(to, narrow(scores + key, count - key));
}

/// out [16][columns]: sums of values by weights.
void mix(const Layout& l, const float* weights, const float* v, float* out) {
  fence();
  for (std::int64_t column = 0; column < l.columns; column += 16) {
    _tile_zero(0);
    for (std::int64_t key = 0; key < l.keys; key += 32, v += kTileFloats) {
      _tile_loadd(4, weights + key / 2, l.keys * 2);
      _tile_loadd(6, v, 64);
      _tile_dpbf16ps(0, 4, 6);
    }
    _tile_stored(0, out + column, l.columns * 4);
  }
}

}  // namespace

std::int64_t attention_scratch_floats(std::int64_t keys, std::int64_t width, std::int64_t value_width) noexcept {
  return Layout(keys, width, value_width).floats;
}

void attention_block(const AttentionBlock& given) noexcept {
  const Layout l(given.keys, given.width, given.value_width);
  AttentionBlock b = given;
  float *k = b.scratch + l.k, *v = b.scratch + l.v, *q = b.scratch + l.q, *scores = b.scratch + l.scores,
        *weights = b.scratch + l.weights, *out = b.scratch + l.out;
  const Tiles tiles(whole_tiles());
  pack_keys(b, l, k);
  pack_values(b, l, v);
  for (std::int64_t query = 0; query < b.queries; query += 16) {
    const std::int64_t rows = b.queries - query < 16 ? b.queries - query : 16;
    for (std::int64_t r = 0; r < 16; ++r)
      for (std::int64_t d = 0; d < l.depth; d += 32)
        _mm512_storeu_si512(q + r * l.depth / 2 + d / 2, r < rows
                                                             ? narrow(b.q + (query + r) * b.q_position + d, b.width - d)
                                                             : _mm512_setzero_si512());
    score(l, q, k, scores);
    float factor[16];
    for (std::int64_t r = 0; r < rows; ++r) {
      float* row = scores + r * l.keys;
      factor[r] = soften<V>(b, b.mask ? b.mask + (query + r) * b.mask_query : nullptr, row);
      narrow_row(row, b.keys, l, weights + r * l.keys / 2);
    }
    mix(l, weights, v, out);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < b.value_width; c += 16)
        V::store_some(b.out + (query + r) * b.out_position + c, b.value_width - c,
                      V::mul(V::set(factor[r]), V::load(out + r * l.columns + c)));
  }
}

}  // namespace pare::kernels::amx
