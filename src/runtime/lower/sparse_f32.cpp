#include "runtime/lower/sparse_f32.h"

#include "ir/sparsity.h"
#include "kernels/elementwise/elementwise.h"
#include "runtime/lower/product.h"
#include "runtime/lower/sparse_cost.h"

namespace pare::runtime {

namespace {

constexpr double kWorthALook = 0.6;  ///< share of zeros below which no shape pays

/// What the epilogue of the kernel does not do.
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

}  // namespace

SparseF32Choice choose_sparse_f32(Lowerer& lw, const Group& group, const kernels::ConvShape& shape,
                                  const kernels::FilterStrides& strides, const Tensor& weight, const Tensor& bias) {
  if (shape.groups != 1) return {};
  const double zeros = ir::sparsity(weight);
  if (zeros < kWorthALook) return {};
  const std::string what = format_decimal(100 * zeros) + " % zeros";
  if (!isa_available(Isa::kAvx2)) return {nullptr, what + ", but no vectors to multiply with"};
  const auto packed = lw.cache().get<kernels::SpConvF32Weights>("sparse " + lw.main(group).name, weight, [&] {
    return std::make_shared<const kernels::SpConvF32Weights>(kernels::SpConvF32Weights::pack(
        shape, weight.data<float>().data(), strides, bias.defined() ? bias.data<float>().data() : nullptr));
  });
  const SparseCosts& costs = sparse_costs();
  const double dense = (lw.narrow_products() ? 2 : 1) * costs.dense_f32;  // MACs a cycle; bfloat16 has twice as many
  const double gain = static_cast<double>(shape.macs()) / dense /
                      panel_cycles(costs.f32, shape, shape.taps() * shape.in_c, packed->density());
  if (gain < 1) return {nullptr, what + ", but dense is faster (estimated " + format_decimal(1 / gain) + " times)"};
  return {packed, what + ", estimated " + format_decimal(gain) + " times dense"};
}

void emit_sparse_f32(Lowerer& lw, const Group& group, const SparseF32Choice& choice, const kernels::ConvShape& shape,
                     Layout layout) {
  const ir::ValueId added = added_value(group);
  const BufferId x = lw.read(lw.main(group).input(0), layout);
  const BufferId add = added == ir::kNoValue ? kNoBuffer : lw.read(added, layout);
  const BufferId out = lw.write(group.output, layout);
  const int threads = lw.threads();
  const BufferId scratch = lw.scratch(kernels::spconv_f32_scratch_bytes(*choice.weights, threads));
  const auto clamp = final_clamp(group);
  const std::vector<onednn::PostOp> post = clamp ? std::vector<onednn::PostOp>() : post_ops(group);
  std::vector<BufferId> reads = {x};
  if (add != kNoBuffer) reads.push_back(add);
  const StepNote note{choice.weights->kernel_name(), choice.reason, static_cast<std::int64_t>(choice.weights->bytes())};
  lw.emit(group, note, reads, {out, scratch}, [=, weights = choice.weights](const Frame& frame) {
    const float* addend = add == kNoBuffer ? nullptr : frame.at<float>(add);
    kernels::ConvEpilogue epilogue;
    if (clamp) epilogue = {addend, clamp->lo, clamp->hi};
    kernels::spconv_f32(*weights, shape, frame.at<float>(x), epilogue, frame.at<float>(out), frame.at(scratch),
                        threads);
    follow_up(post, shape.pixels() * shape.out_c, addend, frame.at<float>(out));
  });
}

}  // namespace pare::runtime
