#include "compress/quantize/fit_activations.h"

#include <algorithm>
#include <cmath>

#include "base/linear_algebra.h"
#include "compress/layerwise/rows.h"
#include "compress/quantize/common.h"

namespace pare::compress {
namespace {

constexpr std::int64_t kSamples = 64, kRows = 512;
constexpr int kSteps = 50, kNarrowest = 15;

/// A layer's rows, its weight rounded and what it should answer.
struct Reader {
  const LayerRows* rows = nullptr;
  std::int64_t outputs = 0;                   ///< of a group
  std::vector<std::vector<float>> rounded;    ///< of each group [columns, outputs]
  std::vector<std::vector<float>> wanted;     ///< of each group [rows, outputs]

  double error(const passes::QuantParams& params) const {
    const auto [low, high] = passes::integer_limits(params);
    const double step = static_cast<double>(params.scale[0]), zero = params.zero_point[0];
    double sum = 0;
    std::vector<float> x, made(static_cast<std::size_t>(rows->rows * outputs));
    for (std::size_t g = 0; g < rounded.size(); ++g) {
      x = rows->x[g];
      for (float& value : x)
        value = static_cast<float>(
            (std::clamp(std::nearbyint(static_cast<double>(value) / step) + zero, low, high) - zero) * step);
      multiply(x, rounded[g], rows->rows, rows->columns, outputs, made);
      for (std::size_t i = 0; i < made.size(); ++i) {
        const double off = static_cast<double>(made[i]) - static_cast<double>(wanted[g][i]);
        sum += off * off;
      }
    }
    return sum;
  }
};

/// [columns, outputs] of a group of the weight.
std::vector<float> matrix_of(const Tensor& weight, const ir::WeightView& view, std::int64_t group, std::int64_t outputs) {
  const auto values = weight.data<float>();
  std::vector<float> out;
  for (std::int64_t t = 0; t < view.taps; ++t)
    for (std::int64_t i = 0; i < view.inputs; ++i)
      for (std::int64_t o = 0; o < outputs; ++o)
        out.push_back(values[static_cast<std::size_t>(view.index(group * outputs + o, t, i))]);
  return out;
}

Reader reader_of(const ir::Model& model, const Layer& layer, const LayerRows& rows, const passes::QdqPlan& plan) {
  const Tensor& weight = *model.graph.constant(layer.weight.value);
  const passes::QuantParams& params = plan.weights.at(layer.weight_name);
  const auto integers = plan.integers.find(layer.weight_name);
  const Tensor near = passes::dequantize_tensor(
      integers == plan.integers.end() ? passes::quantize_tensor(weight, params) : integers->second, params);
  Reader reader{&rows, layer.weight.view.outputs / rows.groups, {}, {}};
  for (std::int64_t g = 0; g < rows.groups; ++g) {
    reader.rounded.push_back(matrix_of(near, layer.weight.view, g, reader.outputs));
    reader.wanted.emplace_back(static_cast<std::size_t>(rows.rows * reader.outputs));
    multiply(rows.x[static_cast<std::size_t>(g)], matrix_of(weight, layer.weight.view, g, reader.outputs), rows.rows,
             rows.columns, reader.outputs, reader.wanted.back());
  }
  return reader;
}

/// The range of a group of values.
class Search {
 public:
  Search(std::vector<Reader> readers, Range seen, Range given, bool affine, const ActivationSpec& spec)
      : readers_(std::move(readers)), seen_(seen), best_(given), affine_(affine), spec_(spec), least_(error(given)) {}

  /// Whether any is better than the given one.
  bool run() {
    double low = 1, high = 1;
    const auto shrink = [&](bool with_low, bool with_high) {
      const double from_low = low, from_high = high;
      for (int step = kSteps; step >= kNarrowest; --step) {
        const double share = static_cast<double>(step) / kSteps;
        const double l = with_low ? share * (with_high ? 1 : from_low) : from_low;
        const double h = with_high ? share * (with_low ? 1 : from_high) : from_high;
        if (better({seen_.low * l, seen_.high * h})) low = l, high = h;
      }
    };
    shrink(true, true);
    if (affine_ && seen_.low < 0 && seen_.high > 0) {
      shrink(false, true);
      shrink(true, false);
    }
    return improved_;
  }
  Range best() const { return best_; }

 private:
  double error(Range range) const {
    const passes::QuantParams params = affine_ ? affine_params(range, spec_) : symmetric_params(range, spec_);
    double sum = 0;
    for (const Reader& reader : readers_) sum += reader.error(params);
    return sum;
  }
  bool better(Range range) {
    const double now = error(range);
    if (!(now < least_)) return false;
    least_ = now;
    best_ = range;
    return improved_ = true;
  }

  std::vector<Reader> readers_;
  Range seen_, best_;
  bool affine_;
  ActivationSpec spec_;
  double least_;
  bool improved_ = false;
};

/// What a value's parameters stand for.
Range range_of(const passes::QuantParams& params) {
  const auto [low, high] = passes::integer_limits(params);
  const double step = static_cast<double>(params.scale[0]), zero = params.zero_point[0];
  return {(std::max(low, -high) - zero) * step, (high - zero) * step};
}

Range seen_of(const std::vector<std::string>& group, const Statistics& statistics) {
  Range seen;
  for (const std::string& value : group) {
    seen.low = std::min(seen.low, static_cast<double>(statistics.of(value).min()));
    seen.high = std::max(seen.high, static_cast<double>(statistics.of(value).max()));
  }
  return seen;
}

}  // namespace

std::map<std::string, Range> fit_activations(const ir::Model& model, const StaticWriter& writer, const Choice& choice,
                                             const Statistics& statistics, const StepContext& context) {
  int raised = 0;
  const Placement placement = writer.place(choice.floats, choice.wide);
  const passes::QdqPlan plan = writer.plan(placement, *choice.calibrator, raised);
  const auto rows = sample_rows(model, placement.layers, kSamples, kRows, context);
  const ActivationSpec spec = activation_spec(context.options.at("activations"));
  std::map<std::string, Range> fitted;
  std::int64_t done = 0;
  for (const auto& group : placement.groups) {
    context.control.check_cancelled();
    context.control.report({"activation scales", ++done, static_cast<std::int64_t>(placement.groups.size()), "values", {}, -1});
    const passes::QuantParams& params = plan.activations.at(group[0]);
    if (bits(params.dtype) != 8) continue;
    std::vector<Reader> readers;
    for (const Layer& layer : placement.layers) {
      const std::string& input = model.graph.value(model.graph.node(layer.node).input(0)).name;
      const auto found = rows.find(layer.node);
      if (found == rows.end() || std::find(group.begin(), group.end(), input) == group.end()) continue;
      readers.push_back(reader_of(model, layer, found->second, plan));
    }
    if (readers.empty()) continue;
    const bool affine = params.dtype == DType::kUint8;
    Search search(std::move(readers), seen_of(group, statistics), range_of(params), affine, spec);
    if (!search.run()) continue;
    for (const std::string& value : group) fitted[value] = search.best();
  }
  return fitted;
}

}  // namespace pare::compress
