// Unique: the distinct elements (or slices along `axis`), sorted or in order of appearance, with the index of each
// one's first occurrence, the inverse map and the counts.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/lines.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  for (std::size_t slot = 1; slot < 4; ++slot) set_output(ctx, slot, DType::kInt64, Shape({Dim()}));
  set_output(ctx, 0, ctx.in(0).dtype);
  if (ctx.node.find("axis") == nullptr) {
    set_output(ctx, 0, ctx.in(0).dtype, Shape({Dim()}));
    if (x.ranked()) set_output(ctx, 2, DType::kInt64, Shape({product(x.dims())}));
  } else if (x.ranked()) {
    const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
    std::vector<Dim> dims = x.dims();
    dims[static_cast<std::size_t>(axis)] = Dim();
    set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
    set_output(ctx, 2, DType::kInt64, Shape({x[axis]}));
  }
}

/// Compares slices along an axis element by element, exactly; NaNs equal each other and come last.
class Slices {
 public:
  Slices(const Tensor& x, std::int64_t axis) : lines_(lines_of(x.dims(), axis)) {
    if (x.dtype() == DType::kString)
      strings_ = x.string_data();
    else
      numbers_ = to_exact(x);
  }
  std::int64_t count() const { return lines_.length; }
  /// −1, 0 or 1.
  int compare(std::int64_t a, std::int64_t b) const {
    for (std::int64_t line = 0; line < lines_.count; ++line) {
      const std::int64_t start = lines_.start(line);
      const int order = compare_elements(static_cast<std::size_t>(start + a * lines_.stride),
                                         static_cast<std::size_t>(start + b * lines_.stride));
      if (order != 0) return order;
    }
    return 0;
  }

 private:
  int compare_elements(std::size_t a, std::size_t b) const {
    if (!strings_.empty()) return strings_[a].compare(strings_[b]);
    const long double x = numbers_[a], y = numbers_[b];
    if (std::isnan(x) || std::isnan(y)) return static_cast<int>(std::isnan(x)) - static_cast<int>(std::isnan(y));
    return x < y ? -1 : x > y ? 1 : 0;
  }

  Lines lines_;
  std::vector<long double> numbers_;
  std::vector<std::string> strings_;
};

struct Groups {
  std::vector<std::int64_t> first, inverse, counts;
};

Groups group(const Slices& slices, bool sorted) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(slices.count()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return slices.compare(a, b) < 0; });
  Groups out;
  out.inverse.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || slices.compare(order[i - 1], order[i]) != 0) {
      out.first.push_back(order[i]);
      out.counts.push_back(0);
    }
    ++out.counts.back();
    out.inverse[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(out.first.size()) - 1;
  }
  if (sorted) return out;
  std::vector<std::int64_t> by_appearance(out.first.size()), rank(out.first.size());
  std::iota(by_appearance.begin(), by_appearance.end(), 0);
  std::ranges::sort(by_appearance, {}, [&](std::int64_t g) { return out.first[static_cast<std::size_t>(g)]; });
  Groups appeared;
  for (std::size_t i = 0; i < by_appearance.size(); ++i) {
    const auto g = static_cast<std::size_t>(by_appearance[i]);
    rank[g] = static_cast<std::int64_t>(i);
    appeared.first.push_back(out.first[g]);
    appeared.counts.push_back(out.counts[g]);
  }
  for (std::int64_t g : out.inverse) appeared.inverse.push_back(rank[static_cast<std::size_t>(g)]);
  return appeared;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const bool flat = ctx.node.find("axis") == nullptr;
  const Tensor x = flat ? ctx.in(0).reshaped({ctx.in(0).numel()}) : ctx.in(0);
  const std::int64_t axis = flat ? 0 : normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  const Groups groups = group(Slices(x, axis), ctx.node.int_or("sorted", 1) != 0);
  const auto found = static_cast<std::int64_t>(groups.first.size());
  Dims dims = x.dims();
  dims[static_cast<std::size_t>(axis)] = found;
  const Lines lines = lines_of(x.dims(), axis);
  const Tensor y = pick({&x, 1}, dims, [&](std::int64_t i) {
    const std::int64_t at = i / lines.stride % found, outer = i / lines.stride / found;
    const std::int64_t source = groups.first[static_cast<std::size_t>(at)];
    return std::pair<std::size_t, std::int64_t>(0, (outer * lines.length + source) * lines.stride + i % lines.stride);
  });
  return {y, from_ints(DType::kInt64, {found}, groups.first),
          from_ints(DType::kInt64, {static_cast<std::int64_t>(groups.inverse.size())}, groups.inverse),
          from_ints(DType::kInt64, {found}, groups.counts)};
}

}  // namespace

extern const Operator kUnique = {
    .op_type = "Unique",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .max_outputs = 4,
    .attributes = {"axis", "sorted"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
