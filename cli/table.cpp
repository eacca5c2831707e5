#include "table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

namespace pare::cli {

std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void Table::print(int indent) const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  const auto print_row = [&](const std::vector<std::string>& cells) {
    std::string line(static_cast<std::size_t>(indent), ' ');
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string space(widths[i] - display_width(cells[i]), ' ');
      line += columns_[i].align == Align::kRight ? space + cells[i] : cells[i] + space;
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::cout << line << "\n";
  };
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  print_row(titles);
  for (const auto& row : rows_) print_row(row);
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string percent(double value, int digits) { return fixed(value, digits) + " %"; }

std::string milliseconds(double value) {
  if (value <= 0) return fixed(value, 3);
  return fixed(value, std::clamp(2 - static_cast<int>(std::floor(std::log10(value))), 0, 4));
}

std::string joined(const std::vector<std::string>& parts, const std::string& separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

std::string shape_text(const std::vector<std::string>& dims) { return dims.empty() ? "scalar" : joined(dims, "×"); }

std::string shape_text(const Dims& dims) {
  std::vector<std::string> parts;
  for (std::int64_t dim : dims) parts.push_back(std::to_string(dim));
  return shape_text(parts);
}

std::string shortened(const std::string& text, std::size_t limit) {
  return text.size() <= limit ? text : "…" + text.substr(text.size() - limit + 1);
}

}  // namespace pare::cli
