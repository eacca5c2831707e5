// Lines of "file,label" (RFC 4180 quotes allowed) or of "file" alone; paths are relative to the csv; a header line may
// lead.
#include <charconv>

#include "base/file.h"
#include "base/text.h"
#include "data/file_source.h"
#include "data/image_file.h"
#include "data/reader.h"

namespace pare::data {

namespace {

std::vector<std::string> fields_of(std::string_view line, const std::string& where) {
  std::vector<std::string> fields(1);
  bool quoted = false, was_quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"' && (quoted || trim(fields.back()).empty())) {
      if (!quoted) fields.back().clear();
      quoted = !quoted;
      was_quoted = true;
    } else if (c == ',' && !quoted) {
      if (!was_quoted) fields.back() = trim(fields.back());
      fields.emplace_back();
      was_quoted = false;
    } else if (!was_quoted || quoted || (c != ' ' && c != '\t')) {
      fields.back() += c;
    }
  }
  if (quoted) throw Error(ErrorCode::kBadInput, where, "a quote is not closed");
  if (!was_quoted) fields.back() = trim(fields.back());
  return fields;
}

bool parse_label(const std::string& text, std::int64_t& label) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
  return error == std::errc{} && end == text.data() + text.size();
}

bool is_header(const std::vector<std::string>& fields) {
  std::int64_t label = 0;
  if (fields.size() > 1) return !fields[1].empty() && !parse_label(fields[1], label) && !has_image_extension(fields[0]);
  return !has_image_extension(fields[0]);
}

}  // namespace

std::shared_ptr<const Source> open_csv(const Settings& split) {
  const fs::path path = split.path("file");
  std::vector<ImageFile> images;
  std::size_t columns = 0;
  std::int64_t number = 0;
  std::string content = read_file(path);
  if (content.starts_with("\xef\xbb\xbf")) content.erase(0, 3);  // a byte order mark, as spreadsheets write it
  for (const std::string& line : pare::split(content, '\n')) {
    ++number;
    const std::string text = trim(line), where = path.string() + " line " + std::to_string(number);
    if (text.empty()) continue;
    const std::vector<std::string> fields = fields_of(text, where);
    if (columns == 0 && is_header(fields)) {
      columns = fields.size();
      if (columns <= 2) continue;
    }
    if (columns == 0) columns = fields.size();
    if (columns > 2) throw Error(ErrorCode::kBadInput, where, "has too many columns", "file,label", text);
    if (fields.size() != columns) {
      throw Error(ErrorCode::kBadInput, where, "has another number of columns than the lines before",
                  std::to_string(columns), std::to_string(fields.size()));
    }
    ImageFile image{(path.parent_path() / fields[0]).lexically_normal(), -1, number};
    if (columns == 2 && !parse_label(fields[1], image.label)) {
      throw Error(ErrorCode::kBadInput, where, "the label is not a whole number", "a class number from 0",
                  "'" + fields[1] + "'");
    }
    if (!fs::is_regular_file(image.path))
      throw Error(ErrorCode::kBadInput, where, "no such image file", "", image.path.string());
    images.push_back(std::move(image));
  }
  return std::make_shared<FileImages>(path.string(), path, std::move(images), columns == 2, 0);
}

}  // namespace pare::data
