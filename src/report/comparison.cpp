#include "report/comparison.h"

#include <algorithm>
#include <cmath>

#include "pare/error.h"
#include "report/format.h"
#include "report/record.h"
#include "report/svg.h"

namespace pare::report {

namespace {

constexpr double kWidth = 1200, kMargin = 24, kHead = 150, kRow = 46;
constexpr double kBars = 200;  ///< width of a bar at full scale
constexpr double kLayer = kMargin, kSnr = 400, kAlone = 680, kValues = 960, kValuesWidth = 216;
constexpr std::size_t kNameLength = 48;

/// Standalone pictures are shown by programs that know no CSS variables.
constexpr const char* kStyle =
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1c2126}"
    ".soft{fill:#59636e}.small{font-size:10px;fill:#59636e}.title{font-size:18px;font-weight:600}"
    ".head{font-weight:600}.worst{fill:#a63200;font-weight:600}"
    ".paper{fill:#fff}.band{fill:#f4f6f8}.track{fill:#e3e8ed}.bar{fill:#0072b2}.bad{fill:#d55e00}"
    ".a{fill:#aab3bc}.b{fill:none;stroke:#0072b2;stroke-width:1.3}.axis{stroke:#d5dbe1;fill:none}";

std::string shortened(const std::string& name) {
  if (name.size() <= kNameLength) return name;
  std::size_t from = name.size() - kNameLength;
  while (from < name.size() && (static_cast<unsigned char>(name[from]) & 0xC0) == 0x80) ++from;  // not inside a letter
  return "…" + name.substr(from);
}

std::string decibels(Figure value) { return value ? fixed(*value, 1) + " dB" : kAbsent; }

std::string name_of(const Json& layer) {
  const std::string name = text(layer, {"layer"});
  return name.empty() ? text(layer, {"value"}) : name;
}

/// The scale of the bars: the largest finite figure, in tens.
double full_scale(const std::vector<Json>& layers) {
  double most = 10;
  for (const Json& layer : layers)
    for (const Figure& figure : {number(layer, {"snr_db"}), number(layer, {"injected", "snr_db"})})
      most = std::max(most, std::min(figure.value_or(0), 100.0));
  return std::ceil(most / 10) * 10;
}

/// The lowest figure of a column, where there are several.
Figure lowest(const std::vector<Json>& layers, std::initializer_list<const char*> keys) {
  Figure least;
  std::size_t count = 0;
  for (const Json& layer : layers)
    if (const Figure figure = number(layer, keys)) {
      least = std::min(least.value_or(*figure), *figure);
      ++count;
    }
  return count > 1 ? least : std::nullopt;
}

std::string bar(double x, double y, Figure value, double full, bool worst, const std::string& words) {
  std::string out = svg_rect(x, y, kBars, 9, "track");
  if (value) out += svg_rect(x, y, std::clamp(*value / full, 0.0, 1.0) * kBars, 9, worst ? "bad" : "bar");
  return out + svg_text(x, y + 24, "start", words, worst ? "worst" : "");
}

/// Heights on a logarithmic scale: zeros, which ReLU makes in plenty, leave the rest to be seen.
std::vector<double> heights(const Json& layer, const char* model, double most) {
  std::vector<double> found;
  for (const Json& count : list(at(layer, {"histogram"}), model))
    found.push_back(count.is_number() ? std::log1p(count.get<double>()) / std::log1p(most) : 0);
  return found;
}

double largest_count(const Json& layer) {
  double most = 1;
  for (const char* model : {"a", "b"})
    for (const Json& count : list(at(layer, {"histogram"}), model))
      if (count.is_number()) most = std::max(most, count.get<double>());
  return most;
}

/// a filled, b as a line over it.
std::string distributions(const Json& layer, double x, double y, double width, double height) {
  const double most = largest_count(layer);
  const std::vector<double> a = heights(layer, "a", most), b = heights(layer, "b", most);
  if (a.empty() || b.empty()) return "";
  const auto outline = [&](const std::vector<double>& values) {
    const double step = width / static_cast<double>(values.size());
    std::string path = "M" + fixed(x, 1) + " " + fixed(y + height, 1);
    for (std::size_t i = 0; i < values.size(); ++i)
      path += "V" + fixed(y + height * (1 - values[i]), 1) + "H" + fixed(x + step * static_cast<double>(i + 1), 1);
    return path + "V" + fixed(y + height, 1);
  };
  return svg_path(outline(a) + "Z", "a") + svg_path(outline(b), "b");
}

std::string range_words(const Json& layer, const char* key) {
  const std::vector<Json> range = list(layer, key);
  if (range.size() != 2 || !range[0].is_number() || !range[1].is_number()) return kAbsent;
  const auto figure = [](const Json& value) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.3g", value.get<double>());
    return std::string(buffer);
  };
  return figure(range[0]) + " … " + figure(range[1]);
}

std::string effect_words(const Json& layer) {
  const Json& injected = at(layer, {"injected"});
  if (injected.is_null()) return kAbsent;
  if (at(injected, {"harmless"}) == true) return "no effect";
  const Figure agreement = number(injected, {"agreement"});
  return decibels(number(injected, {"snr_db"})) + (agreement ? ", " + percent(agreement, 1) + " agree" : "");
}

struct Scale {
  double full;
  Figure worst_snr, worst_alone;
};

std::string row(const Json& layer, std::size_t index, const Scale& scale) {
  const double y = kHead + static_cast<double>(index) * kRow;
  const Figure snr = number(layer, {"snr_db"}), alone = number(layer, {"injected", "snr_db"});
  const std::string name = name_of(layer);
  std::string out = "<g><title>" + escape(name) + "</title>";
  if (index % 2 == 1) out += svg_rect(0, y, kWidth, kRow, "band");
  out += svg_text(kLayer, y + 18, "start", shortened(name), "");
  out += svg_text(kLayer, y + 34, "start", text(layer, {"op_type"}), "small");
  const bool same = at(layer, {"identical"}) == true;
  out += bar(kSnr, y + 8, same ? Figure(scale.full) : snr, scale.full, snr && snr == scale.worst_snr,
             same ? "identical" : decibels(snr));
  out += bar(kAlone, y + 8, at(layer, {"injected", "harmless"}) == true ? Figure(scale.full) : alone, scale.full,
             alone && alone == scale.worst_alone, effect_words(layer));
  out += distributions(layer, kValues, y + 5, kValuesWidth, 24);
  out += svg_path("M" + fixed(kValues, 1) + " " + fixed(y + 29, 1) + "h" + fixed(kValuesWidth, 1), "axis");
  out += svg_text(kValues, y + 41, "start", "A " + range_words(layer, "range_a"), "small");
  out += svg_text(kValues + kValuesWidth, y + 41, "end", "B " + range_words(layer, "range_b"), "small");
  return out + "</g>\n";
}

std::string file_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string heading(const Json& comparison, double full) {
  const std::string a = file_name(text(comparison, {"a"})), b = file_name(text(comparison, {"b"}));
  std::string words = text(comparison, {"samples"}) + (at(comparison, {"random"}) == true ? " random samples" : " samples");
  if (const Figure agreement = number(comparison, {"agreement"})) words += " · agreement " + percent(agreement);
  if (const Figure snr = number(comparison, {"snr_db"})) words += " · " + decibels(snr) + " at the output";
  const std::string alone = text(comparison, {"injection_samples"});
  const std::string scale = " (bars: 0 to " + fixed(full, 0) + " dB)";
  return svg_text(kMargin, 34, "start", shortened(a) + " and " + shortened(b), "title") +
         svg_text(kMargin, 58, "start", "A: " + a + " · B: " + b + " · " + words) +
         svg_text(kLayer, 110, "start", "Layer", "head") + svg_text(kSnr, 110, "start", "SNR of the layer", "head") +
         svg_text(kSnr, 128, "start", "B against A" + scale, "small") +
         svg_text(kAlone, 110, "start", "Alone, at the output", "head") +
         svg_text(kAlone, 128, "start",
                  alone == "0" || alone.empty() ? "not measured" : "its error alone put into A, " + alone + " samples",
                  "small") +
         svg_text(kValues, 110, "start", "Values", "head") + svg_rect(kValues, 119, 10, 10, "a") +
         svg_text(kValues + 15, 128, "start", "A", "small") +
         svg_path("M" + fixed(kValues + 36, 1) + " 124h14", "b") + svg_text(kValues + 55, 128, "start", "B", "small") +
         svg_text(kValues + 72, 128, "start", "(counts, logarithmic)", "small") +
         svg_path("M0 " + fixed(kHead - 6, 1) + "H" + fixed(kWidth, 1), "axis") + "\n";
}

}  // namespace

std::string render_comparison(std::string_view comparison_json) {
  Json comparison;
  try {
    comparison = Json::parse(comparison_json);
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kBadInput, "comparison", std::string("is not JSON: ") + error.what());
  }
  if (!at(comparison, {"layers"}).is_array())
    throw Error(ErrorCode::kBadInput, "comparison", "is not what pare compare --json prints", "a list \"layers\"");
  const std::vector<Json> layers = list(comparison, "layers");
  const Scale scale{full_scale(layers), lowest(layers, {"snr_db"}), lowest(layers, {"injected", "snr_db"})};
  const double height = kHead + static_cast<double>(layers.size()) * kRow + kMargin;
  const std::string size = fixed(kWidth, 0) + " " + fixed(height, 0);
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + fixed(kWidth, 0) + "\" height=\"" +
                    fixed(height, 0) + "\" viewBox=\"0 0 " + size + "\" role=\"img\">\n<title>" +
                    escape("Comparison of " + text(comparison, {"a"}) + " and " + text(comparison, {"b"})) +
                    "</title>\n<style>" + kStyle + "</style>\n" + svg_rect(0, 0, kWidth, height, "paper") + "\n" +
                    heading(comparison, scale.full);
  for (std::size_t i = 0; i < layers.size(); ++i) out += row(layers[i], i, scale);
  return out + "</svg>\n";
}

}  // namespace pare::report
