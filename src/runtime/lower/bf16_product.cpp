#include "runtime/lower/bf16_product.h"

#include <utility>

#include "kernels/conv_bf16/conv_bf16.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/elementwise/elementwise.h"
#include "runtime/lower/product.h"

namespace pare::runtime {

namespace {

// Multiply-adds a cycle of products, and cycles of 16 outputs (bench/kernels: conv_bf16_bench, depthwise_bench).
constexpr double kLibrary = 250, kOwn = 350, kFinish = 5, kLibraryDepthwise = 5, kDepthwise = 20;

bool is_narrow(DType type) { return type == DType::kBFloat16; }

double cycles(const kernels::ConvShape& s, double multiply_adds) {
  return static_cast<double>(s.macs()) / multiply_adds + static_cast<double>(s.pixels() * s.out_c) / 16 * kFinish;
}

onednn::ProductTypes types_of(Lowerer& lw, const Group& group) {
  onednn::ProductTypes types{.in = DType::kBFloat16};
  const ir::ValueId added = added_value(group);
  if (added != ir::kNoValue && lw.lies_narrow(added)) types.add = DType::kBFloat16;
  if (lw.is_narrow(group.output)) types.out = DType::kBFloat16;
  return types;
}

/// `last`: an activation that runs after the product, on its float32 output.
ProductForm own_form(Lowerer& lw, const FloatProduct& p, const kernels::FloatEpilogue& epilogue,
                     const std::optional<Activation>& last) {
  using kernels::Bf16Weights;
  const float* bias = p.bias.defined() ? p.bias.data<float>().data() : nullptr;
  const auto weights = lw.cache().get_packed<Bf16Weights>(
      Bf16Weights::packing_key(p.shape, p.strides, bias), p.weight,
      [&](kernels::PackedReader& reader) { return Bf16Weights::view(p.shape, reader); },
      [&] { return Bf16Weights::pack(p.shape, p.weight.aligned().data<float>().data(), p.strides, bias); });
  ProductForm form{weights->kernel_name(),
                   "",
                   weights->bytes(),
                   kernels::conv_bf16_scratch_bytes(*weights, p.shape, lw.threads()),
                   {}};
  form.in_place = epilogue.residual_type == epilogue.output_type;
  form.line_scratch_bytes = kernels::conv_bf16_scratch_bytes(*weights, p.shape, 1);
  form.set_runs(p.shape, lw.threads(),
                [weights, epilogue, last](const kernels::ConvShape& shape, const void* in, const void* added, void* out,
                                          std::byte* scratch, int threads) {
                  kernels::FloatEpilogue e = epilogue;
                  e.residual = added;
                  kernels::conv_bf16(*weights, shape, in, e, out, scratch, threads);
                  auto* const floats = static_cast<float*>(out);
                  if (last) kernels::unary(last->op, last->params, shape.pixels() * shape.out_c, floats, floats);
                });
  return form;
}

std::optional<Candidate> own(Lowerer& lw, const Group& group, const FloatProduct& p,
                             const onednn::ProductTypes& types) {
  if (!isa_available(Isa::kAmx) || !kernels::bf16_fits(p.shape) || kernels::depthwise_fits(p.shape))
    return std::nullopt;
  auto epilogue = float_epilogue(group, types.add, types.out);
  std::optional<Activation> last;  // HardSigmoid, Tanh
  if (!epilogue && !group.follow.empty() && types.out == DType::kFloat32 && group.follow.back().add == ir::kNoValue) {
    Group shorter = group;
    last = shorter.follow.back().activation;
    shorter.follow.pop_back();
    epilogue = float_epilogue(shorter, types.add, types.out);
  }
  if (!epilogue) return std::nullopt;
  return Candidate{"conv_bf16", cycles(p.shape, kOwn),
                   [&lw, p, epilogue, last] { return own_form(lw, p, *epilogue, last); }, true};
}

std::optional<Candidate> depthwise(Lowerer& lw, const Group& group, const FloatProduct& p,
                                   const onednn::ProductTypes& types) {
  if (!kernels::depthwise_fits(p.shape) || !kernels::depthwise_takes(DType::kBFloat16)) return std::nullopt;
  const auto epilogue = float_epilogue(group, types.add, types.out);
  if (!epilogue) return std::nullopt;
  return Candidate{"depthwise_bf16", cycles(p.shape, kDepthwise),
                   [&lw, p, epilogue] { return depthwise_form(lw, p, DType::kBFloat16, *epilogue); }};
}

ProductBuffers buffers_of(const FloatProduct& p, const Group& group, const onednn::ProductTypes& types) {
  const kernels::ConvShape& s = p.shape;
  const auto bytes = [](std::int64_t count, DType type) {
    return static_cast<std::size_t>(count) * (is_narrow(type) ? 2 : 4);
  };
  const std::int64_t outputs = s.pixels() * s.out_c;
  return {bytes(s.batch * s.in_h * s.in_w * s.in_c, types.in),
          added_value(group) == ir::kNoValue ? 0 : bytes(outputs, types.add), bytes(outputs, types.out)};
}

std::string timing_key(Lowerer& lw, const Group& group, const FloatProduct& p, const onednn::ProductTypes& types) {
  std::string key = "bf16 " + describe(p.shape) + ", to " + std::string(name(types.out));
  for (const Follow& follow : group.follow)
    key += follow.add == ir::kNoValue ? ", activation" : ", add " + std::string(name(types.add));
  return key + ", threads " + std::to_string(lw.threads());
}

}  // namespace

std::optional<std::string> lower_bf16(Lowerer& lw, const Group& group, const FloatProduct& p) {
  if (zeros_pay(lw, group, p)) return "zeros pay more than bfloat16";
  const onednn::ProductTypes types = types_of(lw, group);
  std::vector<Candidate> candidates;
  std::string reason;
  if (const std::shared_ptr<const onednn::Product> product = p.dense(types, reason)) {
    const std::string kernel = p.family + "_bf16__onednn";
    candidates.push_back({kernel, cycles(p.shape, kernels::depthwise_fits(p.shape) ? kLibraryDepthwise : kLibrary),
                          [kernel, product] { return library_form(kernel, product); }});
  }
  for (const auto form : {own, depthwise})
    if (auto candidate = form(lw, group, p, types)) candidates.push_back(std::move(*candidate));
  if (candidates.empty()) return "in bfloat16 " + reason;
  std::optional<Chosen> chosen = choose_for_band(lw, group, p.shape, types.out, candidates);
  if (!chosen) chosen = choose(lw, timing_key(lw, group, p, types), candidates, buffers_of(p, group, types));
  const ProductForm& form = chosen->form;
  const ir::ValueId added = added_value(group);
  const BufferId in = lw.read_narrow(lw.main(group).input(0), p.layout);
  const BufferId add = added == ir::kNoValue  ? kNoBuffer
                       : is_narrow(types.add) ? lw.read_narrow(added, p.layout)
                                              : lw.read(added, p.layout);
  const BufferId out =
      is_narrow(types.out) ? lw.write_narrow(group.output, p.layout) : lw.write(group.output, p.layout);
  StepNote note{.reason = form.reason, .multiplies = DType::kBFloat16};
  if (!chosen->against.empty()) note.reason += (note.reason.empty() ? "" : "; ") + chosen->against;
  emit_product(lw, group, std::move(note), form, p.shape, in, add, out);
  return std::nullopt;
}

}  // namespace pare::runtime
