#include "report/svg.h"

#include "report/format.h"

namespace pare::report {
namespace {

std::string class_of(const char* css_class) {
  return *css_class == '\0' ? "" : std::string(" class=\"") + css_class + "\"";
}

}  // namespace

std::string svg_text(double x, double y, const char* anchor, const std::string& words, const char* css_class) {
  return "<text" + class_of(css_class) + " x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" text-anchor=\"" +
         anchor + "\">" + escape(words) + "</text>";
}

std::string svg_rect(double x, double y, double width, double height, const char* css_class) {
  return "<rect" + class_of(css_class) + " x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" width=\"" +
         fixed(width, 2) + "\" height=\"" + fixed(height, 1) + "\"/>";
}

std::string svg_path(const std::string& path, const char* css_class) {
  return "<path" + class_of(css_class) + " d=\"" + path + "\"/>";
}

}  // namespace pare::report
