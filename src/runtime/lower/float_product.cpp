#include "runtime/lower/float_product.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/depthwise/depthwise.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/pointwise/pointwise.h"
#include "kernels/spconv_f32/spconv_f32.h"
#include "kernels/sppanel/sppanel.h"
#include "kernels/winograd/winograd.h"
#include "runtime/lower/bf16_product.h"
#include "runtime/lower/product.h"
#include "runtime/lower/sparse_cost.h"
#include "runtime/lower/sparse_neighbours.h"
#include "runtime/lower/weight_facts.h"

namespace pare::runtime {

namespace {

constexpr double kWorthALook = 0.6;  ///< share of zeros below which no shape pays
constexpr double kClearly = 1.2;     ///< what Winograd's estimate is made worse by: it must be clearly less
constexpr double kDepthwise = 16, kLibraryDepthwise = 5;  ///< multiply-adds a cycle (bench/kernels, depthwise_bench)
constexpr double kFilled = 1.03;  ///< entries for a weight that is not zero: pairs of channels are filled up

/// What the epilogue of our own kernels does not do.
void follow_up(const std::vector<onednn::PostOp>& post, std::int64_t count, const float* add, float* out) {
  kernels::BinaryShape flat;
  flat.rank = 1;
  flat.dims[0] = count;
  flat.a[0] = flat.b[0] = 1;
  for (const onednn::PostOp& op : post) {
    if (op.add)
      kernels::binary(kernels::BinaryOp::kAdd, flat, out, add, out);
    else
      kernels::unary(op.op, op.params, count, out, out);
  }
}

/// A form by kernels of our own, which clamp at most; what else follows comes after them, where `multiply` does not do
/// it (`activates`).
template <class Weights, class Multiply>
ProductForm own_form(Lowerer& lw, const Group& group, const FloatProduct& p, std::shared_ptr<const Weights> weights,
                     const std::function<std::size_t(int threads)>& scratch_bytes, Multiply multiply,
                     bool activates = false) {
  const auto clamp = final_clamp(group);
  ProductForm form{weights->kernel_name(), "", weights->bytes(), scratch_bytes(lw.threads()), {}};
  form.line_scratch_bytes = scratch_bytes(1);
  form.set_runs(p.shape, lw.threads(),
                [weights, multiply, clamp, activates,
                 post = clamp || activates ? std::vector<onednn::PostOp>() : post_ops(group)](
                    const kernels::ConvShape& shape, const void* in, const void* added, void* out, std::byte* scratch,
                    int threads) {
                  const auto* addend = static_cast<const float*>(added);
                  auto* to = static_cast<float*>(out);
                  kernels::ConvEpilogue epilogue;
                  if (clamp) epilogue = {addend, clamp->lo, clamp->hi};
                  if (activates) epilogue.residual = addend;
                  multiply(*weights, shape, static_cast<const float*>(in), epilogue, to, scratch, threads);
                  follow_up(post, shape.pixels() * shape.out_c, addend, to);
                });
  return form;
}

const float* bias_of(const FloatProduct& p) { return p.bias.defined() ? p.bias.data<float>().data() : nullptr; }

/// Values in panels are clamped alone, and without permutations of 16 lanes they would not pay.
bool may_lie_in_panels(const Group& group) { return final_clamp(group) && isa_available(Isa::kAvx512); }

ProductForm sparse_form(Lowerer& lw, const Group& group, const FloatProduct& p, const kernels::PanelValues& foretold) {
  using kernels::SpConvF32Weights;
  const auto weights = lw.cache().get_packed<SpConvF32Weights>(
      SpConvF32Weights::packing_key(p.shape, p.strides, bias_of(p)), p.weight,
      [&](kernels::PackedReader& reader) { return SpConvF32Weights::view(p.shape, reader); },
      [&] { return SpConvF32Weights::pack(p.shape, p.weight.aligned().data<float>().data(), p.strides, bias_of(p)); });
  const auto multiply = [](const SpConvF32Weights& packed, const kernels::ConvShape& shape, const float* in,
                           const kernels::ConvEpilogue& epilogue, float* out, void* scratch, int threads) noexcept {
    kernels::spconv_f32(packed, shape, in, epilogue, out, scratch, threads);
  };
  ProductForm form = own_form(
      lw, group, p, weights, [&](int threads) { return kernels::spconv_f32_scratch_bytes(*weights, threads); },
      multiply);
  if (!may_lie_in_panels(group)) return form;
  form.takes = [shape = p.shape](const kernels::PanelValues& values) {
    return kernels::spconv_f32_takes(shape, values);
  };
  form.by_panels = [weights, clamp = final_clamp(group), shape = p.shape, threads = lw.threads()](const kernels::PanelValues& values,
                                                                             const void* in, const void* added,
                                                                             void* out, std::byte* scratch) {
    kernels::spconv_f32(*weights, shape, static_cast<const float*>(in),
                        {static_cast<const float*>(added), clamp->lo, clamp->hi}, static_cast<float*>(out), scratch,
                        threads, values);
  };
  form.timed = foretold;
  return form;
}

/// What follows is an activation that the pointwise tiles have, perhaps after an addition, and no clamp;
/// kIdentity otherwise.
kernels::UnaryOp final_activation(const Group& group) {
  const std::vector<Follow>& all = group.follow;
  const bool adds_first = all.size() == 2 && all[0].add != ir::kNoValue;
  if (final_clamp(group) || all.empty() || (all.size() > 1 && !adds_first) || all.back().add != ir::kNoValue)
    return kernels::UnaryOp::kIdentity;
  const kernels::UnaryOp op = all.back().activation.op;
  return kernels::is_fused(op) ? op : kernels::UnaryOp::kIdentity;
}

ProductForm pointwise_form(Lowerer& lw, const Group& group, const FloatProduct& p) {
  using kernels::PointwiseWeights;
  const auto weights = lw.cache().get_packed<PointwiseWeights>(
      PointwiseWeights::packing_key(p.shape, p.strides, bias_of(p)), p.weight,
      [&](kernels::PackedReader& reader) { return PointwiseWeights::view(p.shape, reader); },
      [&] { return PointwiseWeights::pack(p.shape, p.weight.aligned().data<float>().data(), p.strides, bias_of(p)); });
  const kernels::UnaryOp activation = final_activation(group);
  const bool gathers = kernels::pointwise_fits_gathered(p.shape);
  const auto multiply = [activation, gathers](const PointwiseWeights& packed, const kernels::ConvShape& shape,
                                              const float* in, const kernels::ConvEpilogue& epilogue, float* out,
                                              void* scratch, int threads) noexcept {
    auto* const pixels = static_cast<float*>(scratch);
    if (gathers) kernels::gather_pixels(shape, in, pixels);
    kernels::pointwise(packed, shape, gathers ? pixels : in, {epilogue, activation}, out, threads);
  };
  const auto gathered = static_cast<std::size_t>(p.shape.pixels() * p.shape.in_c) * sizeof(float);
  return own_form(
      lw, group, p, weights, [&](int) { return gathers ? gathered : 0; }, multiply,
      activation != kernels::UnaryOp::kIdentity);
}

ProductForm winograd_form(Lowerer& lw, const Group& group, const FloatProduct& p, kernels::WinogradTile tile) {
  using kernels::WinogradWeights;
  const auto weights = lw.cache().get_for_form<WinogradWeights>(
      WinogradWeights::packing_key(p.shape, tile, p.strides, bias_of(p)), p.weight, [&] {
        return std::make_shared<const WinogradWeights>(
            WinogradWeights::pack(p.shape, tile, p.weight.aligned().data<float>().data(), p.strides, bias_of(p)));
      });
  ProductForm form = own_form(
      lw, group, p, weights, [&](int threads) { return kernels::winograd_scratch_bytes(*weights, p.shape, threads); },
      kernels::winograd);
  form.any_height = nullptr;  // few tiles at once take longer
  form.reason = tile == kernels::WinogradTile::k4x4 ? "36 multiplications for 144" : "16 multiplications for 36";
  return form;
}

/// The depthwise kernels' own epilogue, or what follows after them.
ProductForm depthwise_f32_form(Lowerer& lw, const Group& group, const FloatProduct& p) {
  const auto epilogue = float_epilogue(group, DType::kFloat32, DType::kFloat32);
  ProductForm form = depthwise_form(lw, p, DType::kFloat32, epilogue.value_or(kernels::FloatEpilogue{}));
  if (epilogue) return form;
  form.set_runs(p.shape, lw.threads(),
                [multiply = form.any_height, post = post_ops(group)](const kernels::ConvShape& shape, const void* in,
                                                                     const void* added, void* out, std::byte* scratch,
                                                                     int threads) {
                  multiply(shape, in, nullptr, out, scratch, threads);
                  follow_up(post, shape.pixels() * shape.out_c, static_cast<const float*>(added),
                            static_cast<float*>(out));
                });
  form.in_place = false;
  return form;
}

std::shared_ptr<const WeightFacts> facts_of(Lowerer& lw, const Group& group, const FloatProduct& p) {
  return p.shape.groups == 1 ? weight_facts(lw, group, p.shape, p.strides, p.weight) : nullptr;
}

std::string timing_key(Lowerer& lw, const Group& group, const FloatProduct& p, const WeightFacts* facts,
                       const kernels::PanelValues& foretold) {
  std::string key = "f32 " + describe(p.shape) + (facts ? ", " + facts->to_string() : "");
  if (foretold.in) key += ", input in panels";
  if (foretold.out) key += ", output in panels";
  for (const onednn::PostOp& op : post_ops(group))
    key += op.add ? ", add" : ", activation " + std::to_string(static_cast<int>(op.op));
  return key + ", threads " + std::to_string(lw.threads());
}

ProductBuffers buffers_of(const Group& group, const kernels::ConvShape& s) {
  const auto bytes = [](std::int64_t pixels, std::int64_t channels) {  // in panels or not
    return static_cast<std::size_t>(kernels::panel_elements(pixels, channels)) * sizeof(float);
  };
  const std::size_t out = bytes(s.pixels(), s.out_c);
  return {bytes(s.batch * s.in_h * s.in_w, s.in_c), added_value(group) == ir::kNoValue ? 0 : out, out};
}

/// Which values of a product with sparse weights will lie in panels, as far as that can be told before its neighbours
/// are chosen.
kernels::PanelValues foretell(Lowerer& lw, const Group& group, const FloatProduct& p) {
  if (!may_lie_in_panels(group) || p.layout != Layout::kChannelsLast) return {};
  kernels::PanelValues values;
  values.in = is_between_sparse(lw, lw.main(group).input(0));
  values.out = is_between_sparse(lw, group.output);
  const ir::ValueId added = added_value(group);
  values.added = added == ir::kNoValue ? values.out : is_between_sparse(lw, added);
  if (!kernels::spconv_f32_takes(p.shape, values)) values.out = values.added = false;
  return values;
}

/// Cycles of the sparse kernel; infinite where zeros are too few, or no kernel takes them.
double sparse_cycles(const FloatProduct& p, const WeightFacts* facts, const kernels::PanelValues& values = {}) {
  if (!facts || facts->sparsity() < kWorthALook || !isa_available(Isa::kAvx2)) return INFINITY;
  return panel_cycles(sparse_costs().f32, p.shape, p.shape.taps() * p.shape.in_c, kFilled * (1 - facts->sparsity()),
                      values);
}

bool winograd_runs(Lowerer& lw, const FloatProduct& p) {
  return kernels::winograd_fits(p.shape) && p.layout == Layout::kChannelsLast && !lw.exact() &&
         isa_available(Isa::kAvx2);
}

/// Weights of 4×4 tiles are more than twice those of 2×2. Where no cache holds them and few tiles share them, reading
/// them takes what the saved multiplications would.
bool winograd4x4_pays(const kernels::ConvShape& s) {
  const std::int64_t tiles = s.batch * ((s.out_h + 3) / 4) * ((s.out_w + 3) / 4), weights = 36 * s.in_c * s.out_c * 4;
  return tiles >= 36 || weights <= 2 * std::max<std::int64_t>(cpu_info().l2, 1 << 20);
}

double dense_cycles_of(const FloatProduct& p) {
  const double macs = kernels::depthwise_fits(p.shape) ? kLibraryDepthwise : sparse_costs().dense_f32;
  return static_cast<double>(p.shape.macs()) / macs;
}

/// The forms by our own kernels, where they are worth a look.
std::vector<Candidate> own_candidates(Lowerer& lw, const Group& group, const FloatProduct& p, const WeightFacts* facts,
                                      const kernels::PanelValues& foretold) {
  std::vector<Candidate> own;
  const double sparse = sparse_cycles(p, facts, foretold);
  if (std::isfinite(sparse))
    own.push_back({"spconv_f32", sparse, [&lw, &group, &p, foretold] { return sparse_form(lw, group, p, foretold); }});
  const bool gathered = kernels::pointwise_fits_gathered(p.shape) && p.layout == Layout::kChannelsLast;
  if ((kernels::pointwise_fits(p.shape) || gathered) && isa_available(Isa::kAvx2))
    own.push_back({"pointwise_f32", pointwise_cycles(p.shape),
                   [&lw, &group, &p] { return pointwise_form(lw, group, p); }, !gathered});
  if (kernels::depthwise_fits(p.shape) && p.layout == Layout::kChannelsLast)
    own.push_back({"depthwise_f32", static_cast<double>(p.shape.macs()) / kDepthwise,
                   [&lw, &group, &p] { return depthwise_f32_form(lw, group, p); }});
  if (!winograd_runs(lw, p)) return own;
  for (const auto& [name, tile] : {std::pair("winograd4x4_f32", kernels::WinogradTile::k4x4),
                                   std::pair("winograd2x2_f32", kernels::WinogradTile::k2x2)}) {
    if (tile == kernels::WinogradTile::k4x4 && !winograd4x4_pays(p.shape)) continue;
    own.push_back({name, kClearly * winograd_cycles(p.shape, tile),
                   [&lw, &group, &p, tile = tile] { return winograd_form(lw, group, p, tile); }});
  }
  return own;
}

/// oneDNN's where no other pays; nullopt with a reason where there is none at all.
std::optional<Chosen> choose_form(Lowerer& lw, const Group& group, const FloatProduct& p, std::string& reason) {
  const auto facts = facts_of(lw, group, p);
  const bool sparse = std::isfinite(sparse_cycles(p, facts.get()));
  const kernels::PanelValues foretold = sparse ? foretell(lw, group, p) : kernels::PanelValues{};
  const std::vector<Candidate> own = own_candidates(lw, group, p, facts.get(), foretold);
  if (!sparse)
    if (auto chosen = choose_for_band(lw, group, p.shape, DType::kFloat32, own)) return chosen;
  double least = INFINITY;
  for (const Candidate& candidate : own) least = std::min(least, candidate.cycles);
  const double dense_cycles = dense_cycles_of(p);
  // Where nothing is timed and the estimate is against it, the dense form is not made.
  const bool unwanted = !lw.tuner() && least < dense_cycles;
  const std::shared_ptr<const onednn::Product> dense = unwanted ? nullptr : p.dense({}, reason);
  std::vector<Candidate> candidates;
  if (dense || unwanted)
    candidates.push_back(
        {p.dense_kernel(), dense_cycles, [&, dense] { return library_form(p.dense_kernel(), dense); }});
  candidates.insert(candidates.end(), own.begin(), own.end());
  if (candidates.empty()) return std::nullopt;
  if (own.empty()) return Chosen{candidates[0].make(), ""};
  Chosen chosen = choose(lw, timing_key(lw, group, p, facts.get(), foretold), candidates, buffers_of(group, p.shape));
  if (facts && facts->sparsity() >= kWorthALook)
    chosen.form.reason += (chosen.form.reason.empty() ? "" : "; ") + facts->to_string();
  return chosen;
}

}  // namespace

ProductForm library_form(const std::string& kernel, const std::shared_ptr<const onednn::Product>& product) {
  ProductForm form{kernel, product->implementation(), product->weight_bytes(), product->scratch_bytes(), {}};
  form.run = [product](const void* in, const void* added, void* out, std::byte* scratch) {
    product->run(in, added, out, scratch);
  };
  form.in_place = product->adds_in_place();
  return form;
}

ProductForm depthwise_form(Lowerer& lw, const FloatProduct& p, DType type, const kernels::FloatEpilogue& epilogue) {
  using kernels::DepthwiseWeights;
  const float* bias = bias_of(p);
  const auto weights = lw.cache().get_for_form<DepthwiseWeights>(
      DepthwiseWeights::packing_key(p.shape, type, p.strides, bias), p.weight, [&] {
        return std::make_shared<const DepthwiseWeights>(
            DepthwiseWeights::pack(p.shape, type, p.weight.aligned().data<float>().data(), p.strides, bias));
      });
  ProductForm form{weights->kernel_name(), "", weights->bytes(), 0, {}};
  form.in_place = epilogue.residual_type == epilogue.output_type;
  form.set_runs(p.shape, lw.threads(),
                [weights, epilogue](const kernels::ConvShape& shape, const void* in, const void* added, void* out,
                                    std::byte*, int threads) {
                  kernels::FloatEpilogue e = epilogue;
                  e.residual = added;
                  kernels::depthwise(*weights, shape, in, e, out, threads);
                });
  return form;
}

bool zeros_pay(Lowerer& lw, const Group& group, const FloatProduct& p) {
  return 2 * sparse_cycles(p, facts_of(lw, group, p).get()) < dense_cycles_of(p);
}

std::optional<std::string> lower_float(Lowerer& lw, const Group& group, const FloatProduct& product) {
  std::string reason;
  std::optional<std::string> refused;
  if (lw.narrow_products() && !(refused = lower_bf16(lw, group, product))) return std::nullopt;
  const auto chosen = choose_form(lw, group, product, reason);
  if (!chosen) return reason;
  const ProductForm& form = chosen->form;
  const ir::ValueId added = added_value(group);
  const BufferId in = lw.read(lw.main(group).input(0), product.layout),
                 add = added == ir::kNoValue ? kNoBuffer : lw.read(added, product.layout),
                 out = lw.write(group.output, product.layout);
  StepNote note{.reason = form.reason};
  for (const std::string& more : {chosen->against, refused.value_or("")})
    if (!more.empty()) note.reason += "; " + more;
  emit_product(lw, group, std::move(note), form, product.shape, in, add, out);
  return std::nullopt;
}

}  // namespace pare::runtime
