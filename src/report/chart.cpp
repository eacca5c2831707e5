#include "report/chart.h"

#include <algorithm>
#include <cmath>

#include "report/svg.h"

namespace pare::report {

namespace {

constexpr std::size_t kManyRows = 40;

std::string rect(const char* css_class, double y, double height, Figure value, double full) {
  if (!value || !(full > 0)) return "";
  return svg_rect(0, y, std::clamp(*value / full, 0.0, 1.0) * 100, height, css_class);
}

std::string key(const char* css_class, const std::string& name) {
  return std::string("<span class=\"key\"><i class=\"") + css_class + "\"></i>" + escape(name) + "</span>";
}

std::string bar_row(const Bar& bar, std::string (*show)(Figure), double full) {
  const std::string words =
      show(bar.before) == show(bar.after) ? show(bar.after) : show(bar.before) + " → " + show(bar.after);
  const std::string name = escape(bar.name);
  // Layers differ at the end of their names: what does not fit goes from the front (direction: rtl), read as it is (bdi).
  return "<span class=\"name\" title=\"" + name + "\"><bdi>" + name +
         "</bdi></span><svg viewBox=\"0 0 100 16\" preserveAspectRatio=\"none\" "
         "role=\"img\" aria-label=\"" +
         name + ": " + words + "\"><title>" + name + ": " + words + "</title>" +
         rect("b-before", 1, 6, bar.before, full) + rect("b-after", 8, 7, bar.after, full) +
         "</svg><span class=\"figures\">" + words + "</span>\n";
}

/// Where data coordinates land in the drawing.
struct Frame {
  double x_low, x_high, y_low, y_high;
  static constexpr double kLeft = 52, kRight = 388, kTop = 10, kBottom = 186;
  double x(double value) const { return kLeft + (value - x_low) / (x_high - x_low) * (kRight - kLeft); }
  double y(double value) const { return kBottom - (value - y_low) / (y_high - y_low) * (kBottom - kTop); }
};

std::string grid(const Frame& frame, const std::vector<double>& xs, const std::vector<double>& ys,
                 const std::string& x_label) {
  std::string out;
  for (const double y : ys) {
    const std::string at = fixed(frame.y(y), 1);
    out += "<path class=\"axis\" d=\"M" + fixed(Frame::kLeft, 1) + " " + at + "H" + fixed(Frame::kRight, 1) + "\"/>";
    out += svg_text(Frame::kLeft - 6, frame.y(y) + 4, "end", plain(y));
  }
  for (const double x : xs) {
    const std::string at = fixed(frame.x(x), 1);
    out += "<path class=\"axis\" d=\"M" + at + " " + fixed(Frame::kBottom, 1) + "v5\"/>";
    out += svg_text(frame.x(x), Frame::kBottom + 19, "middle", plain(x));
  }
  return out + svg_text((Frame::kLeft + Frame::kRight) / 2, Frame::kBottom + 37, "middle", x_label);
}

std::string polyline(const Line& line, const Frame& frame, const std::string& suffix) {
  std::string path, dots;
  for (const auto& [x, y] : line.points) {
    const std::string px = fixed(frame.x(x), 1), py = fixed(frame.y(y), 1);
    path += (path.empty() ? "M" : "L") + px + " " + py;
    if (line.points.size() <= 60)
      dots += "<circle class=\"d-" + suffix + "\" cx=\"" + px + "\" cy=\"" + py + "\" r=\"2.5\"><title>" +
              escape(line.name) + ": " + plain(y) + " at " + plain(x) + "</title></circle>";
  }
  return "<path class=\"l-" + suffix + "\" d=\"" + path + "\"/>" + dots;
}

Frame frame_of(const std::vector<Line>& lines) {
  Frame frame{INFINITY, -INFINITY, INFINITY, -INFINITY};
  for (const Line& line : lines) {
    for (const auto& [x, y] : line.points) {
      frame.x_low = std::min(frame.x_low, x);
      frame.x_high = std::max(frame.x_high, x);
      frame.y_low = std::min(frame.y_low, y);
      frame.y_high = std::max(frame.y_high, y);
    }
  }
  if (frame.x_low == frame.x_high) frame.x_low -= 0.5, frame.x_high += 0.5;
  if (frame.y_low == frame.y_high) frame.y_low -= 0.5, frame.y_high += 0.5;
  return frame;
}

}  // namespace

std::string bar_chart(const std::string& title, const std::vector<Bar>& bars, std::string (*show)(Figure),
                      Figure full_scale) {
  double most = 0;
  std::string rows;
  for (const Bar& bar : bars) most = std::max({most, bar.before.value_or(0), bar.after.value_or(0)});
  for (const Bar& bar : bars)
    if (bar.before || bar.after) rows += bar_row(bar, show, full_scale.value_or(most));
  if (rows.empty()) return "";
  const std::string tall = bars.size() > kManyRows ? " tall" : "";
  return "<figure><figcaption>" + escape(title) + key("k-before", "before") + key("k-after", "after") +
         "</figcaption>\n<div class=\"scroll" + tall + "\" tabindex=\"0\" role=\"region\" aria-label=\"" +
         escape(title) + "\"><div class=\"bars\">\n" + rows + "</div></div></figure>\n";
}

std::vector<double> round_ticks(double low, double high, int wanted) {
  if (!(high > low) || wanted < 1) return {low};
  const double rough = (high - low) / wanted, power = std::pow(10, std::floor(std::log10(rough)));
  const double step = power * (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
  std::vector<double> ticks;
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  for (double i = first; i <= last; ++i) ticks.push_back(i * step);
  return ticks;
}

std::string line_chart(const std::string& title, const std::string& x_label, const std::vector<Line>& lines) {
  static constexpr const char* kSuffix[] = {"after", "third"};
  std::vector<Line> drawn;
  for (const Line& line : lines)
    if (!line.points.empty() && drawn.size() < std::size(kSuffix)) drawn.push_back(line);
  if (drawn.empty()) return "";
  Frame frame = frame_of(drawn);
  const double margin = (frame.y_high - frame.y_low) * 0.05;
  frame.y_low -= margin;
  frame.y_high += margin;
  std::vector<double> x_ticks = round_ticks(frame.x_low, frame.x_high, 6);
  std::erase_if(x_ticks, [](double x) { return x != std::round(x); });  // epochs are counted
  std::string body = grid(frame, x_ticks, round_ticks(frame.y_low, frame.y_high, 4), x_label);
  std::string keys;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    body += polyline(drawn[i], frame, kSuffix[i]);
    keys += key((std::string("k-") + kSuffix[i]).c_str(), drawn[i].name);
  }
  return "<figure><figcaption>" + escape(title) + keys +
         "</figcaption>\n<svg viewBox=\"0 0 400 230\" role=\"img\" aria-label=\"" + escape(title) + " over " +
         escape(x_label) + "\"><title>" + escape(title) + "</title>" + body + "</svg></figure>\n";
}

}  // namespace pare::report
