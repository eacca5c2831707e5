#include "kernels/select/select.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/threads.h"
#include "kernels/window.h"

namespace pare::kernels {
namespace {

/// Calls row(offsets of condition, a and b, output offset) for every innermost row.
template <class Row>
void for_each_row(const SelectShape& s, const Row& row) noexcept {
  const int last = s.rank - 1;
  const std::int64_t inner = s.rank == 0 ? 1 : s.dims[last];
  std::int64_t rows = 1;
  for (int i = 0; i < last; ++i) rows *= s.dims[i];
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      std::int64_t c = 0, a = 0, b = 0, rest = r;
      for (int i = last; i-- > 0; rest /= s.dims[i]) {
        const std::int64_t at = rest % s.dims[i];
        c += at * s.condition[i], a += at * s.a[i], b += at * s.b[i];
      }
      row(c, a, b, r * inner);
    }
  };
  parallel_for(rows, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, inner)), std::ref(body));
}

template <class T>
void select_as(const SelectShape& s, const std::uint8_t* condition, const T* a, const T* b, T* out) noexcept {
  const int last = s.rank - 1;
  const std::int64_t inner = s.rank == 0 ? 1 : s.dims[last], sc = s.rank == 0 ? 0 : s.condition[last],
                     sa = s.rank == 0 ? 0 : s.a[last], sb = s.rank == 0 ? 0 : s.b[last];
  for_each_row(s, [&](std::int64_t c, std::int64_t x, std::int64_t y, std::int64_t to) {
    for (std::int64_t i = 0; i < inner; ++i) out[to + i] = condition[c + i * sc] != 0 ? a[x + i * sa] : b[y + i * sb];
  });
}

template <class T, class Test>
void compare_as(const SelectShape& s, const T* a, const T* b, std::uint8_t* out, Test test) noexcept {
  const int last = s.rank - 1;
  const std::int64_t inner = s.rank == 0 ? 1 : s.dims[last], sa = s.rank == 0 ? 0 : s.a[last],
                     sb = s.rank == 0 ? 0 : s.b[last];
  for_each_row(s, [&](std::int64_t, std::int64_t x, std::int64_t y, std::int64_t to) {
    for (std::int64_t i = 0; i < inner; ++i) out[to + i] = test(a[x + i * sa], b[y + i * sb]) ? 1 : 0;
  });
}

}  // namespace

void select(std::int64_t element, const SelectShape& s, const std::uint8_t* condition, const void* a, const void* b,
            void* out) noexcept {
  const auto as = [&]<class T>(T) {
    select_as(s, condition, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(out));
  };
  if (element == 1) as(std::uint8_t{});
  if (element == 2) as(std::uint16_t{});
  if (element == 4) as(std::uint32_t{});
  if (element == 8) as(std::uint64_t{});
}

template <class T>
void compare(CompareOp op, const SelectShape& s, const T* a, const T* b, std::uint8_t* out) noexcept {
  switch (op) {
    case CompareOp::kEqual:
      return compare_as(s, a, b, out, [](T x, T y) { return x == y; });
    case CompareOp::kGreater:
      return compare_as(s, a, b, out, [](T x, T y) { return x > y; });
    case CompareOp::kGreaterOrEqual:
      return compare_as(s, a, b, out, [](T x, T y) { return x >= y; });
    case CompareOp::kLess:
      return compare_as(s, a, b, out, [](T x, T y) { return x < y; });
    case CompareOp::kLessOrEqual:
      return compare_as(s, a, b, out, [](T x, T y) { return x <= y; });
    case CompareOp::kAnd:
      return compare_as(s, a, b, out, [](T x, T y) { return x != 0 && y != 0; });
    case CompareOp::kOr:
      return compare_as(s, a, b, out, [](T x, T y) { return x != 0 || y != 0; });
    case CompareOp::kXor:
      return compare_as(s, a, b, out, [](T x, T y) { return (x != 0) != (y != 0); });
  }
}
template void compare(CompareOp, const SelectShape&, const float*, const float*, std::uint8_t*) noexcept;
template void compare(CompareOp, const SelectShape&, const std::int32_t*, const std::int32_t*, std::uint8_t*) noexcept;
template void compare(CompareOp, const SelectShape&, const std::uint8_t*, const std::uint8_t*, std::uint8_t*) noexcept;
template void compare(CompareOp, const SelectShape&, const std::int64_t*, const std::int64_t*, std::uint8_t*) noexcept;

void gather_rows(std::int64_t outer, std::int64_t size, std::int64_t count, std::int64_t row_bytes,
                 const std::int64_t* indices, const void* in, void* out) noexcept {
  const auto* from = static_cast<const std::byte*>(in);
  auto* to = static_cast<std::byte*>(out);
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      std::memcpy(to + i * row_bytes, from + (i / count * size + indices[i % count]) * row_bytes,
                  static_cast<std::size_t>(row_bytes));
  };
  parallel_for(outer * count, std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, row_bytes)),
               std::ref(body));
}

}  // namespace pare::kernels
