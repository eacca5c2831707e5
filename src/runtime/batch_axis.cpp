#include "runtime/batch_axis.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "ir/op.h"
#include "ir/subgraph.h"

namespace pare::runtime {

namespace {

using ir::AxisRelation;
using ir::ValueId;
using Side = ir::AxisRelation::Side;

/// Not proven, and why; ends the proof.
struct Unproven {
  std::string why;
};

/// What is known of a value of the whole batch's graph, beside the same value of the part's.
struct Known {
  ValueId part = ir::kNoValue;
  std::optional<BatchAxis> batch;
  bool numbers_differ = false;  ///< a constant computed from the batch's size
};

bool same(const Tensor& a, const Tensor& b) { return a.raw() == b.raw() ? a.dims() == b.dims() : a.identical(b); }

bool same(const ir::AttributeValue& a, const ir::AttributeValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* one = std::get_if<Tensor>(&a)) return same(*one, std::get<Tensor>(b));
  if (const auto* many = std::get_if<std::vector<Tensor>>(&a))
    return std::equal(many->begin(), many->end(), std::get<std::vector<Tensor>>(b).begin(),
                      std::get<std::vector<Tensor>>(b).end(),
                      [](const Tensor& x, const Tensor& y) { return same(x, y); });
  return std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Tensor> || std::is_same_v<T, std::vector<Tensor>>)
          return false;
        else
          return value == std::get<T>(b);
      },
      a);
}

bool same(const ir::Attributes& a, const ir::Attributes& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && same(x.second.value, y.second.value) && x.second.opaque == y.second.opaque;
  });
}

/// The only axis that differs; nullopt: none, or more.
std::optional<std::int64_t> differing_axis(const Dims& a, const Dims& b) {
  std::optional<std::int64_t> found;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (found) return std::nullopt;
    found = static_cast<std::int64_t>(i);
  }
  return found;
}

std::int64_t product(const Dims& dims, std::int64_t begin, std::int64_t end) {
  return element_count(Dims(dims.begin() + begin, dims.begin() + end));
}

/// The slot only says a shape: what it holds shows in the output's shape, which is compared.
bool says_a_shape(const ir::Node& node, std::size_t slot) {
  if (node.is("Reshape") || node.is("Expand") || node.is("Tile")) return slot == 1;
  return (node.is("ConstantOfShape") && slot == 0) || (node.is("Resize") && slot == 3);
}

bool only_reshapes(const ir::Node& node) {
  return node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze");
}

class Proof {
 public:
  Proof(const ir::Model& whole, const ir::Model& part, const FreeBatch& batch)
      : model_(whole), whole_(whole.graph), part_(part.graph), samples_(batch.samples), batch_(batch) {}

  BatchAxes run() {
    if (whole_.inputs.size() != part_.inputs.size() || whole_.outputs.size() != part_.outputs.size() ||
        whole_.nodes().size() != part_.nodes().size())
      throw Unproven{"the model has other nodes for another batch"};
    BatchAxes axes;
    for (std::size_t i = 0; i < whole_.inputs.size(); ++i) {
      Known& known = known_[whole_.inputs[i]];
      known.part = part_.inputs[i];
      if (batch_.inputs[i]) known.batch = BatchAxis{};
      axes.inputs.push_back(known.batch);
    }
    for (std::size_t i = 0; i < whole_.nodes().size(); ++i)
      visit(whole_.node(whole_.nodes()[i]), part_.node(part_.nodes()[i]));
    for (std::size_t i = 0; i < whole_.outputs.size(); ++i) {
      const Known& known = pair(whole_.outputs[i], part_.outputs[i]);
      if (known.numbers_differ) throw Unproven{"an output holds the batch's size"};
      axes.outputs.push_back(known.batch);
    }
    return axes;
  }

 private:
  static Dims dims(const ir::Graph& graph, ValueId id) {
    const auto known = graph.value(id).shape.static_dims();
    if (!known) throw Unproven{"the shape of '" + graph.value(id).name + "' depends on data"};
    return *known;
  }

  /// Sizes and number of samples' elements along the one axis where the two values differ.
  std::optional<BatchAxis> difference(const Dims& a, const Dims& b, const std::string& who) const {
    if (a == b) return std::nullopt;
    const auto axis = a.size() == b.size() ? differing_axis(a, b) : std::nullopt;
    if (!axis) throw Unproven{who + " spreads the batch over several axes"};
    const std::int64_t size = a[static_cast<std::size_t>(*axis)], each = size / samples_;
    if (size % samples_ != 0 || b[static_cast<std::size_t>(*axis)] != each * part_samples())
      throw Unproven{who + " changes with the batch in another way than by its samples"};
    return BatchAxis{*axis, each};
  }

  std::int64_t part_samples() const {
    for (std::size_t i = 0; i < batch_.inputs.size(); ++i)
      if (batch_.inputs[i]) return dims(part_, part_.inputs[i])[0];
    return 0;
  }

  /// A constant is the same in both, or the same for every sample, or a number that follows from the batch's size.
  Known compare_constants(const Tensor& a, const Tensor& b, const std::string& name) const {
    Known known;
    if (a.dtype() != b.dtype()) throw Unproven{"'" + name + "' differs with the batch"};
    if (a.dims() == b.dims()) {
      known.numbers_differ = !same(a, b);
      return known;
    }
    known.batch = difference(a.dims(), b.dims(), "the constant '" + name + "'");
    if (bits(a.dtype()) < 8) throw Unproven{"'" + name + "' has elements of less than a byte"};
    const std::int64_t axis = known.batch->axis;
    const auto element = static_cast<std::size_t>(bits(a.dtype()) / 8);
    const std::size_t one =
        static_cast<std::size_t>(known.batch->each * product(a.dims(), axis + 1, a.rank())) * element;
    const auto equals_first = [&](const Tensor& t, std::int64_t outer, std::int64_t sample, std::int64_t samples) {
      const std::byte* first = b.raw() + static_cast<std::size_t>(outer * part_samples()) * one;
      return std::memcmp(t.raw() + static_cast<std::size_t>(outer * samples + sample) * one, first, one) == 0;
    };
    for (std::int64_t outer = 0; outer < product(a.dims(), 0, axis); ++outer) {
      for (std::int64_t s = 0; s < samples_; ++s)
        if (!equals_first(a, outer, s, samples_)) throw Unproven{"'" + name + "' is another for every sample"};
      for (std::int64_t s = 0; s < part_samples(); ++s)
        if (!equals_first(b, outer, s, part_samples())) throw Unproven{"'" + name + "' is another for every sample"};
    }
    return known;
  }

  const Known& pair(ValueId a, ValueId b) {
    if (const auto found = known_.find(a); found != known_.end()) {
      if (found->second.part != b) throw Unproven{"the model is wired in another way for another batch"};
      return found->second;
    }
    const Tensor *x = whole_.constant(a), *y = part_.constant(b);
    if (!x || !y) throw Unproven{"the model is wired in another way for another batch"};
    Known known = compare_constants(*x, *y, whole_.value(a).name);
    known.part = b;
    return known_[a] = known;
  }

  /// By input slot; default for omitted ones.
  std::vector<Known> read(const ir::Node& a, const ir::Node& b) {
    std::vector<Known> inputs(a.inputs.size());
    for (std::size_t slot = 0; slot < a.inputs.size(); ++slot) {
      if ((a.inputs[slot] == ir::kNoValue) != (b.inputs[slot] == ir::kNoValue))
        throw Unproven{"the model is wired in another way for another batch"};
      if (a.inputs[slot] == ir::kNoValue) continue;
      inputs[slot] = pair(a.inputs[slot], b.inputs[slot]);
      if (inputs[slot].numbers_differ && !says_a_shape(a, slot))
        throw Unproven{ir::describe(a) + " computes with the batch's size"};
    }
    return inputs;
  }

  void visit(const ir::Node& a, const ir::Node& b) {
    if (a.op_type != b.op_type || a.domain != b.domain || a.inputs.size() != b.inputs.size() ||
        a.outputs.size() != b.outputs.size() || !same(a.attributes, b.attributes))
      throw Unproven{"the model has other nodes for another batch"};
    if (ir::has_subgraph(a)) throw Unproven{ir::describe(a) + " holds a subgraph"};
    const std::vector<Known> inputs = read(a, b);
    const bool batched =
        std::any_of(inputs.begin(), inputs.end(), [](const Known& known) { return known.batch.has_value(); });
    std::vector<std::optional<BatchAxis>> outputs;
    for (std::size_t slot = 0; slot < a.outputs.size(); ++slot) {
      outputs.emplace_back();
      if (a.outputs[slot] == ir::kNoValue) continue;
      if (b.outputs[slot] == ir::kNoValue) throw Unproven{"the model is wired in another way for another batch"};
      outputs.back() = difference(dims(whole_, a.outputs[slot]), dims(part_, b.outputs[slot]), ir::describe(a));
      if (batched && !outputs.back()) throw Unproven{ir::describe(a) + " brings the samples together"};
      known_[a.outputs[slot]] = {b.outputs[slot], outputs.back(), false};
    }
    if (!batched)
      for (std::size_t slot = 0; slot < outputs.size(); ++slot) require_spread(a, outputs[slot]);
    else if (only_reshapes(a))
      require_in_place(a, *inputs[0].batch, *outputs[0]);
    else
      require_related(a, inputs, outputs);
  }

  /// Without samples in what it reads, a node may only repeat it for each.
  void require_spread(const ir::Node& node, const std::optional<BatchAxis>& output) const {
    if (!output || node.is("ConstantOfShape")) return;
    if (node.is("Expand") || node.is("Tile")) {
      const Dims x = dims(whole_, node.inputs[0]), y = dims(whole_, node.outputs[0]);
      const std::int64_t at = output->axis - static_cast<std::int64_t>(y.size() - x.size());
      if (at < 0 || x[static_cast<std::size_t>(at)] == 1) return;
    }
    throw Unproven{ir::describe(node) + " makes something of the batch's size"};
  }

  /// The elements of a sample lie at the same place before and after, for any number of samples: as many in front of
  /// the batch's axis, and as many in a sample.
  void require_in_place(const ir::Node& node, const BatchAxis& in, const BatchAxis& out) const {
    const Dims x = dims(whole_, node.inputs[0]), y = dims(whole_, node.outputs[0]);
    const std::int64_t sample_in = in.each * product(x, in.axis + 1, static_cast<std::int64_t>(x.size()));
    const std::int64_t sample_out = out.each * product(y, out.axis + 1, static_cast<std::int64_t>(y.size()));
    if (product(x, 0, in.axis) != product(y, 0, out.axis) || sample_in != sample_out)
      throw Unproven{ir::describe(node) + " folds the batch into another axis"};
  }

  ir::ValueFacts fact(ValueId id) const {
    if (id == ir::kNoValue) return {};
    ir::ValueFacts facts;
    facts.dtype = whole_.value(id).dtype;
    facts.shape = whole_.value(id).shape;
    facts.constant = whole_.constant(id);
    return facts;
  }

  std::vector<AxisRelation> relations(const ir::Node& node) const {
    const ir::Operator* op = ir::find_operator(node, model_.opset(node.domain));
    if (!op || !op->axes) throw Unproven{ir::describe(node) + " says nothing of its axes"};
    std::vector<ir::ValueFacts> inputs, outputs;
    for (ValueId id : node.inputs) inputs.push_back(fact(id));
    for (ValueId id : node.outputs) outputs.push_back(fact(id));
    std::vector<AxisRelation> found = op->axes({node, inputs, outputs, 0});
    std::erase_if(found, [](const AxisRelation& one) { return one.kind == AxisRelation::Kind::kFree; });
    return found;
  }

  /// All that holds samples shares one label, whose indices are as many a sample everywhere; nothing else has the
  /// label.
  void require_related(const ir::Node& node, const std::vector<Known>& inputs,
                       const std::vector<std::optional<BatchAxis>>& outputs) const {
    const std::vector<AxisRelation> all = relations(node);
    const auto batch_of = [&](Side side, std::size_t slot) {
      if (side == Side::kOutput) return slot < outputs.size() ? outputs[slot] : std::nullopt;
      return slot < inputs.size() ? inputs[slot].batch : std::nullopt;
    };
    const auto mixes = [&] { return Unproven{ir::describe(node) + " works along the batch"}; };
    std::optional<std::pair<int, std::int64_t>> lane;  // label, and its indices in one sample
    const auto join = [&](Side side, std::size_t slot, const BatchAxis& at) {
      const auto holds = [&](const AxisRelation& one) {
        return one.side == side && one.slot == slot && one.axis == at.axis;
      };
      const auto found = std::find_if(all.begin(), all.end(), holds);
      if (found == all.end() || std::count_if(all.begin(), all.end(), holds) != 1) throw mixes();
      if (found->kind != AxisRelation::Kind::kSame || found->repeat != 1 || at.each % found->block != 0) throw mixes();
      const std::pair<int, std::int64_t> here{found->label, at.each / found->block};
      if (!lane) lane = here;
      if (*lane != here) throw mixes();
    };
    for (std::size_t slot = 0; slot < inputs.size(); ++slot)
      if (inputs[slot].batch) join(Side::kInput, slot, *inputs[slot].batch);
    for (std::size_t slot = 0; slot < outputs.size(); ++slot)
      if (outputs[slot]) join(Side::kOutput, slot, *outputs[slot]);
    for (const AxisRelation& one : all) {
      const std::vector<ValueId>& slots = one.side == Side::kInput ? node.inputs : node.outputs;
      if (one.label != lane->first || one.slot >= slots.size() || slots[one.slot] == ir::kNoValue) continue;
      const auto batch = batch_of(one.side, one.slot);
      if (!batch || batch->axis != one.axis) throw mixes();
    }
  }

  const ir::Model& model_;
  const ir::Graph &whole_, &part_;
  std::int64_t samples_;
  const FreeBatch& batch_;
  std::map<ValueId, Known> known_;  ///< by value of the whole
};

}  // namespace

std::optional<FreeBatch> free_batch(const ir::Graph& graph, const std::vector<Dims>& shapes) {
  FreeBatch batch;
  const ir::Dim* first = nullptr;
  batch.inputs.resize(graph.inputs.size());
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const ir::Shape& shape = graph.value(graph.inputs[i]).shape;
    if (!shape.ranked() || shape.rank() == 0 || shape[0].is_known()) continue;
    const bool alike = first && (first->is_unknown() || shape[0].is_unknown() || shape[0].same_as(*first));
    if (first && (!alike || shapes[i][0] != batch.samples)) continue;
    if (bits(graph.value(graph.inputs[i]).dtype) < 8) return std::nullopt;
    batch.inputs[i] = true;
    if (first) continue;
    first = &shape[0];
    batch.samples = shapes[i][0];
  }
  if (!first) return std::nullopt;
  for (ir::ValueId id : graph.inputs) {
    const ir::Shape& shape = graph.value(id).shape;
    for (std::int64_t axis = 1; shape.ranked() && axis < shape.rank(); ++axis)
      if (shape[axis].same_as(*first)) return std::nullopt;
  }
  return batch;
}

std::optional<BatchAxes> batch_axes(const ir::Model& whole, const ir::Model& part, const FreeBatch& batch,
                                    std::string& reason) {
  try {
    return Proof(whole, part, batch).run();
  } catch (const Unproven& unproven) {
    reason = unproven.why;
    return std::nullopt;
  }
}

}  // namespace pare::runtime
