#include "runtime/lower/integer_forms.h"

#include <algorithm>
#include <cmath>

#include "kernels/bitconv/bitconv.h"
#include "kernels/qbits/qbits.h"
#include "kernels/qdepthwise/qdepthwise.h"
#include "kernels/qlines/qlines.h"
#include "kernels/spconv/spconv.h"
#include "kernels/spconv_1x4/spconv_1x4.h"
#include "runtime/lower/input_range.h"
#include "runtime/lower/sparse_cost.h"
#include "runtime/onednn.h"

namespace pare::runtime {

namespace {

using kernels::ConvShape;
using kernels::QConvEpilogue;

constexpr std::int64_t kFewRows = 4;  ///< below it oneDNN repacks more than it computes; up to it qbits reads weights once
constexpr double kOwnDense = 1.5;     ///< cycles of our own tiles where oneDNN has a product too (bench/peers: 1.2 to 2.2)
constexpr double kDenseAmx = 600;     ///< multiply-adds a cycle of oneDNN's dense products on AMX tiles
constexpr double kOwnAmx = 700, kTileFinish = 6;  ///< of our own on them, and cycles of 16 outputs
constexpr double kLineProduct = 0.52, kLineFinish = 5;  ///< cycles by lines: of four bytes and 16 outputs, and of these
constexpr double kMemory = 6;         ///< bytes a cycle of weights that no cache holds

bool is_depthwise(const ConvShape& s) { return s.groups > 1 && s.groups == s.in_c && s.groups == s.out_c; }
double outputs(const ConvShape& s) { return static_cast<double>(s.pixels() * s.out_c); }

/// At least what it takes to read the weights of a product of few rows from memory.
double or_reading(double cycles, const ConvShape& s, double bytes) {
  const bool cached = bytes <= static_cast<double>(std::max<std::int64_t>(cpu_info().l2, 1 << 18));
  return s.pixels() > kFewRows || cached ? cycles : std::max(cycles, bytes / kMemory);
}

double dense_cycles(const ConvShape& s, bool amx) {
  const SparseCosts& c = sparse_costs();
  const double cycles = static_cast<double>(s.macs()) / (amx ? kDenseAmx : c.dense_s8) + outputs(s) / 16 * c.dense_finish;
  return or_reading(cycles, s, static_cast<double>(s.taps() * s.group_in() * s.out_c));
}

/// Of oneDNN's; without AMX it fills up the channels of each tap to four.
double library_cycles(const ConvShape& s, bool amx) {
  const double filled = !amx && s.taps() > 1 && s.group_in() < 4 ? 4.0 / static_cast<double>(s.group_in()) : 1;
  return dense_cycles(s, amx) + (filled - 1) * static_cast<double>(s.macs()) / sparse_costs().dense_s8;
}

/// Of our own products on AMX tiles.
double tile_cycles(const ConvShape& s) {
  const double cycles = static_cast<double>(s.macs()) / kOwnAmx + outputs(s) / 16 * kTileFinish;
  return or_reading(cycles, s, static_cast<double>(s.taps() * s.group_in() * s.out_c));
}

/// A form that runs a function of the kernels: run(shape, in, epilogue, out, scratch, threads), with the
/// memory scratch(threads).
template <class Run>
ProductForm own_form(const IntegerTask& t, std::string kernel, std::string reason, std::size_t bytes,
                     const std::function<std::size_t(int threads)>& scratch, Run run) {
  ProductForm form{std::move(kernel), std::move(reason), bytes, scratch(t.lw.threads()), {}};
  form.line_scratch_bytes = scratch(1);
  const auto wide = [](DType type) { return type == DType::kFloat32; };
  form.in_place = !t.shared && wide(t.epilogue.residual_type) == wide(t.epilogue.output_type);  // the same size
  form.set_runs(t.shape, t.lw.threads(),
                [epilogue = t.epilogue, multiplier = t.multiplier, shared = t.shared, run](
                    const ConvShape& shape, const void* in, const void* added, void* out, std::byte* at, int threads) {
                  QConvEpilogue e = epilogue;
                  e.multiplier = multiplier->data();
                  e.residual = shared ? shared->data() : added;
                  run(shape, in, e, out, at, threads);
                });
  return form;
}

/// Those of a family: from a file that holds them, or packed now.
template <class Weights>
std::shared_ptr<const Weights> packed_weights(const IntegerTask& t) {
  return t.lw.cache().get_packed<Weights>(
      Weights::packing_key(t.shape, t.layout(), t.input_type(), t.input_zero_point(), t.bias.data()), t.weight(),
      [&](kernels::PackedReader& reader) {
        return Weights::view(t.shape, t.input_type(), t.input_zero_point(), reader);
      },
      [&] { return Weights::pack(t.shape, t.filter(), t.input_type(), t.input_zero_point(), t.bias.data()); });
}

std::string plain_reason(const IntegerTask& t) {
  return t.epilogue.output_type == DType::kFloat32 ? "8-bit input and weight, float output"
                                                   : "8-bit input, weight and output";
}

/// oneDNN's product. Its products without VNNI saturate at 16 bits, and of few rows it repacks more than it computes.
std::optional<Candidate> library(const IntegerTask& t) {
  if (!isa_available(Isa::kAvx512Vnni) || t.shape.pixels() < kFewRows || is_depthwise(t.shape)) return std::nullopt;
  const std::vector<std::int32_t>& zero = t.weight_zero_point;
  const bool centred = std::all_of(zero.begin(), zero.end(), [](std::int32_t z) { return z == 0; });
  if (t.weight().dtype() != DType::kInt8 || !centred) return std::nullopt;
  QConvEpilogue epilogue = t.epilogue;
  epilogue.multiplier = t.multiplier->data();
  const onednn::IntegerInput input{t.input_type(), t.input_zero_point(), t.bias.data()};
  std::string why;
  const auto offer =
      t.weight().rank() == 2
          ? onednn::integer_matmul(t.name(), t.shape, t.weight(), t.strides.i == 1, input, epilogue, t.lw.cache(), why)
          : onednn::integer_convolution(t.name(), t.shape, t.weight(), input, epilogue, t.lw.cache(), why);
  if (!offer) return std::nullopt;
  const bool amx = offer->implementation.find("amx") != std::string::npos;
  if (amx && !isa_available(Isa::kAmx)) return std::nullopt;  // it does not know of PARE_FORCE_ISA
  return Candidate{"qconv__onednn", library_cycles(t.shape, amx), [make = offer->make] {
                     const auto product = make();
                     ProductForm form{"qconv__onednn", product->implementation(), product->weight_bytes(),
                                      product->scratch_bytes(), {}};
                     form.run = [product](const void* in, const void* added, void* out, std::byte* scratch) {
                       product->run(in, added, out, scratch);
                     };
                     form.in_place = product->adds_in_place();
                     return form;
                   }};
}

std::optional<Candidate> dense(const IntegerTask& t) {
  using kernels::QConvWeights;
  if (is_depthwise(t.shape)) return std::nullopt;
  const bool beside_library = isa_available(Isa::kAvx512Vnni) && t.shape.pixels() >= kFewRows;
  const double cycles = isa_available(Isa::kAmx) ? tile_cycles(t.shape)
                                                 : dense_cycles(t.shape, false) * (beside_library ? kOwnDense : 1);
  const auto make = [t] {
    const auto weights = packed_weights<QConvWeights>(t);
    return own_form(t, weights->kernel_name(), plain_reason(t), weights->bytes(),
                    [&](int threads) { return kernels::qconv_scratch_bytes(*weights, t.shape, threads); },
                    [weights](const ConvShape& s, const void* in, const QConvEpilogue& e, void* out, void* at, int threads) {
                      kernels::qconv(*weights, s, in, e, out, at, threads);
                    });
  };
  // Without tiles they cost more than bands win.
  return Candidate{"qconv", cycles, make, isa_available(Isa::kAmx)};
}

std::optional<Candidate> by_lines(const IntegerTask& t) {
  using kernels::QLinesWeights;
  if (!isa_available(Isa::kAvx512VnniVbmi) || !QLinesWeights::takes(t.shape, t.layout())) return std::nullopt;
  const double products = static_cast<double>(t.shape.kh * ((t.shape.kw * t.shape.in_c + 3) / 4));
  return Candidate{"qlines", outputs(t.shape) / 16 * (products * kLineProduct + kLineFinish), [t] {
    const auto weights = packed_weights<QLinesWeights>(t);
    return own_form(t, weights->kernel_name(), "few input channels", weights->bytes(),
                    [&](int threads) { return kernels::qlines_scratch_bytes(*weights, t.shape, threads); },
                    [weights](const ConvShape& s, const void* in, const QConvEpilogue& e, void* out, void* at, int threads) {
                      kernels::qlines(*weights, s, in, e, out, at, threads);
                    });
  }};
}

std::optional<Candidate> depthwise(const IntegerTask& t) {
  using kernels::QDepthwiseWeights;
  if (!is_depthwise(t.shape)) return std::nullopt;
  return Candidate{"qdepthwise", 0, [t] {
    const auto weights = packed_weights<QDepthwiseWeights>(t);
    return own_form(t, weights->kernel_name(), plain_reason(t), weights->bytes(), [](int) { return 0; },
                    [weights](const ConvShape& s, const void* in, const QConvEpilogue& e, void* out, void*, int) {
                      kernels::qdepthwise(*weights, s, in, e, out);
                    });
  }};
}

bool sparse_enough(const IntegerTask& t) { return t.facts && t.facts->sparsity() >= kSparse8Bit && isa_available(Isa::kAvx2); }

std::optional<Candidate> gathered(const IntegerTask& t) {
  using kernels::SpConvWeights;
  if (!sparse_enough(t) || !isa_available(Isa::kAvx512VnniVbmi) || !SpConvWeights::takes(t.shape, t.layout()))
    return std::nullopt;
  const SparseCosts& c = sparse_costs();
  const double cycles = static_cast<double>(t.facts->slots * t.shape.pixels()) * c.slot + outputs(t.shape) / 16 * c.gathered_finish;
  return Candidate{"spconv", cycles, [t] {
    const auto weights = packed_weights<SpConvWeights>(t);
    return own_form(t, weights->kernel_name(), "", weights->bytes(),
                    [&](int threads) { return kernels::spconv_scratch_bytes(*weights, t.shape, threads); },
                    [weights](const ConvShape& s, const void* in, const QConvEpilogue& e, void* out, void* at, int threads) {
                      kernels::spconv(*weights, s, in, e, out, at, threads);
                    });
  }};
}

std::optional<Candidate> blocks(const IntegerTask& t) {
  using kernels::SpConv1x4Weights;
  if (!sparse_enough(t) || !SpConv1x4Weights::takes(t.shape, t.layout())) return std::nullopt;
  const std::int64_t inputs = t.shape.taps() * t.shape.in_c / 4;
  const double density = static_cast<double>(t.facts->quads) / static_cast<double>(inputs * t.shape.out_c);
  return Candidate{"spconv_1x4", panel_cycles(sparse_costs().s8, t.shape, inputs, density), [t] {
    const auto weights = packed_weights<SpConv1x4Weights>(t);
    return own_form(t, weights->kernel_name(), "", weights->bytes(),
                    [&](int threads) { return kernels::spconv_1x4_scratch_bytes(*weights, threads); },
                    [weights](const ConvShape& s, const void* in, const QConvEpilogue& e, void* out, void* at, int threads) {
                      kernels::spconv_1x4(*weights, s, in, e, out, at, threads);
                    });
  }};
}

/// Inputs of at most two bits, where the graph says so.
std::optional<kernels::BitInputs> bit_inputs(const IntegerTask& t) {
  const auto range = input_range(t.lw.model(), t.product.input.q);
  const std::int32_t zero = t.input_zero_point();
  if (!range || zero < range->low || zero > range->high || range->high - range->low > 3) return std::nullopt;
  return kernels::BitInputs{t.input_type(), zero, range->low, range->high - range->low > 1 ? 2 : 1};
}

std::optional<Candidate> by_bits(const IntegerTask& t) {
  using kernels::BitConvWeights;
  if (!t.facts || t.facts->low < -1 || t.facts->high > 1 || !isa_available(Isa::kAvx2)) return std::nullopt;
  const auto inputs = bit_inputs(t);
  if (!inputs || !BitConvWeights::takes(t.shape, t.filter(), *inputs)) return std::nullopt;
  const SparseCosts& c = sparse_costs();
  const double words = static_cast<double>(t.shape.taps() * ((t.shape.in_c + 31) / 32) * inputs->bits *
                                           (t.facts->zeros == 0 ? 1 : 2)),
               pixels = static_cast<double>(t.shape.batch * t.shape.in_h * t.shape.in_w);
  const double cycles = outputs(t.shape) / 16 * (words * c.bits + c.dense_finish) +
                        pixels * static_cast<double>(t.shape.in_c) / 64 * c.encode;
  return Candidate{"bitconv", cycles, [t, inputs = *inputs] {
    const auto weights = t.lw.cache().get_packed<BitConvWeights>(
        BitConvWeights::packing_key(t.shape, t.filter(), inputs, t.bias.data()), t.weight(),
        [&](kernels::PackedReader& reader) { return BitConvWeights::view(t.shape, inputs, reader); },
        [&] { return BitConvWeights::pack(t.shape, t.filter(), inputs, t.bias.data()); });
    const std::string reason = std::string(weights->binary() ? "binary" : "ternary") + " weights, " +
                               std::to_string(inputs.bits) + "-bit inputs";
    return own_form(t, weights->kernel_name(), reason, weights->bytes(),
                    [&](int threads) { return kernels::bitconv_scratch_bytes(*weights, t.shape, threads); },
                    [weights](const ConvShape& s, const void* in, const QConvEpilogue& e, void* out, void* at, int threads) {
                      kernels::bitconv(*weights, s, in, e, out, at, threads);
                    });
  }};
}

std::optional<Candidate> few_rows(const IntegerTask& t) {
  using kernels::QBitsWeights;
  if (!t.facts || t.shape.pixels() > kFewRows || t.shape.in_h * t.shape.in_w != 1 || !isa_available(Isa::kAvx2)) return std::nullopt;
  if (t.facts->values > 16 || (t.facts->values > 2 && t.facts->high - t.facts->low > 15)) return std::nullopt;
  const auto code = QBitsWeights::code_of(t.shape, t.filter());
  if (!code) return std::nullopt;
  const double macs = static_cast<double>(t.shape.macs()), weights = static_cast<double>(t.shape.in_c * t.shape.out_c);
  const double computing = macs / 64 * sparse_costs().code + outputs(t.shape) / 16 * sparse_costs().dense_finish;
  return Candidate{"qbits", or_reading(computing, t.shape, weights * code->bits / 8), [t, code = *code] {
    const auto packed = t.lw.cache().get_packed<QBitsWeights>(
        QBitsWeights::packing_key(t.shape, t.filter(), code, t.input_type(), t.input_zero_point(), t.bias.data()), t.weight(),
        [&](kernels::PackedReader& reader) {
          return QBitsWeights::view(t.shape, code, t.input_type(), t.input_zero_point(), reader);
        },
        [&] { return QBitsWeights::pack(t.shape, t.filter(), code, t.input_type(), t.input_zero_point(), t.bias.data()); });
    return own_form(t, packed->kernel_name(), std::to_string(code.bits) + "-bit weights", packed->bytes(),
                    [&](int) { return kernels::qbits_scratch_bytes(*packed, t.shape); },
                    [packed](const ConvShape& s, const void* in, const QConvEpilogue& e, void* out, void* at, int threads) {
                      kernels::qbits(*packed, s, in, e, out, at, threads);
                    });
  }};
}

}  // namespace

std::vector<Candidate> integer_candidates(const IntegerTask& task) {
  static constexpr std::optional<Candidate> (*kForms[])(const IntegerTask&) = {library,  dense,  by_lines, depthwise,
                                                                               gathered, blocks, by_bits,  few_rows};
  std::vector<Candidate> found;
  if (task.shared) {  // which the others do not add
    if (auto candidate = dense(task)) found.push_back(std::move(*candidate));
    return found;
  }
  for (const auto form : kForms)
    if (auto candidate = form(task)) found.push_back(std::move(*candidate));
  return found;
}

std::string timing_key(const IntegerTask& t) {
  const QConvEpilogue& e = t.epilogue;
  std::string key = "int8 " + describe(t.shape) + ", " + std::string(name(t.input_type())) + " to " +
                    std::string(name(e.output_type)) + (e.first.multiplier != 0 ? ", rounded first" : "") +
                    (t.shared ? ", and added to" : "");
  if (e.residual_type != DType::kUndefined) key += ", adds " + std::string(name(e.residual_type));
  if (t.facts && t.facts->sparsity() > 0) key += ", " + t.facts->to_string();
  if (t.facts && t.facts->values <= 16) key += ", " + std::to_string(t.facts->values) + " values";
  return key + ", threads " + std::to_string(t.lw.threads());
}

}  // namespace pare::runtime
