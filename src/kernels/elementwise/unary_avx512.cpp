// Activations with powers, 16 elements at a time: those of the epilogues (kernels/vec_activation.h).
#include "kernels/vec_activation.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::avx512 {
namespace {

template <class Function>
bool run(const Function& f, std::int64_t count, const float* in, float* out) {
  std::int64_t i = 0;
  for (; i + F32::kLanes <= count; i += F32::kLanes) F32::store(out + i, f(F32::load(in + i)));
  if (i < count) F32::store_some(out + i, count - i, f(F32::load_some(in + i, count - i, 0)));
  return true;
}

}  // namespace

bool unary_span(UnaryOp op, std::int64_t count, const float* in, float* out) noexcept {
  if (op == UnaryOp::kGelu) return run(Gelu<F32>(), count, in, out);
  if (op == UnaryOp::kGeluTanh) return run(GeluTanh<F32>(), count, in, out);
  return false;
}

}  // namespace pare::kernels::avx512
