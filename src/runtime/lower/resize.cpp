// Resize and Upsample of images: nearest copies pixels, linear and cubic go axis by axis with the taps that the
// operator's definition gives.
#include "kernels/resize/resize.h"

#include <algorithm>

#include "ir/ops/common/resize.h"
#include "runtime/lower/constants.h"

namespace pare::runtime {

namespace {

/// One pass over a memory axis.
struct Pass {
  std::int64_t outer, in, out, inner;
  std::vector<std::int64_t> first, index;
  std::vector<float> weight;

  void run(const float* from, float* to) const {
    kernels::interpolate_axis(outer, in, out, inner, {first.data(), index.data(), weight.data()}, from, to);
  }
};

std::vector<Pass> passes_of(const ir::ops::ResizePlan& plan, Dims memory, Layout layout) {
  std::vector<Pass> passes;
  for (std::size_t a = 0; a < plan.axes.size(); ++a) {
    const ir::ops::AxisTaps& taps = plan.axes[a];
    if (taps.identity) continue;
    const auto axis = static_cast<std::size_t>(physical_axis(static_cast<std::int64_t>(a), layout));
    Pass pass{1, memory[axis], plan.dims[a], 1, taps.first, taps.index, {taps.weight.begin(), taps.weight.end()}};
    for (std::size_t i = 0; i < memory.size(); ++i)
      if (i != axis) (i < axis ? pass.outer : pass.inner) *= memory[i];
    memory[axis] = pass.out;
    passes.push_back(std::move(pass));
  }
  return passes;
}

std::vector<std::int64_t> sources(const ir::ops::AxisTaps& taps, std::int64_t size) {
  if (!taps.identity) return taps.index;
  std::vector<std::int64_t> all(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  return all;
}

void emit_nearest(Lowerer& lw, const Group& group, const ir::ops::ResizePlan& plan, const Dims& in) {
  const Layout last = Layout::kChannelsLast;
  const BufferId x = lw.read(lw.main(group).input(0), last), y = lw.write(group.output, last);
  const std::int64_t element = bits(lw.dtype(group.output)) / 8;
  const std::vector<std::int64_t> rows = sources(plan.axes[2], in[2]), columns = sources(plan.axes[3], in[3]);
  lw.emit(group, {"resize_nearest", "channels-last"}, {x}, {y}, [=, out = plan.dims](const Frame& frame) {
    kernels::nearest2d(element, in[0], in[2], in[3], out[2], out[3], in[1], rows.data(), columns.data(), frame.at(x),
                       frame.at(y));
  });
}

void emit_passes(Lowerer& lw, const Group& group, std::vector<Pass> passes, Layout layout) {
  const BufferId x = lw.read(lw.main(group).input(0), layout), y = lw.write(group.output, layout);
  std::vector<BufferId> steps = {x}, writes = {y};
  for (std::size_t i = 0; i + 1 < passes.size(); ++i) {
    const Pass& p = passes[i];
    steps.push_back(lw.scratch(static_cast<std::size_t>(p.outer * p.out * p.inner) * sizeof(float)));
    writes.push_back(steps.back());
  }
  steps.push_back(y);
  lw.emit(group, {"resize_f32", layout == Layout::kOnnx ? "" : "channels-last"}, {x}, writes,
          [passes = std::move(passes), steps](const Frame& frame) {
            for (std::size_t i = 0; i < passes.size(); ++i)
              passes[i].run(frame.at<float>(steps[i]), frame.at<float>(steps[i + 1]));
          });
}

std::optional<std::string> lower_resize(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const ConstantInputs inputs(lw, node);
  if (group.integer) return "no integer form";
  if (!inputs.known()) return "scales or sizes are not constant";
  const Dims in = lw.dims(node.input(0));
  const ir::ops::ResizePlan plan = ir::ops::plan_resize(inputs.context(), in);
  if (plan.extrapolates) return "tf_crop_and_resize has no kernel";
  if (element_count(plan.dims) == 0) return "nothing to compute";
  if (plan.nearest) {
    const int width = bits(lw.dtype(group.output));
    if (in.size() != 4 || !plan.axes[0].identity || !plan.axes[1].identity || width % 8 != 0 || width == 0)
      return "only the pixels of images have a kernel";
    emit_nearest(lw, group, plan, in);
    return std::nullopt;
  }
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  const Layout layout = in.size() == 4 ? Layout::kChannelsLast : Layout::kOnnx;
  std::vector<Pass> passes = passes_of(plan, physical(in, layout), layout);
  if (passes.empty())
    lw.alias(group.output, lw.read(node.input(0), layout), layout);
  else
    emit_passes(lw, group, std::move(passes), layout);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> lower_Resize(Lowerer& lw, const Group& group) { return lower_resize(lw, group); }
std::optional<std::string> lower_Upsample(Lowerer& lw, const Group& group) { return lower_resize(lw, group); }

}  // namespace pare::runtime
