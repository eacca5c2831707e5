#include "report/format.h"

#include <cmath>
#include <cstdio>

#include "base/text.h"

namespace pare::report {

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        // Control characters may not appear in HTML or XML, not even escaped.
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return out;
}

std::string fixed(double value, int digits) {
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string signed_fixed(double value, int digits) {
  const std::string size = fixed(std::abs(value), digits);
  const bool zero = size.find_first_not_of("0.") == std::string::npos;
  return (zero ? "±" : value < 0 ? "−" : "+") + size;
}

std::string percent(Figure value, int digits) { return value ? fixed(*value, digits) + " %" : kAbsent; }

std::string milliseconds(Figure value) {
  if (!value) return kAbsent;
  if (*value > 0 && *value < 1) return fixed(*value * 1000, *value < 0.01 ? 2 : *value < 0.1 ? 1 : 0) + " µs";
  if (*value >= 10000) return fixed(*value / 1000, 1) + " s";
  return fixed(*value, *value < 10 ? 2 : *value < 100 ? 1 : 0) + " ms";
}

std::string bytes(Figure value) {
  if (!value || !(std::abs(*value) < 9e18)) return kAbsent;
  return format_bytes(static_cast<std::int64_t>(*value));
}

std::string count(Figure value) {
  if (!value || !(std::abs(*value) < 9e18)) return kAbsent;
  return format_count(static_cast<std::int64_t>(*value));
}

std::string plain(Figure value) {
  if (!value) return kAbsent;
  if (*value == std::floor(*value) && std::abs(*value) < 1e15) return fixed(*value, 0);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.4g", *value);
  return buffer;
}

std::string ratio(Figure before, Figure after) {
  if (!before || !after || !(*after > 0) || !(*before >= 0)) return kAbsent;
  const double value = *before / *after;
  return fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0) + "×";
}

std::string difference(Figure before, Figure after) {
  return before && after ? signed_fixed(*after - *before, 2) : kAbsent;
}

}  // namespace pare::report
