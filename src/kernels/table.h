// What all tables of kernels share: rows as pointers, and the first that may run.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "base/cpu.h"

namespace pare::kernels {

template <class Row, std::size_t kCount>
constexpr std::array<const Row*, kCount> rows_of(const Row (&table)[kCount]) {
  std::array<const Row*, kCount> rows{};
  for (std::size_t i = 0; i < kCount; ++i) rows[i] = &table[i];
  return rows;
}

/// The first row that PARE_FORCE_ISA and the CPU allow. Rows have `isa`; the last one runs anywhere.
template <class Rows>
auto best_row(const Rows& rows) {
  for (const auto* row : rows)
    if (isa_available(row->isa)) return row;
  return *(rows.end() - 1);
}

/// A family's packed weights: immutable, shared between copies. `Packed` is the family's own (row.h) and has `kernel`.
template <class Packed>
class PackedHandle {
 public:
  PackedHandle() = default;
  explicit PackedHandle(std::shared_ptr<const Packed> packed) : packed_(std::move(packed)) {}
  const Packed& packed() const noexcept { return *packed_; }

 private:
  std::shared_ptr<const Packed> packed_;
};

}  // namespace pare::kernels
