// The table of peaks and the clock.
#include "kernels/peak/peak.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "base/threads.h"

namespace pare::kernels {

#define PARE_PEAK(file, ns, isa, type, macs)         \
  namespace ns {                                     \
  void peak_rounds(std::int64_t rounds) noexcept;    \
  }
#include "kernels/peak/kernels.inc"
#undef PARE_PEAK

namespace {

struct Row {
  Isa isa;
  DType type;
  double macs;  ///< of one round
  void (*rounds)(std::int64_t) noexcept;
};

constexpr Row kTable[] = {
#define PARE_PEAK(file, ns, isa, type, macs) {Isa::isa, DType::type, macs, ns::peak_rounds},
#include "kernels/peak/kernels.inc"
#undef PARE_PEAK
};

double nanoseconds(const std::function<void(std::int64_t, std::int64_t)>& body, int threads) noexcept {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  parallel_for(threads, 1, body);
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

}  // namespace

double measure_peak(DType type, int threads) noexcept {
  constexpr std::int64_t kRounds = 100000;  // about half a millisecond
  constexpr int kTries = 20;
  const auto row =
      std::find_if(std::begin(kTable), std::end(kTable), [&](const Row& r) { return r.type == type && isa_available(r.isa); });
  if (row == std::end(kTable)) return 0;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) row->rounds(kRounds);
  };
  double best = nanoseconds(body, threads);
  for (int attempt = 1; attempt < kTries; ++attempt) best = std::min(best, nanoseconds(body, threads));
  return row->macs * static_cast<double>(kRounds) * threads / best;
}

}  // namespace pare::kernels
