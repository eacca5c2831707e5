// Dimensions and shapes as far as they are known before the inputs are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::ir {

using pare::to_string;  // of Dims: the overloads below would hide it

/// An integer, a named symbol ("batch") or unknown.
class Dim {
 public:
  Dim() = default;  ///< unknown
  Dim(std::int64_t value) : value_(value) {}
  static Dim symbol(std::string name);

  bool is_known() const noexcept { return value_ >= 0; }
  bool is_symbol() const noexcept { return symbol_ != nullptr; }
  bool is_unknown() const noexcept { return value_ < 0 && !symbol_; }
  std::int64_t value() const;  ///< requires is_known()
  const std::string& name() const noexcept;  ///< "" where it is no symbol
  /// Equal integers or equal symbols; an unknown dimension equals nothing, itself included.
  bool same_as(const Dim& other) const noexcept;
  /// Structural; two unknowns are equal.
  bool operator==(const Dim& other) const noexcept { return value_ == other.value_ && name() == other.name(); }

 private:
  std::int64_t value_ = -1;
  std::shared_ptr<const std::string> symbol_;  ///< shared: shapes are copied more than anything else
};

/// Unranked, or a list of dimensions.
class Shape {
 public:
  Shape() = default;  ///< rank unknown
  Shape(std::vector<Dim> dims) : ranked_(true), dims_(std::move(dims)) {}
  static Shape of(const Dims& dims);

  bool ranked() const noexcept { return ranked_; }
  std::int64_t rank() const noexcept { return static_cast<std::int64_t>(dims_.size()); }
  const std::vector<Dim>& dims() const noexcept { return dims_; }
  std::vector<Dim>& dims() noexcept { return dims_; }
  const Dim& operator[](std::int64_t axis) const {
    return dims_.at(static_cast<std::size_t>(axis < 0 ? axis + rank() : axis));
  }
  /// All dimensions known.
  bool is_static() const noexcept;
  std::optional<Dims> static_dims() const;
  bool operator==(const Shape& other) const = default;

 private:
  bool ranked_ = false;
  std::vector<Dim> dims_;
};

std::string to_string(const Dim& dim);      ///< "8", "batch", "?"
std::string to_string(const Shape& shape);  ///< "[batch, 3, ?, 8]", "[...]" when unranked

/// The more specific of two views of one shape; nullopt when they contradict each other (rank or a known dimension).
std::optional<Shape> merge(const Shape& a, const Shape& b);

}  // namespace pare::ir
