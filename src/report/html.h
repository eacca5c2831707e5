// Pieces of HTML: tables and sections.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace pare::report {

/// A table inside its own scrolling container. Cells are HTML; the first column is a row header.
class Table {
 public:
  /// `numeric`: the columns after the first are right-aligned figures.
  explicit Table(std::vector<std::string> header, std::string caption, bool numeric = true);
  void row(std::vector<std::string> cells, const std::string& css_class = {});
  /// The header of a column of words among figures.
  void words_in(std::size_t column) { words_.insert(column); }
  bool empty() const noexcept { return rows_.empty(); }
  /// `tall`: more rows than a page shows; the container scrolls vertically as well.
  std::string html(bool tall = false) const;

 private:
  std::vector<std::string> header_;
  std::string caption_, rows_;
  bool numeric_;
  std::set<std::size_t> words_;
};

std::string section(const std::string& id, const std::string& title, const std::string& body);
std::string paragraph(const std::string& html, const std::string& css_class = {});
/// A fold that opens on a click, without a script.
std::string fold(const std::string& title, const std::string& body, bool open = false);
std::string preformatted(const std::string& text);  ///< escaped here

/// The inline style sheet: light and dark, phone and desktop.
const char* style();

}  // namespace pare::report
