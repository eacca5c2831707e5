// LSTM, GRU and RNN by LibTorch's own layers: gates are reordered, everything else means the same.
#include "train/lowering.h"

namespace pare::train {
namespace {

struct Recurrence {
  std::int64_t directions = 1, hidden = 0;
  bool reverse = false;
  int x, w, r, b, h0, c0;
  int y, last_h, last_c;
  std::vector<std::int64_t> order;  ///< ONNX's place of each of LibTorch's gates
};

/// Refuses what LibTorch's layers do not compute.
Recurrence read_recurrence(const LowerContext& context, std::vector<std::int64_t> order) {
  const ir::Node& node = context.node;
  const std::string direction = node.string_or("direction", "forward");
  if (node.int_or("layout", 0) != 0) context.refuse("layout 1 cannot be trained");
  if (context.has(4)) context.refuse("sequence lengths cannot be trained with");
  if (context.has(7)) context.refuse("peepholes cannot be trained");
  if (node.find("clip") != nullptr) context.refuse("clip cannot be trained");
  if (node.int_or("input_forget", 0) != 0) context.refuse("input_forget cannot be trained");
  Recurrence out;
  out.directions = direction == "bidirectional" ? 2 : 1;
  out.reverse = direction == "reverse";
  out.hidden = node.int_or("hidden_size", 0);
  if (out.hidden < 1) context.refuse("hidden_size is missing");
  out.order = std::move(order);
  out.x = context.in(0), out.w = context.in(1), out.r = context.in(2);
  out.b = context.has(3) ? context.in(3) : kNoSlot;
  out.h0 = context.has(5) ? context.in(5) : kNoSlot;
  out.c0 = context.has(6) ? context.in(6) : kNoSlot;
  out.y = context.out(0), out.last_h = context.out(1), out.last_c = context.out(2);
  return out;
}

/// Activations other than the default ones of every direction.
void require_activations(const LowerContext& context, const std::vector<std::string>& wanted) {
  const ir::Attribute* given = context.node.find("activations");
  if (given == nullptr) return;
  const auto* names = std::get_if<std::vector<std::string>>(&given->value);
  for (std::size_t i = 0; names != nullptr && i < names->size(); ++i) {
    if ((*names)[i] != wanted[i % wanted.size()]) context.refuse("activation '" + (*names)[i] + "' cannot be trained");
  }
}

/// Blocks of `hidden` rows in LibTorch's order.
at::Tensor reordered(const at::Tensor& gates, const std::vector<std::int64_t>& order, std::int64_t hidden) {
  std::vector<at::Tensor> parts;
  for (const std::int64_t gate : order) parts.push_back(at::narrow(gates, 0, gate * hidden, hidden));
  return at::cat(parts, 0);
}

/// w_ih, w_hh, b_ih, b_hh of each direction.
std::vector<at::Tensor> parameters(const Frame& frame, const Recurrence& how) {
  std::vector<at::Tensor> out;
  const auto gates = static_cast<std::int64_t>(how.order.size());
  for (std::int64_t d = 0; d < how.directions; ++d) {
    out.push_back(reordered(frame[how.w][d], how.order, how.hidden));
    out.push_back(reordered(frame[how.r][d], how.order, how.hidden));
    const at::Tensor both =
        how.b == kNoSlot ? at::zeros({2 * gates * how.hidden}, frame[how.w].options()) : frame[how.b][d];
    for (std::int64_t half = 0; half < 2; ++half)
      out.push_back(
          reordered(at::narrow(both, 0, half * gates * how.hidden, gates * how.hidden), how.order, how.hidden));
  }
  return out;
}

at::Tensor initial(const Frame& frame, const Recurrence& how, int slot) {
  if (slot != kNoSlot) return frame[slot];
  return at::zeros({how.directions, frame[how.x].size(1), how.hidden}, frame[how.x].options());
}

at::Tensor input_of(const Frame& frame, const Recurrence& how) {
  return how.reverse ? at::flip(frame[how.x], {0}) : frame[how.x];
}

/// [S, N, directions · H] → ONNX's [S, directions, N, H].
void store(Frame& frame, const Recurrence& how, const at::Tensor& y, const at::Tensor& h) {
  const at::Tensor ordered = how.reverse ? at::flip(y, {0}) : y;
  if (how.y != kNoSlot)
    frame[how.y] = ordered.reshape({y.size(0), y.size(1), how.directions, how.hidden}).permute({0, 2, 1, 3});
  if (how.last_h != kNoSlot) frame[how.last_h] = h;
}

}  // namespace

Call lower_lstm(const LowerContext& context) {
  require_activations(context, {"Sigmoid", "Tanh", "Tanh"});
  const Recurrence how = read_recurrence(context, {0, 2, 3, 1});  // ONNX: i o f c; LibTorch: i f c o
  return [how](Frame& frame) {
    const auto [y, h, c] = at::lstm(input_of(frame, how), {initial(frame, how, how.h0), initial(frame, how, how.c0)},
                                    parameters(frame, how), true, 1, 0.0, frame.training, how.directions == 2, false);
    store(frame, how, y, h);
    if (how.last_c != kNoSlot) frame[how.last_c] = c;
  };
}

Call lower_gru(const LowerContext& context) {
  require_activations(context, {"Sigmoid", "Tanh"});
  if (context.node.int_or("linear_before_reset", 0) == 0) context.refuse("linear_before_reset = 0 cannot be trained");
  const Recurrence how = read_recurrence(context, {1, 0, 2});  // ONNX: z r h; LibTorch: r z n
  return [how](Frame& frame) {
    const auto [y, h] = at::gru(input_of(frame, how), initial(frame, how, how.h0), parameters(frame, how), true, 1, 0.0,
                                frame.training, how.directions == 2, false);
    store(frame, how, y, h);
  };
}

Call lower_rnn(const LowerContext& context) {
  require_activations(context, {"Tanh"});
  const Recurrence how = read_recurrence(context, {0});
  return [how](Frame& frame) {
    const auto [y, h] = at::rnn_tanh(input_of(frame, how), initial(frame, how, how.h0), parameters(frame, how), true, 1,
                                     0.0, frame.training, how.directions == 2, false);
    store(frame, how, y, h);
  };
}

}  // namespace pare::train
