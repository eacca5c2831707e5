// Six tiles by two vectors of output channels in twelve sums.
#include "kernels/vec_avx2.h"
#include "kernels/winograd/tile.h"

namespace pare::kernels::avx2 {
namespace {

using Rows = void (*)(const WinogradProduct&, const float*, const float*, const float*, float*);

template <int N>
constexpr Rows kRows[] = {winograd_rows<F32, 1, N>, winograd_rows<F32, 2, N>, winograd_rows<F32, 3, N>,
                          winograd_rows<F32, 4, N>, winograd_rows<F32, 5, N>, winograd_rows<F32, 6, N>};

}  // namespace

void winograd_transform(const WinogradInput& p) noexcept { winograd_input<F32>(p); }
void winograd_products(const WinogradProduct& p) noexcept {
  p.vectors == 2 ? winograd_multiply<F32>(p, kRows<2>) : winograd_multiply<F32>(p, kRows<1>);
}
void winograd_finish(const WinogradOutput& p) noexcept { winograd_output<F32>(p); }

}  // namespace pare::kernels::avx2
