// The shapes of the kernel benches: ResNet-50's convolutions, MobileNetV2's expansions, BERT-base's products at M = 128.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include "kernels/kernel.h"

namespace pare::kernels::bench {

/// Tensors begin at cache lines, as the runtime's do.
template <class T>
struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};
  LineAllocator() = default;
  template <class U>
  LineAllocator(const LineAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kLine)); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, kLine); }
  bool operator==(const LineAllocator&) const { return true; }
};
template <class T>
using Buffer = std::vector<T, LineAllocator<T>>;

struct Layer {
  const char* name;
  std::int64_t in_c, out_c, size, taps, stride;  ///< size 0: a product of 128 rows
};

inline constexpr Layer kLayers[] = {
    {"r50_64_64_56_1", 64, 64, 56, 1, 1},       {"r50_64_64_56_3", 64, 64, 56, 3, 1},
    {"r50_64_256_56_1", 64, 256, 56, 1, 1},     {"r50_256_64_56_1", 256, 64, 56, 1, 1},
    {"r50_128_128_28_3", 128, 128, 28, 3, 1},   {"r50_128_512_28_1", 128, 512, 28, 1, 1},
    {"r50_512_128_28_1", 512, 128, 28, 1, 1},   {"r50_256_256_14_3", 256, 256, 14, 3, 1},
    {"r50_256_1024_14_1", 256, 1024, 14, 1, 1}, {"r50_1024_256_14_1", 1024, 256, 14, 1, 1},
    {"r50_512_512_7_3", 512, 512, 7, 3, 1},     {"r50_512_2048_7_1", 512, 2048, 7, 1, 1},
    {"r50_2048_512_7_1", 2048, 512, 7, 1, 1},   {"mbv2_96_576_14_1", 96, 576, 14, 1, 1},
    {"bert_768_768", 768, 768, 0, 1, 1},        {"bert_768_3072", 768, 3072, 0, 1, 1},
    {"bert_3072_768", 3072, 768, 0, 1, 1}};

inline ConvShape shape_of(const Layer& l) {
  if (l.size == 0) return ConvShape::matmul(128, l.in_c, l.out_c);
  ConvShape s;
  s.in_c = l.in_c, s.out_c = l.out_c, s.in_h = s.in_w = s.out_h = s.out_w = l.size;
  s.kh = s.kw = l.taps, s.pad_top = s.pad_left = l.taps / 2;
  return s;
}

}  // namespace pare::kernels::bench
