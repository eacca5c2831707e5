// FakeQuantize (pare): y on an integer grid, held in float; `step`, the grid's spacing, is the second output. Of models
// in quantization-aware training only (ir/fake_quantize.h); no file that Pare writes holds it.
#include "ir/fake_quantize.h"

#include "ir/ops/common/facts.h"

namespace pare::ir::ops {
namespace {

/// Shape of scale and step.
Shape steps_shape(const FakeQuantizer& quantizer, const Shape& x) {
  if (quantizer.axis < 0) return Shape(std::vector<Dim>{Dim(1)});
  return x.ranked() ? Shape(std::vector<Dim>{x[quantizer.axis]}) : Shape();
}

void infer(InferContext& ctx) {
  const FakeQuantizer quantizer = fake_quantizer(ctx.node);
  const Shape& x = ctx.in(0).shape;
  if (ctx.in(0).dtype != DType::kUndefined && ctx.in(0).dtype != DType::kFloat32)
    ctx.fail("the input has the wrong type", "float32", std::string(name(ctx.in(0).dtype)));
  if (x.ranked() && quantizer.axis >= x.rank())
    ctx.fail("axis out of range", "less than " + std::to_string(x.rank()), std::to_string(quantizer.axis));
  const Shape steps = steps_shape(quantizer, x);
  if (ctx.has(1) == derives_scale(quantizer.scheme))
    ctx.fail(ctx.has(1) ? "takes no scale with this scheme" : "needs a scale with this scheme");
  for (std::size_t slot = 1; slot < 3; ++slot) {
    if (!ctx.has(slot) || !ctx.in(slot).shape.ranked() || !steps.ranked()) continue;
    const Shape& given = ctx.in(slot).shape;
    if (given.rank() != 1) ctx.fail("scale and offset have the wrong rank", "1", std::to_string(given.rank()));
    require_same(ctx, slot == 1 ? steps[0] : Dim(1), given[0], "the number of scales or offsets does not fit");
  }
  set_output(ctx, 0, ctx.in(0).dtype, x);
  if (ctx.node.outputs.size() > 1) set_output(ctx, 1, DType::kFloat32, steps);
}

void require_floats(const EvaluateContext& ctx) {
  for (std::size_t slot = 0; slot < 3; ++slot)
    if (ctx.has(slot) && ctx.in(slot).dtype() != DType::kFloat32)
      ctx.fail("input " + std::to_string(slot) + " has the wrong type", "float32",
               std::string(name(ctx.in(slot).dtype())));
  if (ctx.has(2) && ctx.in(2).numel() != 1)
    ctx.fail("the offset is no single number", "1", to_string(ctx.in(2).dims()));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const FakeQuantizer quantizer = fake_quantizer(ctx.node);
  require_floats(ctx);
  const Tensor& x = ctx.in(0);
  if (quantizer.axis >= x.rank())
    ctx.fail("axis out of range", "less than " + std::to_string(x.rank()), std::to_string(quantizer.axis));
  std::optional<float> offset;
  if (ctx.has(2)) offset = ctx.in(2).data<float>()[0];
  const FakeLevels found =
      fake_levels(quantizer, x, ctx.has(1) ? ctx.in(1).data<float>() : std::span<const float>(), offset);
  std::size_t inner = 1;
  for (std::int64_t axis = x.rank(); --axis > quantizer.axis && quantizer.axis >= 0;)
    inner *= static_cast<std::size_t>(x.dim(axis));
  Tensor y(DType::kFloat32, x.dims());
  auto values = y.mutable_data<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(found.levels[i]) * found.steps[i / inner % found.steps.size()];
  return {y, Tensor::from({static_cast<std::int64_t>(found.steps.size())}, found.steps)};
}

}  // namespace

extern const Operator kFakeQuantize = {
    .op_type = "FakeQuantize",
    .domain = kPareDomain,
    .min_inputs = 1,
    .max_inputs = 3,
    .max_outputs = 2,
    .attributes = {"activation", "axis", "high", "low", "scheme"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
