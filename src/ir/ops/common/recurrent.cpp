#include "ir/ops/common/recurrent.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// A recurrent activation, its default α and β, and which of them the lists supply.
struct Row {
  const char* name;
  double (*function)(double, double, double);
  double alpha, beta;
  bool takes_alpha, takes_beta;
};

const Row kRows[] = {
    {"relu", [](double x, double, double) { return std::max(x, 0.0); }, 0, 0, false, false},
    {"tanh", [](double x, double, double) { return std::tanh(x); }, 0, 0, false, false},
    {"sigmoid", [](double x, double, double) { return 1 / (1 + std::exp(-x)); }, 0, 0, false, false},
    {"affine", [](double x, double a, double b) { return a * x + b; }, 1, 0, true, true},
    {"leakyrelu", [](double x, double a, double) { return x < 0 ? a * x : x; }, 0.01, 0, true, false},
    {"thresholdedrelu", [](double x, double a, double) { return x > a ? x : 0.0; }, 1, 0, true, false},
    {"scaledtanh", [](double x, double a, double b) { return a * std::tanh(b * x); }, 1, 1, true, true},
    {"hardsigmoid", [](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }, 0.2, 0.5, true, true},
    {"elu", [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }, 1, 0, true, false},
    {"softsign", [](double x, double, double) { return x / (1 + std::abs(x)); }, 0, 0, false, false},
    {"softplus", [](double x, double, double) { return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0); }, 0, 0,
     false, false},
};

template <class Context>
std::int64_t directions(const Context& ctx) {
  const std::string direction = ctx.node.string_or("direction", "forward");
  if (direction == "bidirectional") return 2;
  if (direction != "forward" && direction != "reverse")
    ctx.fail("attribute 'direction' is not known", "forward, reverse or bidirectional", direction);
  return 1;
}

bool batch_first(const Node& node) { return node.int_or("layout", 0) != 0; }

std::vector<std::string> strings_of(const EvaluateContext& ctx, const std::string& attribute,
                                    const std::vector<std::string>& fallback) {
  const Attribute* found = ctx.node.find(attribute);
  if (found == nullptr) return fallback;
  const auto* strings = std::get_if<std::vector<std::string>>(&found->value);
  if (strings == nullptr) ctx.fail("attribute '" + attribute + "' has the wrong kind", "a list of strings");
  return *strings;
}

/// Sizes and inputs of one evaluation, checked.
struct Problem {
  std::int64_t steps, batch, inputs, hidden, ways, gates;
  bool batch_first;
  std::vector<std::int64_t> lengths;
  std::vector<double> x, w, r, b, peepholes;
};

void require_dims(const EvaluateContext& ctx, std::size_t slot, const Dims& expected) {
  if (ctx.has(slot) && ctx.in(slot).dims() != expected)
    ctx.fail("input " + std::to_string(slot) + " has the wrong shape", to_string(expected),
             to_string(ctx.in(slot).dims()));
}

Problem read(const EvaluateContext& ctx, const RecurrentKind& kind) {
  if (ctx.in(0).rank() != 3 || ctx.in(2).rank() != 3)
    ctx.fail("X or R has the wrong rank", "3", to_string(ctx.in(ctx.in(0).rank() != 3 ? 0 : 2).dims()));
  Problem p;
  p.batch_first = batch_first(ctx.node);
  p.steps = ctx.in(0).dim(p.batch_first ? 1 : 0);
  p.batch = ctx.in(0).dim(p.batch_first ? 0 : 1);
  p.inputs = ctx.in(0).dim(2);
  p.hidden = ctx.in(2).dim(2);
  p.ways = directions(ctx);
  p.gates = kind.gates;
  const std::int64_t rows = kind.gates * p.hidden;
  require_dims(ctx, 1, {p.ways, rows, p.inputs});
  require_dims(ctx, 2, {p.ways, rows, p.hidden});
  require_dims(ctx, 3, {p.ways, 2 * rows});
  require_dims(ctx, 4, {p.batch});
  const Dims state = p.batch_first ? Dims{p.batch, p.ways, p.hidden} : Dims{p.ways, p.batch, p.hidden};
  require_dims(ctx, 5, state);
  if (kind.has_cell_state) {
    require_dims(ctx, 6, state);
    require_dims(ctx, 7, {p.ways, 3 * p.hidden});
  }
  p.x = to_doubles(ctx.in(0));
  p.w = to_doubles(ctx.in(1));
  p.r = to_doubles(ctx.in(2));
  p.b = ctx.has(3) ? to_doubles(ctx.in(3)) : std::vector<double>(static_cast<std::size_t>(p.ways * 2 * rows));
  if (kind.has_cell_state && ctx.has(7)) p.peepholes = to_doubles(ctx.in(7));
  p.lengths = ctx.has(4) ? to_ints(ctx.in(4)) : std::vector<std::int64_t>(static_cast<std::size_t>(p.batch), p.steps);
  for (std::int64_t length : p.lengths) {
    if (length < 0 || length > p.steps)
      ctx.fail("sequence length is out of range", "0 to " + std::to_string(p.steps), std::to_string(length));
  }
  return p;
}

double dot(const double* a, const double* b, std::int64_t n) {
  double sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (std::int64_t j = 0; j < 4; ++j) sums[j] += a[i + j] * b[i + j];
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/// A state in the layout of the operator: element of (way, batch).
std::int64_t state_at(const Problem& p, std::int64_t way, std::int64_t n) {
  return (p.batch_first ? n * p.ways + way : way * p.batch + n) * p.hidden;
}

/// Sequence n in one direction. `y` is written where it is given; h and c end as the last states.
void run_sequence(const Problem& p, const CellContext& cell, const RecurrentKind& kind, std::int64_t way,
                  std::int64_t n, bool reverse, double* y, double* h, double* c) {
  const std::int64_t rows = p.gates * p.hidden, length = p.lengths[static_cast<std::size_t>(n)];
  const double* w = p.w.data() + way * rows * p.inputs;
  const double* bias = p.b.data() + way * 2 * rows;
  std::vector<double> gates(static_cast<std::size_t>(rows));
  for (std::int64_t s = 0; s < length; ++s) {
    const std::int64_t t = reverse ? length - 1 - s : s;
    const double* x = p.x.data() + (p.batch_first ? n * p.steps + t : t * p.batch + n) * p.inputs;
    for (std::int64_t row = 0; row < rows; ++row)
      gates[static_cast<std::size_t>(row)] = bias[row] + dot(w + row * p.inputs, x, p.inputs);
    kind.step(cell, gates.data(), h, c);
    const std::int64_t at = p.batch_first ? (n * p.steps + t) * p.ways + way : (t * p.ways + way) * p.batch + n;
    std::copy(h, h + p.hidden, y + at * p.hidden);
  }
}

}  // namespace

std::vector<RecurrentActivation> recurrent_activations(const EvaluateContext& ctx,
                                                       const std::vector<std::string>& defaults) {
  const auto count = static_cast<std::size_t>(directions(ctx)) * defaults.size();
  std::vector<std::string> all;
  while (all.size() < count) all.insert(all.end(), defaults.begin(), defaults.end());
  const std::vector<std::string> names = strings_of(ctx, "activations", all);
  if (names.size() != count)
    ctx.fail("attribute 'activations' has the wrong length", std::to_string(count), std::to_string(names.size()));
  const std::vector<float> alphas = ctx.node.floats_or("activation_alpha", {}),
                           betas = ctx.node.floats_or("activation_beta", {});
  std::size_t alpha = 0, beta = 0;
  std::vector<RecurrentActivation> out;
  for (std::string name : names) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    const Row* row = std::ranges::find_if(kRows, [&](const Row& r) { return name == r.name; });
    if (row == std::end(kRows)) ctx.fail("attribute 'activations' names an unknown function", "Relu, Tanh …", name);
    RecurrentActivation activation{row->function, row->alpha, row->beta, row->name};
    if (row->takes_alpha && alpha < alphas.size()) activation.alpha = alphas[alpha++];
    if (row->takes_beta && beta < betas.size()) activation.beta = betas[beta++];
    out.push_back(activation);
  }
  return out;
}

double CellContext::clipped(double x) const { return std::clamp(x, -clip, clip); }

void CellContext::recurrent(std::int64_t gate, const double* h, double* out) const {
  for (std::int64_t i = 0; i < hidden; ++i) out[i] = dot(r + (gate * hidden + i) * hidden, h, hidden);
}

void infer_recurrent(InferContext& ctx, const RecurrentKind& kind) {
  const Shape &x = ctx.in(0).shape, &r = ctx.in(2).shape;
  const bool first = batch_first(ctx.node);
  const Dim ways(directions(ctx));
  Dim steps, batch, hidden;
  if (x.ranked()) {
    if (x.rank() != 3) ctx.fail("X has the wrong rank", "3", to_string(x));
    steps = x[first ? 1 : 0];
    batch = x[first ? 0 : 1];
  }
  if (ctx.node.find("hidden_size") != nullptr) hidden = Dim(ctx.node.int_or("hidden_size", 0));
  if (r.ranked()) {
    if (r.rank() != 3) ctx.fail("R has the wrong rank", "3", to_string(r));
    hidden = require_same(ctx, hidden, r[2], "hidden_size differs from R");
    if (hidden.is_known()) require_same(ctx, Dim(kind.gates * hidden.value()), r[1], "R has the wrong number of rows");
  }
  const DType dtype = ctx.in(0).dtype;
  set_output(ctx, 0, dtype,
             Shape(first ? std::vector{batch, steps, ways, hidden} : std::vector{steps, ways, batch, hidden}));
  for (std::size_t slot = 1; slot < (kind.has_cell_state ? 3u : 2u); ++slot)
    set_output(ctx, slot, dtype, Shape(first ? std::vector{batch, ways, hidden} : std::vector{ways, batch, hidden}));
}

std::vector<Tensor> evaluate_recurrent(const EvaluateContext& ctx, const RecurrentKind& kind) {
  const Problem p = read(ctx, kind);
  const std::vector<RecurrentActivation> activations = recurrent_activations(ctx, kind.activations);
  const std::int64_t rows = p.gates * p.hidden, each = static_cast<std::int64_t>(kind.activations.size());
  const float clip = ctx.node.float_or("clip", std::numeric_limits<float>::infinity());
  const auto states = static_cast<std::size_t>(p.ways * p.batch * p.hidden);
  std::vector<double> y(static_cast<std::size_t>(p.steps) * states);
  std::vector<double> h = ctx.has(5) ? to_doubles(ctx.in(5)) : std::vector<double>(states);
  std::vector<double> c = kind.has_cell_state && ctx.has(6) ? to_doubles(ctx.in(6)) : std::vector<double>(states);
  for (std::int64_t way = 0; way < p.ways; ++way) {
    const bool reverse = way == 1 || ctx.node.string_or("direction", "forward") == "reverse";
    CellContext cell{ctx,
                     p.hidden,
                     {},
                     clip,
                     p.r.data() + way * rows * p.hidden,
                     p.b.data() + (way * 2 + 1) * rows,
                     p.peepholes.empty() ? nullptr : p.peepholes.data() + way * 3 * p.hidden};
    cell.activations.assign(activations.begin() + way * each, activations.begin() + (way + 1) * each);
    for (std::int64_t n = 0; n < p.batch; ++n) {
      const std::int64_t at = state_at(p, way, n);
      run_sequence(p, cell, kind, way, n, reverse, y.data(), h.data() + at, c.data() + at);
    }
  }
  const DType dtype = ctx.in(0).dtype();
  const Dims all = p.batch_first ? Dims{p.batch, p.steps, p.ways, p.hidden} : Dims{p.steps, p.ways, p.batch, p.hidden};
  const Dims last = p.batch_first ? Dims{p.batch, p.ways, p.hidden} : Dims{p.ways, p.batch, p.hidden};
  std::vector<Tensor> out = {from_doubles(dtype, all, y), from_doubles(dtype, last, h)};
  if (kind.has_cell_state) out.push_back(from_doubles(dtype, last, c));
  return out;
}

std::vector<AxisRelation> axes_recurrent(const AxesContext& ctx) {
  const Shape &w = ctx.inputs[1].shape, &r = ctx.inputs[2].shape;
  if (!r.ranked() || r.rank() != 3 || !r[1].is_known() || !r[2].is_known() || r[2].value() == 0 || !w.ranked())
    return {};
  enum { kSteps, kBatch, kInputs, kHidden };
  const std::int64_t gates = r[1].value() / r[2].value();
  const bool first = batch_first(ctx.node);
  std::vector<AxisRelation> out = {input_axis(0, first ? 1 : 0, kSteps),
                                   input_axis(0, first ? 0 : 1, kBatch),
                                   input_axis(0, 2, kInputs, Kind::kContracted),
                                   input_axis(1, 2, kInputs, Kind::kContracted),
                                   input_axis(2, 2, kHidden, Kind::kContracted)};
  const auto hidden = [&](std::size_t slot, std::int64_t axis, std::int64_t repeat) {
    if (slot >= ctx.inputs.size() || !ctx.inputs[slot].shape.ranked()) return;
    out.push_back(input_axis(slot, axis, kHidden));
    out.back().repeat = repeat;
  };
  hidden(1, 1, gates);
  hidden(2, 1, gates);
  hidden(3, 1, 2 * gates);
  for (std::size_t slot : {5, 6}) {
    hidden(slot, 2, 1);
    if (slot < ctx.inputs.size() && ctx.inputs[slot].shape.ranked())
      out.push_back(input_axis(slot, first ? 0 : 1, kBatch));
  }
  hidden(7, 1, 3);  // peepholes of LSTM
  out.push_back(output_axis(0, first ? 1 : 0, kSteps));
  out.push_back(output_axis(0, first ? 0 : 2, kBatch));
  out.push_back(output_axis(0, 3, kHidden));
  for (std::size_t slot = 1; slot < ctx.outputs.size(); ++slot) {
    out.push_back(output_axis(slot, first ? 0 : 1, kBatch));
    out.push_back(output_axis(slot, 2, kHidden));
  }
  return out;
}

std::int64_t macs_recurrent(const Node&, std::span<const ValueFacts> in, std::span<const ValueFacts>) {
  const Dims x = *in[0].shape.static_dims(), w = *in[1].shape.static_dims(), r = *in[2].shape.static_dims();
  return x[0] * x[1] * (element_count(w) + element_count(r));
}

}  // namespace pare::ir::ops
