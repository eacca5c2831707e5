// The loops are written for the compiler to vectorize (division, rint and saturation have exact vector forms). To 8 bits
// a row of kernels.inc does the same without a division.
#include "kernels/quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <type_traits>

#include "base/cpu.h"
#include "base/threads.h"
#include "kernels/quantize/line.h"
#include "kernels/window.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                  \
  namespace ns {                                    \
  void quantize_line(const QuantizeLine&) noexcept; \
  }
#include "kernels/quantize/kernels.inc"
#undef PARE_KERNEL

namespace {

/// Saturation before rounding is the same, since the bounds are integers, and keeps the conversion in range.
inline std::int32_t quantize_value(float x, float scale, std::int32_t zero_point, float lo, float hi) noexcept {
  float v = x / scale;
  v = v == v ? v : 0.0f;
  v = v > lo ? v : lo;
  v = v < hi ? v : hi;
  return static_cast<std::int32_t>(__builtin_rintf(v)) + zero_point;
}

struct Bounds {
  float lo, hi;
};

Bounds bounds(DType type, std::int32_t zero_point) noexcept {
  const bool wide = type == DType::kInt16 || type == DType::kUint16;
  const std::int32_t lowest = type == DType::kInt8 ? -128 : type == DType::kInt16 ? -32768 : 0;
  return {static_cast<float>(lowest - zero_point), static_cast<float>(lowest + (wide ? 65535 : 255) - zero_point)};
}

/// The best row; nullptr: the loops.
auto line_kernel() noexcept -> void (*)(const QuantizeLine&) noexcept {
#define PARE_KERNEL(file, ns, isa) \
  if (isa_available(Isa::isa)) return ns::quantize_line;
#include "kernels/quantize/kernels.inc"
#undef PARE_KERNEL
  return nullptr;
}

template <class Out>
void quantize_run(const float* in, std::int64_t count, float scale, std::int32_t zero_point, Bounds b,
                  Out* out) noexcept {
  if constexpr (sizeof(Out) == 1) {
    constexpr std::int64_t kLong = 16;  // below that a row gains nothing
    const auto line = count >= kLong && scale >= kLeastScale && scale <= kLargestScale ? line_kernel() : nullptr;
    if (line)
      return line({in, count, scale, zero_point, std::is_signed_v<Out>, reinterpret_cast<std::uint8_t*>(out)});
  }
  for (std::int64_t i = 0; i < count; ++i)
    out[i] = static_cast<Out>(quantize_value(in[i], scale, zero_point, b.lo, b.hi));
}

template <class In>
void dequantize_run(const In* in, std::int64_t count, float scale, std::int32_t zero_point, float* out) noexcept {
  // Unsigned subtraction: int32 operands may wrap, as ONNX leaves open.
  for (std::int64_t i = 0; i < count; ++i) {
    const auto centred =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(in[i]) - static_cast<std::uint32_t>(zero_point));
    out[i] = static_cast<float>(centred) * scale;
  }
}

std::int32_t zero_at(const QuantLayout& layout, std::int64_t a) noexcept {
  return layout.zero_point ? layout.zero_point[a] : 0;
}

/// run(axis index, offset, count) over stretches that share their parameters, in parallel.
template <class Run>
void for_runs(const QuantLayout& layout, const Run& run) noexcept {
  if (layout.axis == 1) {
    const auto body = [&](std::int64_t begin, std::int64_t end) { run(0, begin, end - begin); };
    parallel_for(layout.outer * layout.inner, kGrainOperations, std::ref(body));
    return;
  }
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) run(i % layout.axis, i * layout.inner, layout.inner);
  };
  parallel_for(layout.outer * layout.axis,
               std::max<std::int64_t>(1, kGrainOperations / std::max<std::int64_t>(1, layout.inner)), std::ref(body));
}

/// Parameters along the last axis change with every element: the rows are walked with the parameters in step.
template <class Row>
void for_rows(const QuantLayout& layout, const Row& row) noexcept {
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) row(o * layout.axis);
  };
  parallel_for(layout.outer, std::max<std::int64_t>(1, kGrainOperations / layout.axis), std::ref(body));
}

template <class Out>
void quantize_as(const QuantLayout& l, const float* in, DType type, Out* out) noexcept {
  if (l.axis > 1 && l.inner == 1) {
    for_rows(l, [&](std::int64_t at) {
      for (std::int64_t a = 0; a < l.axis; ++a) {
        const Bounds b = bounds(type, zero_at(l, a));
        out[at + a] = static_cast<Out>(quantize_value(in[at + a], l.scale[a], zero_at(l, a), b.lo, b.hi));
      }
    });
    return;
  }
  for_runs(l, [&](std::int64_t a, std::int64_t at, std::int64_t count) {
    quantize_run(in + at, count, l.scale[a], zero_at(l, a), bounds(type, zero_at(l, a)), out + at);
  });
}

template <class In>
void dequantize_as(const QuantLayout& l, const In* in, float* out) noexcept {
  if (l.axis > 1 && l.inner == 1) {
    for_rows(l, [&](std::int64_t at) {
      for (std::int64_t a = 0; a < l.axis; ++a) dequantize_run(in + at + a, 1, l.scale[a], zero_at(l, a), out + at + a);
    });
    return;
  }
  for_runs(l, [&](std::int64_t a, std::int64_t at, std::int64_t count) {
    dequantize_run(in + at, count, l.scale[a], zero_at(l, a), out + at);
  });
}

}  // namespace

std::int32_t quantize_one(float x, float scale, std::int32_t zero_point, DType type) noexcept {
  const Bounds b = bounds(type, zero_point);
  return quantize_value(x, scale, zero_point, b.lo, b.hi);
}

void quantize_span(const float* in, std::int64_t count, const QuantParams& to, void* out) noexcept {
  const Bounds b = bounds(to.type, to.zero_point);
  if (to.type == DType::kInt8)
    quantize_run(in, count, to.scale, to.zero_point, b, static_cast<std::int8_t*>(out));
  else
    quantize_run(in, count, to.scale, to.zero_point, b, static_cast<std::uint8_t*>(out));
}

void quantize(const QuantLayout& layout, const float* in, DType out_type, void* out) noexcept {
  if (out_type == DType::kInt8)
    quantize_as(layout, in, out_type, static_cast<std::int8_t*>(out));
  else if (out_type == DType::kInt16)
    quantize_as(layout, in, out_type, static_cast<std::int16_t*>(out));
  else if (out_type == DType::kUint16)
    quantize_as(layout, in, out_type, static_cast<std::uint16_t*>(out));
  else
    quantize_as(layout, in, out_type, static_cast<std::uint8_t*>(out));
}

void dequantize(const QuantLayout& layout, DType in_type, const void* in, float* out) noexcept {
  if (in_type == DType::kInt8)
    dequantize_as(layout, static_cast<const std::int8_t*>(in), out);
  else if (in_type == DType::kUint8)
    dequantize_as(layout, static_cast<const std::uint8_t*>(in), out);
  else if (in_type == DType::kInt16)
    dequantize_as(layout, static_cast<const std::int16_t*>(in), out);
  else if (in_type == DType::kUint16)
    dequantize_as(layout, static_cast<const std::uint16_t*>(in), out);
  else
    dequantize_as(layout, static_cast<const std::int32_t*>(in), out);
}

void requantize(std::int64_t count, const QuantParams& from, const void* in, const QuantParams& to,
                void* out) noexcept {
  std::uint8_t table[256];
  for (int byte = 0; byte < 256; ++byte) {
    const std::int32_t q = from.type == DType::kInt8 ? static_cast<std::int8_t>(byte) : byte;
    const float real = static_cast<float>(q - from.zero_point) * from.scale;
    table[byte] = static_cast<std::uint8_t>(quantize_one(real, to.scale, to.zero_point, to.type));
  }
  const auto* source = static_cast<const std::uint8_t*>(in);
  auto* target = static_cast<std::uint8_t*>(out);
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) target[i] = table[source[i]];
  };
  parallel_for(count, kGrainOperations, std::ref(body));
}

}  // namespace pare::kernels
