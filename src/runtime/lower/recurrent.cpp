// LSTM, GRU and RNN with constant weights: the input's product for all steps at once, then step by step the state's
// product and the cell (kernels/recurrent).
#include "kernels/recurrent/recurrent.h"

#include <algorithm>
#include <functional>

#include "base/threads.h"
#include "ir/ops/common/recurrent.h"
#include "pare/error.h"
#include "runtime/lowerer.h"
#include "runtime/onednn.h"

namespace pare::runtime {

namespace {

enum class Kind { kLstm, kGru, kRnn };

using Product = std::shared_ptr<const onednn::Product>;

/// One direction.
struct Way {
  bool reverse = false;
  Product input;   ///< [steps · batch, inputs] → [·, gates · hidden], with all biases that can be added there
  Product state;   ///< [batch, hidden] → [batch, gates · hidden]; GRU with the reset first: z and r only
  Product hidden;  ///< GRU with the reset first: [batch, hidden] of r ⊙ h → [batch, hidden]
  kernels::Cell cell;
};

struct Sizes {
  Kind kind;
  std::int64_t steps, batch, inputs, hidden, gates, ways;
  bool linear;  ///< GRU: linear before reset
  std::int64_t row() const { return gates * hidden; }
};

struct Buffers {
  BufferId x, lengths = kNoBuffer, h0 = kNoBuffer, c0 = kNoBuffer;  ///< read
  BufferId y, h, c, projected, product, reset, scratch;             ///< written
};

/// Constants of one node, cut by direction and gate; one tensor each for all plans, so that products are packed once.
class Weights {
 public:
  Weights(Lowerer& lw, const ir::Node& node, const Sizes& sizes) : lw_(lw), node_(node), s_(sizes) {}

  /// Rows [first, first + rows) of one direction of W or R.
  Tensor rows(std::size_t slot, std::int64_t way, std::int64_t first, std::int64_t rows) {
    const Tensor& all = *lw_.graph().constant(node_.input(slot));
    const std::int64_t columns = all.dim(2), begin = way * all.dim(1) + first;
    const std::string key = "rows " + std::to_string(begin) + "+" + std::to_string(rows) + " of " + node_.name;
    return *lw_.cache().get<Tensor>(key, all, [&] {
      Tensor part(DType::kFloat32, {rows, columns});
      std::copy_n(all.data<float>().data() + begin * columns, rows * columns, part.mutable_data<float>().data());
      return std::make_shared<const Tensor>(part);
    });
  }
  /// Input and recurrent bias of all gates, summed; the hidden gate of a GRU linear before reset keeps its own apart.
  Tensor bias(std::int64_t way) const {
    const std::int64_t rows = s_.row();
    Tensor sum(DType::kFloat32, {rows});
    const Tensor* all = lw_.graph().constant(node_.input(3));
    for (std::int64_t i = 0; all && i < rows; ++i) {
      const float* b = all->data<float>().data() + way * 2 * rows;
      sum.mutable_data<float>()[static_cast<std::size_t>(i)] = b[i] + (apart(i) ? 0 : b[rows + i]);
    }
    return sum;
  }
  /// The part that bias() leaves out [hidden].
  std::vector<float> hidden_bias(std::int64_t way) const {
    std::vector<float> own(static_cast<std::size_t>(s_.hidden));
    if (const Tensor* all = lw_.graph().constant(node_.input(3)))
      std::copy_n(all->data<float>().data() + (way * 2 + 2) * s_.row() - s_.hidden, s_.hidden, own.begin());
    return own;
  }
  Product product(const std::string& what, std::int64_t m, std::int64_t k, const Tensor& weight, const Tensor& bias,
                  std::string& reason) {
    return onednn::inner_product(node_.name + what, m, k, weight.dim(0), weight, true, bias, {}, {}, lw_.cache(), reason);
  }

 private:
  bool apart(std::int64_t row) const { return s_.kind == Kind::kGru && s_.linear && row >= 2 * s_.hidden; }

  Lowerer& lw_;
  const ir::Node& node_;
  const Sizes& s_;
};

/// What a run needs, and the run.
struct Recurrence {
  Sizes s;
  std::string who;
  std::vector<Way> ways;
  Buffers b;
  std::vector<std::shared_ptr<const std::vector<float>>> kept;  ///< what cells point into

  std::vector<std::int64_t> lengths(const Frame& frame) const;
  void run(const Frame& frame) const;
  void run_way(const Frame& frame, std::int64_t way, const std::vector<std::int64_t>& lengths) const;
  void advance(const Way& way, float* gates, const float* product, const float* hidden_product, float* h,
               float* c) const;
};

std::vector<std::int64_t> Recurrence::lengths(const Frame& frame) const {
  std::vector<std::int64_t> out(static_cast<std::size_t>(s.batch), s.steps);
  if (b.lengths == kNoBuffer) return out;
  for (std::size_t n = 0; n < out.size(); ++n) {
    out[n] = frame.at<std::int32_t>(b.lengths)[n];
    if (out[n] < 0 || out[n] > s.steps)
      throw Error(ErrorCode::kBadInput, who, "sequence length is out of range", "0 to " + std::to_string(s.steps),
                  std::to_string(out[n]));
  }
  return out;
}

void Recurrence::advance(const Way& way, float* gates, const float* product, const float* hidden_product, float* h,
                         float* c) const {
  if (s.kind == Kind::kGru) {
    kernels::gru_cell(way.cell, gates, gates + 2 * s.hidden, s.linear ? product + 2 * s.hidden : hidden_product, h);
    return;
  }
  for (std::int64_t i = 0; i < s.row(); ++i) gates[i] += product[i];
  if (s.kind == Kind::kLstm)
    kernels::lstm_cell(way.cell, gates, h, c);
  else
    kernels::rnn_cell(way.cell, gates, h);
}

void Recurrence::run_way(const Frame& frame, std::int64_t at, const std::vector<std::int64_t>& lengths) const {
  const Way& way = ways[static_cast<std::size_t>(at)];
  const std::int64_t hidden = s.hidden, own = (s.kind == Kind::kGru && !s.linear ? 2 : s.gates) * hidden;
  float *projected = frame.at<float>(b.projected), *product = frame.at<float>(b.product),
        *reset = frame.at<float>(b.reset), *y = frame.at<float>(b.y);
  float *h = frame.at<float>(b.h) + at * s.batch * hidden, *c = frame.at<float>(b.c) + at * s.batch * hidden;
  std::byte* scratch = frame.at(b.scratch);
  way.input->run(frame.at<float>(b.x), nullptr, projected, scratch);
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  const std::int64_t grain = std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(1, s.row()));
  for (std::int64_t step = 0; step < longest; ++step) {
    const auto time = [&](std::int64_t n) {
      return way.reverse ? lengths[static_cast<std::size_t>(n)] - 1 - step : step;
    };
    const auto runs = [&](std::int64_t n) { return step < lengths[static_cast<std::size_t>(n)]; };
    const auto gates = [&](std::int64_t n) { return projected + (time(n) * s.batch + n) * s.row(); };
    way.state->run(h, nullptr, product, scratch);
    float* hidden_product = reset + s.batch * hidden;
    if (s.kind == Kind::kGru) {
      for (std::int64_t n = 0; n < s.batch; ++n) {
        if (!runs(n)) continue;
        for (std::int64_t i = 0; i < 2 * hidden; ++i) gates(n)[i] += product[n * own + i];
        kernels::gru_gates(way.cell, gates(n), h + n * hidden, reset + n * hidden);
      }
      if (way.hidden) way.hidden->run(reset, nullptr, hidden_product, scratch);
    }
    const auto body = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        if (!runs(n)) continue;
        advance(way, gates(n), product + n * own, hidden_product + n * hidden, h + n * hidden, c + n * hidden);
        std::copy_n(h + n * hidden, hidden, y + ((time(n) * s.ways + at) * s.batch + n) * hidden);
      }
    };
    parallel_for(s.batch, grain, std::ref(body));
  }
}

void Recurrence::run(const Frame& frame) const {
  const auto start = [&](BufferId from, BufferId to) {
    const std::int64_t count = s.ways * s.batch * s.hidden;
    if (from == kNoBuffer)
      std::fill_n(frame.at<float>(to), count, 0.0F);
    else
      std::copy_n(frame.at<float>(from), count, frame.at<float>(to));
  };
  const std::vector<std::int64_t> all = lengths(frame);
  start(b.h0, b.h);
  start(b.c0, b.c);
  if (b.lengths != kNoBuffer)  // steps past a sequence's end are zero
    std::fill_n(frame.at<float>(b.y), s.steps * s.ways * s.batch * s.hidden, 0.0F);
  for (std::int64_t way = 0; way < s.ways; ++way) run_way(frame, way, all);
}

std::optional<kernels::CellActivation> activation_of(const ir::ops::RecurrentActivation& given) {
  using kernels::UnaryOp;
  static const std::pair<std::string_view, UnaryOp> kOps[] = {
      {"relu", UnaryOp::kRelu},           {"tanh", UnaryOp::kTanh},        {"sigmoid", UnaryOp::kSigmoid},
      {"leakyrelu", UnaryOp::kLeakyRelu}, {"elu", UnaryOp::kElu},          {"hardsigmoid", UnaryOp::kHardSigmoid},
      {"softsign", UnaryOp::kSoftsign},   {"softplus", UnaryOp::kSoftplus}};
  for (const auto& [name, op] : kOps)
    if (name == given.name)
      return kernels::CellActivation{op, {static_cast<float>(given.alpha), static_cast<float>(given.beta)}};
  return std::nullopt;
}

/// Why the node runs on the reference; nullopt: it does not.
std::optional<std::string> refuse(Lowerer& lw, const ir::Node& node, const Sizes& s) {
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  if (node.int_or("layout", 0) != 0) return "layout 1 (batch first)";
  for (std::size_t slot : {1, 2, 3, 7})
    if (node.input(slot) != ir::kNoValue && !lw.graph().constant(node.input(slot)))
      return "its weights are not constant";
  if (node.input(4) != ir::kNoValue && lw.dtype(node.input(4)) != DType::kInt32)
    return "sequence lengths are not int32";
  if (s.steps * s.batch * s.inputs * s.hidden == 0) return "an empty sequence";
  const auto fits = [&](std::size_t slot, const Dims& dims) {
    return node.input(slot) == ir::kNoValue || lw.dims(node.input(slot)) == dims;
  };
  const Dims state = {s.ways, s.batch, s.hidden};
  if (!fits(1, {s.ways, s.row(), s.inputs}) || !fits(2, {s.ways, s.row(), s.hidden}) ||
      !fits(3, {s.ways, 2 * s.row()}) || !fits(4, {s.batch}) || !fits(5, state) || !fits(6, state) ||
      !fits(7, {s.ways, 3 * s.hidden}))
    return "shapes that do not fit each other";
  return std::nullopt;
}

std::optional<std::string> set_cell(const std::vector<ir::ops::RecurrentActivation>& activations, std::size_t first,
                                    std::size_t count, const ir::Node& node, kernels::Cell& cell) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto known = activation_of(activations[first + i]);
    if (!known) return std::string("no kernel for the activation ") + activations[first + i].name;
    cell.activations[i] = *known;
  }
  cell.clip = node.float_or("clip", kernels::kInfinity);
  cell.coupled = node.int_or("input_forget", 0) != 0;
  return std::nullopt;
}

std::optional<std::string> make_way(Lowerer& lw, const ir::Node& node, std::int64_t at, Recurrence& r, Way& way) {
  const Sizes& s = r.s;
  Weights weights(lw, node, s);
  std::string reason;
  const std::string name = at == 0 ? "/first" : "/second";
  const bool reset_first = s.kind == Kind::kGru && !s.linear;
  const std::int64_t own = reset_first ? 2 * s.hidden : s.row();
  way.reverse = at == 1 || node.string_or("direction", "forward") == "reverse";
  way.cell.hidden = s.hidden;
  way.input = weights.product(name + "/input", s.steps * s.batch, s.inputs, weights.rows(1, at, 0, s.row()),
                              weights.bias(at), reason);
  way.state = weights.product(name + "/state", s.batch, s.hidden, weights.rows(2, at, 0, own), {}, reason);
  if (reset_first)
    way.hidden = weights.product(name + "/hidden", s.batch, s.hidden, weights.rows(2, at, own, s.hidden), {}, reason);
  if (!way.input || !way.state || (reset_first && !way.hidden)) return reason;
  const auto keep = [&](std::vector<float> values) {
    r.kept.push_back(std::make_shared<const std::vector<float>>(std::move(values)));
    return r.kept.back()->data();
  };
  if (s.kind == Kind::kGru && s.linear) way.cell.hidden_bias = keep(weights.hidden_bias(at));
  if (const Tensor* p = lw.graph().constant(node.input(7))) {
    const float* from = p->data<float>().data() + at * 3 * s.hidden;
    way.cell.peepholes = keep({from, from + 3 * s.hidden});
  }
  return std::nullopt;
}

Sizes sizes_of(Lowerer& lw, const ir::Node& node, Kind kind, std::int64_t gates) {
  const Dims x = lw.dims(node.input(0)), r = lw.dims(node.input(2));
  return {.kind = kind,
          .steps = x[0],
          .batch = x[1],
          .inputs = x[2],
          .hidden = r[2],
          .gates = gates,
          .ways = node.string_or("direction", "forward") == "bidirectional" ? 2 : 1,
          .linear = node.int_or("linear_before_reset", 0) != 0};
}

Buffers make_buffers(Lowerer& lw, const ir::Node& node, const Recurrence& r) {
  const Sizes& s = r.s;
  const auto floats = [&](std::int64_t count) { return lw.scratch(static_cast<std::size_t>(count) * sizeof(float)); };
  const auto read = [&](std::size_t slot) {
    return node.input(slot) == ir::kNoValue ? kNoBuffer : lw.read(node.input(slot));
  };
  const auto write = [&](std::size_t slot, std::int64_t count) {
    return node.output(slot) == ir::kNoValue ? floats(count) : lw.write(node.output(slot));
  };
  std::size_t scratch = 1;
  for (const Way& way : r.ways)
    for (const Product& product : {way.input, way.state, way.hidden})
      if (product) scratch = std::max(scratch, product->scratch_bytes());
  const std::int64_t state = s.ways * s.batch * s.hidden;
  Buffers b{.x = read(0), .lengths = read(4), .h0 = read(5), .c0 = s.kind == Kind::kLstm ? read(6) : kNoBuffer};
  b.y = write(0, s.steps * state);
  b.h = write(1, state);
  b.c = s.kind == Kind::kLstm ? write(2, state) : floats(state);
  b.projected = floats(s.steps * s.batch * s.row());
  b.product = floats(s.batch * s.row());
  b.reset = floats(2 * s.batch * s.hidden);
  b.scratch = lw.scratch(scratch);
  return b;
}

std::optional<std::string> lower_recurrent(Lowerer& lw, const Group& group, Kind kind, std::int64_t gates,
                                           const std::vector<std::string>& defaults) {
  const ir::Node& node = lw.main(group);
  Recurrence r{.s = sizes_of(lw, node, kind, gates), .who = ir::describe(node)};
  if (const auto reason = refuse(lw, node, r.s)) return reason;
  const auto activations = ir::ops::recurrent_activations({node, lw.model().opset(), {}}, defaults);
  std::int64_t bytes = 0;
  for (std::int64_t at = 0; at < r.s.ways; ++at) {
    Way& way = r.ways.emplace_back();
    if (const auto reason = make_way(lw, node, at, r, way)) return reason;
    const std::size_t each = defaults.size();
    if (const auto reason = set_cell(activations, static_cast<std::size_t>(at) * each, each, node, way.cell))
      return reason;
    for (const Product& product : {way.input, way.state, way.hidden})
      if (product) bytes += static_cast<std::int64_t>(product->weight_bytes());
  }
  const Buffers& b = r.b = make_buffers(lw, node, r);
  std::vector<BufferId> reads = {b.x, b.lengths, b.h0, b.c0};
  std::erase(reads, kNoBuffer);
  lw.emit(group, {"recurrent_f32__onednn", r.ways[0].state->implementation(), bytes}, std::move(reads),
          {b.y, b.h, b.c, b.projected, b.product, b.reset, b.scratch}, [r](const Frame& frame) { r.run(frame); });
  return std::nullopt;
}

}  // namespace

std::optional<std::string> lower_LSTM(Lowerer& lw, const Group& group) {
  return lower_recurrent(lw, group, Kind::kLstm, 4, {"Sigmoid", "Tanh", "Tanh"});
}
std::optional<std::string> lower_GRU(Lowerer& lw, const Group& group) {
  return lower_recurrent(lw, group, Kind::kGru, 3, {"Sigmoid", "Tanh"});
}
std::optional<std::string> lower_RNN(Lowerer& lw, const Group& group) {
  return lower_recurrent(lw, group, Kind::kRnn, 1, {"Tanh"});
}

}  // namespace pare::runtime
