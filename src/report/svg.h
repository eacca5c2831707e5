// Pieces of SVG that the report's charts and the picture of a comparison share.
#pragma once

#include <string>

namespace pare::report {

/// `css_class` may be ""; `anchor`: start, middle or end.
std::string svg_text(double x, double y, const char* anchor, const std::string& words, const char* css_class = "soft");
std::string svg_rect(double x, double y, double width, double height, const char* css_class);
/// A path of the class: "M0 0L1 1".
std::string svg_path(const std::string& path, const char* css_class);

}  // namespace pare::report
