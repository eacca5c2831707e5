// What the files that include oneDNN (onednn*.cpp; 2.x API) share.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <utility>

#include "runtime/onednn.h"
#include "runtime/weight_cache.h"

namespace pare::runtime::onednn {

const dnnl::engine& engine();

/// The weights in the layout that the primitive asked for; `plain` describes them as they are stored.
std::shared_ptr<const dnnl::memory> packed_weights(const std::string& key, const dnnl::memory::desc& plain,
                                                   const dnnl::memory::desc& wanted, const Tensor& weight,
                                                   WeightCache& cache);

inline dnnl::memory view(const dnnl::memory::desc& desc, const void* data) {
  return dnnl::memory(desc, engine(), const_cast<void*>(data));
}

/// oneDNN's plain reference, or a product over im2col: whatever it is, there is something better.
template <class Descriptor>
bool is_reference(const Descriptor& desc) {
  const std::string name = desc.impl_info_str();
  return name.rfind("ref", 0) == 0 || name.rfind("gemm:ref", 0) == 0 || name.rfind("x64:gemm:ref", 0) == 0;
}

/// What `make(in_place)` describes, and whether that adds to what its output holds: it does where `may` and there is a
/// kernel for it. Such 1x1 convolutions run on the kernels of those that add nothing; where they add a tensor of its own,
/// oneDNN falls back to older ones, which on AMX tiles take up to four times as long. Each description is made once: to
/// go through oneDNN's list of kernels takes as long as much of the planning.
template <class Make>
auto described(bool may, const Make& make) {
  using Descriptor = decltype(make(true));
  if (may) {
    try {
      if (Descriptor adds = make(true); !is_reference(adds)) return std::pair(std::move(adds), true);
    } catch (const dnnl::error&) {
    }
  }
  return std::pair(make(false), false);
}

/// Padding below and right: whatever makes the output size come out.
inline std::int64_t bottom_padding(const kernels::ConvShape& s) {
  return (s.out_h - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1 - s.in_h - s.pad_top;
}
inline std::int64_t right_padding(const kernels::ConvShape& s) {
  return (s.out_w - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1 - s.in_w - s.pad_left;
}

}  // namespace pare::runtime::onednn
