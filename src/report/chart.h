// Inline SVG: horizontal bars and line charts.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/format.h"

namespace pare::report {

struct Bar {
  std::string name;
  Figure before, after;
};

/// A figure with one row a bar: name, two bars on a common scale, "before → after" in words. `show` formats a figure.
/// "" when no bar has a figure. Many rows scroll inside their own container.
std::string bar_chart(const std::string& title, const std::vector<Bar>& bars, std::string (*show)(Figure),
                      Figure full_scale = std::nullopt);

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

/// Up to two lines over whole-numbered x, with axes, ticks and a key; "" when there are no points.
std::string line_chart(const std::string& title, const std::string& x_label, const std::vector<Line>& lines);

/// Ticks at round numbers (1, 2 or 5 times a power of ten) that cover low … high with about `wanted` steps.
std::vector<double> round_ticks(double low, double high, int wanted);

}  // namespace pare::report
