#include "ir/shape.h"

#include "pare/error.h"

namespace pare::ir {

Dim Dim::symbol(std::string name) {
  Dim dim;
  if (!name.empty()) dim.symbol_ = std::make_shared<const std::string>(std::move(name));
  return dim;
}

const std::string& Dim::name() const noexcept {
  static const std::string none;
  return symbol_ ? *symbol_ : none;
}

std::int64_t Dim::value() const {
  if (!is_known()) throw Error(ErrorCode::kInternal, "dimension", "value of an unknown dimension was read");
  return value_;
}

bool Dim::same_as(const Dim& other) const noexcept { return !is_unknown() && *this == other; }

Shape Shape::of(const Dims& dims) { return Shape(std::vector<Dim>(dims.begin(), dims.end())); }

bool Shape::is_static() const noexcept {
  if (!ranked_) return false;
  for (const Dim& dim : dims_)
    if (!dim.is_known()) return false;
  return true;
}

std::optional<Dims> Shape::static_dims() const {
  if (!is_static()) return std::nullopt;
  Dims out;
  out.reserve(dims_.size());
  for (const Dim& dim : dims_) out.push_back(dim.value());
  return out;
}

std::string to_string(const Dim& dim) {
  if (dim.is_known()) return std::to_string(dim.value());
  return dim.is_symbol() ? dim.name() : "?";
}

std::string to_string(const Shape& shape) {
  if (!shape.ranked()) return "[...]";
  std::string text = "[";
  for (const Dim& dim : shape.dims()) {
    if (text.size() > 1) text += ", ";
    text += to_string(dim);
  }
  return text + "]";
}

namespace {

/// The more specific of two dimensions: integer over symbol over unknown; nullopt when two integers differ. Of two
/// symbols the first wins: they may well be equal at run time.
std::optional<Dim> merge(const Dim& a, const Dim& b) {
  if (a.is_known() && b.is_known()) return a == b ? std::optional(a) : std::nullopt;
  if (a.is_known() || b.is_unknown()) return a;
  if (b.is_known() || a.is_unknown()) return b;
  return a;
}

}  // namespace

std::optional<Shape> merge(const Shape& a, const Shape& b) {
  if (!a.ranked()) return b;
  if (!b.ranked()) return a;
  if (a.rank() != b.rank()) return std::nullopt;
  std::vector<Dim> dims;
  for (std::int64_t i = 0; i < a.rank(); ++i) {
    std::optional<Dim> dim = merge(a[i], b[i]);
    if (!dim) return std::nullopt;
    dims.push_back(*dim);
  }
  return Shape(std::move(dims));
}

}  // namespace pare::ir
