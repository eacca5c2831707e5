// The table of convolutions by lines, packing, and the walk over lines.
#include "kernels/qlines/qlines.h"

#include <algorithm>
#include <functional>
#include <new>

#include "base/threads.h"
#include "kernels/qlines/row.h"
#include "pare/error.h"

namespace pare::kernels {

#define PARE_KERNEL(file, ns, isa)                \
  namespace ns {                                  \
  void qlines_line(const QLinesLine& t) noexcept; \
  }
#include "kernels/qlines/kernels.inc"
#undef PARE_KERNEL

namespace {

constexpr QLinesKernel kTable[] = {
#define PARE_KERNEL(file, ns, isa) {"qlines__" #ns, Isa::isa, ns::qlines_line},
#include "kernels/qlines/kernels.inc"
#undef PARE_KERNEL
};

constexpr auto kRows = rows_of(kTable);

constexpr std::int64_t kMostChannels = 4, kBytes = 4;  ///< of inputs; that are multiplied at once
constexpr std::int64_t kAlign = 64;

constexpr std::int64_t round_up(std::int64_t n) { return (n + kAlign - 1) / kAlign * kAlign; }

std::int8_t weight_at(const QConvFilter& filter, const ConvShape& s, std::int64_t o, std::int64_t ky, std::int64_t at) {
  const FilterStrides& f = filter.strides;
  return static_cast<const std::int8_t*>(filter.data)[o * f.o + ky * f.y + at / s.in_c * f.x + at % s.in_c * f.i];
}

/// All but weights and bias.
void describe(QLinesPacked& packed, const QLinesKernel& kernel, const ConvShape& s, DType input_type,
              std::int32_t input_zero_point) {
  packed.kernel = &kernel;
  packed.common.shape = s;
  packed.common.input_signed = input_type == DType::kInt8;
  packed.common.input_zero_point = input_zero_point;
  packed.steps = (s.kw * s.in_c + kBytes - 1) / kBytes;
  packed.blocks = (s.out_c + kQLinesChannels - 1) / kQLinesChannels;
}

std::size_t weight_count(const QLinesPacked& p) {
  return static_cast<std::size_t>(p.blocks * p.common.shape.kh * p.steps * kQLinesChannels * kBytes);
}

void pack_into(QLinesPacked& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const ConvShape& s = packed.common.shape;
  const std::int32_t zero = packed.common.input_zero_point + (packed.common.input_signed ? 128 : 0);
  std::vector<std::int8_t> weights(weight_count(packed));
  packed.common.bias.assign(static_cast<std::size_t>(s.out_c), 0);
  for (std::int64_t o = 0; o < s.out_c; ++o) {
    std::int32_t sum = 0;
    for (std::int64_t ky = 0; ky < s.kh; ++ky)
      for (std::int64_t at = 0; at < s.kw * s.in_c; ++at) {
        const std::int8_t w = weight_at(filter, s, o, ky, at);
        const std::int64_t step = (o / kQLinesChannels * s.kh + ky) * packed.steps + at / kBytes;
        weights[static_cast<std::size_t>((step * kQLinesChannels + o % kQLinesChannels) * kBytes + at % kBytes)] = w;
        sum += w;
      }
    packed.common.bias[static_cast<std::size_t>(o)] = (bias ? bias[o] : 0) - zero * sum;
  }
  packed.weights = PackedArray<std::int8_t>(std::move(weights));
}

/// Lines of the input between that a window reads first and last.
std::int64_t reach(const ConvShape& s) { return (s.kh - 1) * s.dilation_h + 1; }

/// Lines with padding around them: those that a window reaches over, and one of padding alone. All in scratch.
class Lines {
 public:
  static std::size_t bytes(const QLinesPacked& p, const ConvShape& s) {
    return apart(static_cast<std::size_t>((reach(s) + 1) * line_bytes(p, s)) +
                 static_cast<std::size_t>(reach(s)) * sizeof(std::int64_t) +
                 static_cast<std::size_t>(s.kh) * sizeof(const std::uint8_t*));
  }

  Lines(const QLinesPacked& p, const ConvShape& s, const void* input, std::byte* scratch)
      : s_(s),
        input_(static_cast<const std::uint8_t*>(input)),
        flip_(p.common.input_signed ? 0x80 : 0),
        zero_(static_cast<std::uint8_t>(p.common.input_zero_point) ^ flip_),
        line_(line_bytes(p, s)),
        lines_(reinterpret_cast<std::uint8_t*>(scratch)),
        held_(reinterpret_cast<std::int64_t*>(scratch + (reach(s) + 1) * line_)),
        at_(reinterpret_cast<const std::uint8_t**>(held_ + reach(s))) {
    std::fill_n(lines_, (reach(s) + 1) * line_, zero_);
    std::fill_n(held_, reach(s), std::int64_t{-1});
  }

  /// What output line y of an image reads, [kh]; valid until the next call.
  const std::uint8_t* const* read(std::int64_t image, std::int64_t y) {
    for (std::int64_t ky = 0; ky < s_.kh; ++ky) {
      const std::int64_t row = y * s_.stride_h - s_.pad_top + ky * s_.dilation_h;
      at_[ky] = row < 0 || row >= s_.in_h ? lines_ + reach(s_) * line_ : copied(image * s_.in_h + row);
    }
    return at_;
  }

 private:
  /// Kernels read whole steps.
  static std::int64_t line_bytes(const QLinesPacked& p, const ConvShape& s) {
    return round_up((s.out_w - 1) * s.stride_w * s.in_c + p.steps * kBytes);
  }

  const std::uint8_t* copied(std::int64_t row) {
    const std::int64_t slot = row % reach(s_), left = s_.pad_left * s_.in_c;
    std::uint8_t* line = lines_ + slot * line_;
    if (held_[slot] == row) return line;
    held_[slot] = row;
    const std::uint8_t* from = input_ + row * s_.in_w * s_.in_c;
    const std::int64_t count = std::min(s_.in_w * s_.in_c, line_ - left);
    for (std::int64_t i = 0; i < count; ++i) line[left + i] = from[i] ^ flip_;
    return line;
  }

  const ConvShape& s_;
  const std::uint8_t* input_;
  std::uint8_t flip_, zero_;
  std::int64_t line_;
  std::uint8_t* lines_;
  std::int64_t* held_;  ///< which line each slot has
  const std::uint8_t** at_;
};

/// Output lines [begin, end), counted over images.
void run_lines(const QLinesPacked& w, const ConvShape& s, const void* input, const QConvEpilogue& epilogue,
               void* output, std::int64_t begin, std::int64_t end, std::byte* scratch) noexcept {
  Lines lines(w, s, input, scratch);
  QLinesLine line{};
  line.kh = s.kh, line.steps = w.steps, line.pixel_bytes = s.stride_w * s.in_c;
  line.weights = w.weights.data();
  line.pixels = s.out_w, line.channels = s.out_c;
  line.bounded = qconv_bounded(epilogue, s.out_c);
  for (std::int64_t y = begin; y < end; ++y) {
    line.lines = lines.read(y / s.out_h, y % s.out_h);
    line.finish = qconv_finish_at(w.common, epilogue, y * s.out_w, 0, output);
    w.kernel->line(line);
  }
}

}  // namespace

bool QLinesWeights::takes(const ConvShape& s, const QConvFilter& filter) noexcept {
  if (s.groups != 1 || s.in_c > kMostChannels || s.kw < 2 || s.dilation_w != 1 || filter.is_unsigned) return false;
  return !filter.zero_point ||
         std::all_of(filter.zero_point, filter.zero_point + s.out_c, [](std::int32_t z) { return z == 0; });
}

QLinesWeights QLinesWeights::pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                  std::int32_t input_zero_point, const std::int32_t* bias, const QLinesKernel* kernel) {
  try {
    auto packed = std::make_shared<QLinesPacked>();
    describe(*packed, kernel ? *kernel : *best_row(kRows), shape, input_type, input_zero_point);
    pack_into(*packed, filter, bias);
    return QLinesWeights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "weights", "do not fit in memory when packed");
  }
}

std::string QLinesWeights::packing_key(const ConvShape& s, const QConvFilter& filter, DType input_type,
                                       std::int32_t input_zero_point, const std::int32_t* bias) {
  PackingKey key("qlines", 1, best_row(kRows)->name);
  key.add(s.in_c, s.out_c, s.kh, s.kw, filter.strides.o, filter.strides.i, filter.strides.y, filter.strides.x);
  key.add(input_type, input_zero_point).add_array(bias, s.out_c);
  return key.text();
}

void QLinesWeights::write(PackedWriter& writer) const {
  writer.array(packed().weights);
  writer.array(PackedArray<std::int32_t>(packed().common.bias));
}

std::optional<QLinesWeights> QLinesWeights::view(const ConvShape& shape, DType input_type,
                                                 std::int32_t input_zero_point, PackedReader& reader) {
  auto packed = std::make_shared<QLinesPacked>();
  describe(*packed, *best_row(kRows), shape, input_type, input_zero_point);
  packed->weights = reader.array<std::int8_t>(weight_count(*packed));
  const PackedArray<std::int32_t> bias = reader.array<std::int32_t>(static_cast<std::size_t>(shape.out_c));
  packed->common.bias.assign(bias.data(), bias.data() + bias.size());
  if (!reader.finished()) return std::nullopt;
  return QLinesWeights(std::move(packed));
}

const char* QLinesWeights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t QLinesWeights::bytes() const noexcept {
  return packed().weights.bytes() + packed().common.bias.size() * sizeof(std::int32_t);
}

std::size_t qlines_scratch_bytes(const QLinesWeights& weights, const ConvShape& shape, int threads) noexcept {
  return Lines::bytes(weights.packed(), shape) * static_cast<std::size_t>(std::max(threads, 1)) + kApart;
}

void qlines(const QLinesWeights& weights, const ConvShape& shape, const void* input, const QConvEpilogue& epilogue,
            void* output, void* scratch, int threads) noexcept {
  const QLinesPacked& w = weights.packed();
  const std::int64_t lines = shape.batch * shape.out_h, parts = std::max(threads, 1);
  const std::size_t each = Lines::bytes(w, shape);
  auto* base = reinterpret_cast<std::byte*>(apart(reinterpret_cast<std::uintptr_t>(scratch)));
  const auto body = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      run_lines(w, shape, input, epilogue, output, lines * i / parts, lines * (i + 1) / parts,
                base + static_cast<std::size_t>(i) * each);
  };
  if (parts == 1)
    body(0, 1);
  else
    parallel_for(parts, 1, std::ref(body));
}

std::span<const QLinesKernel* const> qlines_kernels() noexcept { return kRows; }
const char* qlines_kernel_name(const QLinesKernel& kernel) noexcept { return kernel.name; }
Isa qlines_kernel_isa(const QLinesKernel& kernel) noexcept { return kernel.isa; }

}  // namespace pare::kernels
