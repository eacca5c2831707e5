#include "compress/layerwise/joint.h"

#include <memory>

#include "base/linear_algebra.h"
#include "base/threads.h"
#include "compress/finite.h"
#include "compress/layerwise/hessian.h"
#include "compress/layerwise/unfold.h"
#include "compress/prune/samples.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

std::unique_ptr<exec::Executor> as_far_as(const ir::Model& model, const std::vector<std::string>& values,
                                          const StepContext& context) {
  return context.backend.compile(up_to(model, values), {.threads = resolve_threads(context.execution.threads),
                                                        .max_memory = context.execution.max_memory});
}

/// Where the channels of a value lie: [outer, channels, inner].
struct Channels {
  std::int64_t outer, count, inner;
};
Channels channels_of(const Tensor& value, bool conv) {
  if (!conv) return {value.numel() / value.dim(value.rank() - 1), value.dim(value.rank() - 1), 1};
  return {value.dim(0), value.dim(1), value.numel() / (value.dim(0) * value.dim(1))};
}

/// [positions, outputs] into `rows`, from its column `first` on.
void add_errors(const Tensor& before, const Tensor& after, const JointLayer& joint, bool conv, std::int64_t first,
                std::int64_t width, std::vector<float>& rows) {
  const Channels from = channels_of(before, conv), to = channels_of(after, conv);
  if (to.count != static_cast<std::int64_t>(joint.kept.size()) || from.outer != to.outer || from.inner != to.inner)
    throw Error(ErrorCode::kInternal, joint.layer.name, "the two models' outputs do not match",
                to_string(before.dims()), to_string(after.dims()));
  const auto x = before.data<float>(), y = after.data<float>();
  for (std::int64_t n = 0; n < to.outer; ++n)
    for (std::int64_t o = 0; o < to.count; ++o) {
      const std::int64_t there = (n * from.count + joint.kept[static_cast<std::size_t>(o)]) * from.inner;
      const std::int64_t here = (n * to.count + o) * to.inner;
      for (std::int64_t p = 0; p < to.inner; ++p)
        rows[static_cast<std::size_t>((n * to.inner + p) * width + first + o)] =
            x[static_cast<std::size_t>(there + p)] - y[static_cast<std::size_t>(here + p)];
    }
}

/// The layer's inputs, a row for each output position.
std::vector<float> input_rows(const Tensor& x, const ir::Model& model, const JointLayer& joint) {
  const ir::Node& node = model.graph.node(joint.layer.node);
  if (!node.is("Conv")) return {x.data<float>().begin(), x.data<float>().end()};
  std::int64_t positions = 0;
  return unfold(x, node, model.graph.constant(joint.layer.weight.value)->dims(), 0, positions);
}

}  // namespace

JointSums joint_sums(const ir::Model& original, const ir::Model& changed, const JointLayer& joint, bool inputs,
                     std::int64_t samples, const StepContext& context) {
  const ir::WeightView& view = joint.layer.weight.view;
  const ir::Node& node = changed.graph.node(joint.layer.node);
  const std::string input = changed.graph.value(node.input(0)).name;
  JointSums sums{inputs ? view.taps * view.inputs : 0, view.outputs, {}};
  const std::int64_t width = sums.columns + 1 + sums.outputs;
  sums.gram.assign(static_cast<std::size_t>(width * width), 0.0);
  std::vector<std::string> values = {joint.value};
  if (inputs) values.push_back(input);
  const auto before = as_far_as(original, {joint.value}, context), after = as_far_as(changed, values, context);
  visit_samples(changed, samples, 16, context, "reconstruction", [&](const data::Batch& batch) {
    const Tensor wanted = before->run(batch.inputs).at(joint.value);
    const NamedTensors got = after->run(batch.inputs);
    require_finite(original.graph, joint.value, wanted);
    for (const auto& [name, tensor] : got) require_finite(changed.graph, name, tensor);
    const bool conv = node.is("Conv");
    const std::int64_t positions = got.at(joint.value).numel() / sums.outputs;
    std::vector<float> rows(static_cast<std::size_t>(positions * width));
    const std::vector<float> seen = inputs ? input_rows(got.at(input), changed, joint) : std::vector<float>();
    if (static_cast<std::int64_t>(seen.size()) != positions * sums.columns)
      throw Error(ErrorCode::kInternal, joint.layer.name, "the unfolded inputs do not match the outputs",
                  std::to_string(positions * sums.columns), std::to_string(seen.size()));
    for (std::int64_t p = 0; p < positions; ++p) {
      std::copy_n(seen.begin() + p * sums.columns, sums.columns, rows.begin() + p * width);
      rows[static_cast<std::size_t>(p * width + sums.columns)] = 1;
    }
    add_errors(wanted, got.at(joint.value), joint, conv, sums.columns + 1, width, rows);
    add_gram(rows, positions, width, sums.gram);
  });
  mirror_upper(sums.gram, width);
  return sums;
}

}  // namespace pare::compress
