#include "kernels/lookup/lookup.h"

#include <functional>

#include "base/threads.h"
#include "kernels/window.h"
#include "kernels/table.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                                                                  \
  namespace ns {                                                                                    \
  void lookup_span(const std::uint8_t*, std::int64_t, const std::uint8_t*, std::uint8_t*) noexcept; \
  }
#include "kernels/lookup/kernels.inc"
#undef PARE_KERNEL

namespace {

struct Row {
  Isa isa;
  void (*span)(const std::uint8_t* table, std::int64_t count, const std::uint8_t* in, std::uint8_t* out) noexcept;
};
constexpr Row kTable[] = {
#define PARE_KERNEL(file, ns, isa) {Isa::isa, ns::lookup_span},
#include "kernels/lookup/kernels.inc"
#undef PARE_KERNEL
};
constexpr auto kRows = rows_of(kTable);

}  // namespace

void lookup(const std::uint8_t table[256], std::int64_t count, const void* in, void* out) noexcept {
  const Row& row = *best_row(kRows);
  const auto* source = static_cast<const std::uint8_t*>(in);
  auto* target = static_cast<std::uint8_t*>(out);
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    row.span(table, end - begin, source + begin, target + begin);
  };
  parallel_for(count, kGrainOperations, std::ref(body));
}

}  // namespace pare::kernels
