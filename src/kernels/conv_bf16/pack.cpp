// Weights by panels of output channels and chunks of inputs.
#include <algorithm>
#include <functional>
#include <new>
#include <vector>

#include "base/float16.h"
#include "base/huge_memory.h"
#include "base/threads.h"
#include "kernels/amx/chunks.h"
#include "kernels/conv_bf16/row.h"
#include "pare/error.h"

namespace pare::kernels {

namespace {

const Bf16Kernel& best_kernel() { return *best_row(conv_bf16_kernels()); }

Bf16Packed geometry(const ConvShape& s, const Bf16Kernel* kernel) {
  Bf16Packed packed;
  packed.kernel = kernel ? kernel : &best_kernel();
  packed.shape = s;
  packed.panels = (s.group_out() + kBf16Panel - 1) / kBf16Panel;
  packed.panel_lines = amx::Chunks(s, 2).steps() * kBf16Panel * 2 / 32;
  return packed;
}

std::size_t lines_of(const Bf16Packed& p) {
  return static_cast<std::size_t>(p.shape.groups * p.panels * p.panel_lines);
}
std::size_t biases_of(const Bf16Packed& p) { return static_cast<std::size_t>(p.shape.groups * p.panels * kBf16Panel); }

/// Where weight k of an output is in its panel, in numbers, less the output's own two.
std::vector<std::int64_t> places(const ConvShape& s) {
  const amx::Chunks chunks(s, 2);
  std::vector<std::int64_t> at;
  for (std::int64_t k = 0; k < s.taps() * s.group_in(); ++k) {
    const std::int64_t place = chunks.place(2 * k);
    at.push_back(place / 4 * kBf16Panel * 2 + place % 4 / 2);
  }
  return at;
}

}  // namespace

Bf16Weights Bf16Weights::pack(const ConvShape& s, const float* filter, const FilterStrides& f, const float* bias,
                              const Bf16Kernel* kernel) {
  try {
    Bf16Packed packed = geometry(s, kernel);
    std::vector<float> biases(biases_of(packed), 0.0f);
    HugeVector<Bf16Line> lines(lines_of(packed), Bf16Line{});
    const std::vector<std::int64_t> place = places(s);
    const auto outputs = [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t o = first; o < last; ++o) {
        const std::int64_t group = o / s.group_out(), c = o % s.group_out();
        const std::int64_t panel = group * packed.panels + c / kBf16Panel;
        std::uint16_t* to = lines[static_cast<std::size_t>(panel * packed.panel_lines)].values + c % kBf16Panel * 2;
        const std::int64_t* at = place.data();
        for (std::int64_t y = 0; y < s.kh; ++y)
          for (std::int64_t x = 0; x < s.kw; ++x)
            for (std::int64_t i = 0; i < s.group_in(); ++i)
              to[*at++] = float_to_bfloat16(filter[o * f.o + i * f.i + y * f.y + x * f.x]);
        if (bias) biases[static_cast<std::size_t>(panel * kBf16Panel + c % kBf16Panel)] = bias[o];
      }
    };
    parallel_for(s.out_c, kBf16Panel, std::ref(outputs));
    packed.weights = PackedArray<Bf16Line>(std::move(lines));
    packed.bias = PackedArray<float>(std::move(biases));
    return Bf16Weights(std::make_shared<const Bf16Packed>(std::move(packed)));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "convolution weights", "do not fit in memory when packed");
  }
}

void Bf16Weights::write(PackedWriter& writer) const {
  writer.array(packed().weights);
  writer.array(packed().bias);
}

std::optional<Bf16Weights> Bf16Weights::view(const ConvShape& s, PackedReader& reader) {
  Bf16Packed packed = geometry(s, nullptr);
  packed.weights = reader.array<Bf16Line>(lines_of(packed));
  packed.bias = reader.array<float>(biases_of(packed));
  if (!reader.finished()) return std::nullopt;
  return Bf16Weights(std::make_shared<const Bf16Packed>(std::move(packed)));
}

std::string Bf16Weights::packing_key(const ConvShape& s, const FilterStrides& f, const float* bias) {
  PackingKey key("conv_bf16", 1, best_kernel().name);
  key.add(s.in_c, s.out_c, s.groups, s.kh, s.kw, s.dilation_w, f.o, f.i, f.y, f.x).add_array(bias, s.out_c);
  return key.text();
}

const char* Bf16Weights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t Bf16Weights::bytes() const noexcept { return packed().weights.bytes() + packed().bias.bytes(); }

}  // namespace pare::kernels
