// Tables and figures for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::cli {

/// Characters of UTF-8 text.
std::size_t display_width(const std::string& text);

/// Columns are as wide as their widest cell; numbers align to the right.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells);
  bool empty() const noexcept { return rows_.empty(); }
  /// Prints on standard output, every line indented.
  void print(int indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

inline constexpr Table::Align kLeft = Table::Align::kLeft;
inline constexpr Table::Align kRight = Table::Align::kRight;

std::string fixed(double value, int digits);
std::string percent(double value, int digits = 2);  ///< "91.51 %"
std::string milliseconds(double value);             ///< "0.123", three digits that count
std::string joined(const std::vector<std::string>& parts, const std::string& separator);
std::string shape_text(const std::vector<std::string>& dims);  ///< "batch×3×8"
std::string shape_text(const Dims& dims);
/// Keeps the end, which tells names apart: "…layer1/conv2".
std::string shortened(const std::string& text, std::size_t limit);

}  // namespace pare::cli
