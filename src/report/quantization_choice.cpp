// What quantization chose by itself: each part with what it gained and cost, repaired layers, bits, and what stays as
// it was.
#include <algorithm>

#include "base/text.h"
#include "report/format.h"
#include "report/html.h"
#include "report/parts.h"

namespace pare::report {

namespace {

std::string decibels(Figure value) { return value ? fixed(*value, 1) + " dB" : kAbsent; }
std::string share(Figure value) { return value ? percent(*value * 100) : kAbsent; }
std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}
std::string change(Figure before, Figure after) {
  return before || after ? decibels(before) + " → " + decibels(after) : "";
}

/// The parts of one step, in the order in which they were chosen.
class Parts {
 public:
  explicit Parts(const Json& step)
      : step_(step), quantized_(at(step, {"quantized"})), choice_(at(step, {"quantized", "choice"})) {}

  std::string html() {
    for (const std::size_t column : {1, 2}) table_.words_in(column);
    calibration();
    equalization();
    smoothing();
    awq();
    mixed();
    rounding();
    calibrator();
    bias_correction();
    fit();
    repairs();
    row("Layers back to float", list(at(step_, {"accuracy"}), "reverted").empty() ? "" : "to keep max_drop", "",
        "max_drop");
    row("Calibration check", at(step_, {"calibration_check"}).is_object() ? "on parts of the samples" : "", "",
        "calibration_check");
    if (table_.empty()) return "";
    return judged() + table_.html();
  }

 private:
  /// Nothing where there is nothing to say; `key`: of the part's seconds.
  void row(const std::string& part, const std::string& what, const std::string& gain, const char* key) {
    if (what.empty()) return;
    const Figure seconds = number(choice_, {"parts", key});
    table_.row({escape(part), "<span class=\"wrap\">" + what + "</span>", "<span class=\"wrap\">" + gain + "</span>",
                seconds ? format_duration(*seconds) : kAbsent});
  }

  std::string judged() const {
    std::vector<std::string> outputs;
    for (const Json& name : list(choice_, "outputs"))
      if (name.is_string()) outputs.push_back(name.get<std::string>());
    const Figure samples = number(choice_, {"samples"}), seconds = number(choice_, {"seconds"});
    std::string words;
    if (samples)
      words += "Chosen by the SNR of " + (outputs.empty() ? "the output" : join(outputs, ", ")) + " on " +
               plain(samples) + " samples";
    if (samples && seconds) words += ", in " + format_duration(*seconds);
    if (!words.empty()) words += ".";
    if (const std::string note = text(choice_, {"note"}); !note.empty())
      words += (words.empty() ? "" : " ") + note + ".";
    return words.empty() ? "" : paragraph(escape(words));
  }

  void calibration() {
    const Figure samples = number(quantized_, {"samples"}), seconds = number(step_, {"calibration_seconds"});
    if (!samples || *samples == 0) return;
    table_.row({"Calibration", "<span class=\"wrap\">" + plain(samples) + " samples</span>", "",
                seconds ? format_duration(*seconds) : kAbsent});
  }

  void equalization() {
    const std::size_t pairs = list(choice_, "equalized").size();
    const std::size_t relu6 = list(at(choice_, {"relu6"}), "opened").size();
    const std::string opened = relu6 == 0 ? ""
                                          : ", " + std::to_string(relu6) + " ReLU6 became ReLU (" +
                                                decibels(number(choice_, {"relu6", "snr_db"})) + ")";
    const Json& absorbed = at(choice_, {"absorbed", "largest"});
    if (at(choice_, {"equalized"}).is_array())
      row("Cross-layer equalization",
          pairs == 0 ? "no two layers scale along"
                     : counted(pairs, "pair") +
                           (absorbed.is_object() && !absorbed.empty()
                                ? ", biases of " + std::to_string(absorbed.size()) + " absorbed"
                                : "") +
                           opened,
          "", "equalize");
  }

  static std::size_t size_of(const Json& object) { return object.is_object() ? object.size() : 0; }

  void smoothing() {
    const Json& smooth = at(choice_, {"smooth"});
    if (!smooth.is_object()) return;
    const Json& alpha = at(smooth, {"alpha"});
    Figure best;
    for (const Json& one : list(smooth, "tried"))
      if (at(one, {"alpha"}) == alpha) best = number(one, {"snr_db"});
    const std::string strength = alpha.is_number()   ? plain(alpha.get<double>())
                                 : alpha.is_string() ? alpha.get<std::string>()
                                                     : "";
    const std::string what =
        strength.empty() ? "not kept: every strength tried disturbs the output more"
                         : "strength " + escape(strength) + ": " + counted(size_of(at(smooth, {"folded"})), "value") +
                               " folded, " + std::to_string(size_of(at(smooth, {"multiplied"}))) + " multiplied, " +
                               std::to_string(size_of(at(smooth, {"left"}))) + " left";
    row("SmoothQuant", what, change(number(smooth, {"off_db"}), best), "smooth");
  }

  void awq() {
    const Json& awq = at(step_, {"awq"});
    if (awq.is_object())
      row("AWQ",
          counted(size_of(at(awq, {"folded"})), "value") + " folded, " + std::to_string(size_of(at(awq, {"left"}))) +
              " left",
          "", "awq");
  }

  void mixed() {
    if (const Figure average = number(choice_, {"mixed", "average"}))
      row("Mixed precision", fixed(*average, 2) + " bits of a weight on average", "", "mixed");
    else if (const Figure predicted = number(choice_, {"mixed", "predicted_ms"}))
      row("Mixed precision",
          milliseconds(predicted) + " predicted for the layers, " +
              milliseconds(number(choice_, {"mixed", "float_ms"})) + " in float",
          "", "mixed");
  }

  void rounding() {
    std::string how = text(choice_, {"rounding"});
    if (how.empty()) how = text(quantized_, {"rounding"});
    if (how.empty()) return;
    const std::size_t others = list(step_, "rounded_to_nearest").size();
    row("Rounding of weights",
        escape(how == "nearest" ? "to the nearest" : how) +
            (others > 0 ? ", " + counted(others, "layer") + " to the nearest" : ""),
        "", "rounding");
  }

  void calibrator() {
    const std::string name = text(choice_, {"calibrator"});
    std::vector<std::string> tried;
    if (const Json& all = at(choice_, {"calibrators"}); all.is_object())
      for (const auto& [one, value] : all.items())
        if (value.is_number()) tried.push_back(escape(one) + " " + decibels(value.get<double>()));
    row("Calibrator", escape(name), join(tried, ", "), "calibrator");
  }

  void bias_correction() {
    if (!at(choice_, {"bias_correction"}).is_object()) return;
    row("Bias correction", at(choice_, {"biases_corrected"}) == true ? "kept" : "not kept",
        change(number(choice_, {"bias_correction", "without_db"}), number(choice_, {"bias_correction", "with_db"})),
        "bias_correction");
  }

  void fit() {
    if (at(choice_, {"fitted"}).is_object())
      row("Ranges fitted", plain(number(choice_, {"fitted", "values"})) + " values",
          change(number(choice_, {"fitted", "without_db"}), number(choice_, {"fitted", "with_db"})), "fit");
  }

  void repairs() {
    const Json& repaired = at(choice_, {"protected"});
    if (!repaired.is_object()) return;
    const std::size_t all = list(repaired, "nodes").size(), wide = list(repaired, "int16").size(),
                      rounded = list(repaired, "gptq").size();
    std::vector<std::string> what;
    if (rounded > 0) what.push_back("weights of " + counted(rounded, "layer") + " rounded by GPTQ");
    if (wide > 0) what.push_back(counted(wide, "layer") + " with 16-bit inputs");
    if (all > wide) what.push_back(counted(all - wide, "layer") + " in float");
    if (all > 0) what.push_back(share(number(repaired, {"mac_share"})) + " of the MACs");
    const Figure target = number(step_, {"options", "protect", "snr"}), before = number(repaired, {"before_db"});
    if (what.empty())
      what.push_back(target && before && *before >= *target ? "none needed: " + decibels(target) + " are met"
                                                            : "none that helps");
    row("Repairs", join(what, ", "), change(before, number(repaired, {"after_db"})), "protect");
  }

  const Json& step_;
  const Json& quantized_;
  const Json& choice_;
  Table table_{{"Part", "Choice", "Output SNR", "Time"}, "What quantization chose"};
};

std::string repaired_table(const Json& choice) {
  Table table({"Layer", "Became", "SNR alone, 8 bits", "By GPTQ", "With 16-bit inputs", "Share of MACs"},
              "Layers that cost the output most, and their repair");
  const std::vector<Json> by_gptq = list(at(choice, {"protected"}), "gptq");
  for (const Json& layer : list(at(choice, {"protected"}), "sensitivity")) {
    const bool floats = at(layer, {"float"}) == true, wide = at(layer, {"int16"}) == true;
    const bool rounded = std::ranges::find(by_gptq, at(layer, {"node"})) != by_gptq.end();
    if (!floats && !wide && !rounded) continue;
    table.row({escape(text(layer, {"node"})),
               floats ? "float"
               : wide ? "16-bit inputs"
                      : "rounded by GPTQ",
               decibels(number(layer, {"snr_db"})), decibels(number(layer, {"gptq_db"})),
               decibels(number(layer, {"int16_db"})), share(number(layer, {"mac_share"}))});
  }
  return table.empty() ? "" : table.html(true);
}

std::string bits_table(const Json& choice) {
  Table table({"Layer", "Bits", "SNR or Ω at each choice of bits"}, "Bits by layer");
  for (const Json& layer : list(at(choice, {"mixed"}), "layers")) {
    std::vector<std::string> costs;
    for (const char* key : {"snr_db", "omega"})
      if (const Json& all = at(layer, {key}); all.is_object())
        for (const auto& [bits, value] : all.items())
          if (value.is_number()) costs.push_back(escape(bits) + ": " + plain(value.get<double>()));
    table.row({escape(text(layer, {"node"})), escape(text(layer, {"bits"})), join(costs, ", ")});
  }
  return table.empty() ? "" : table.html(true);
}

std::string reasons_table(const std::vector<Json>& entries, const std::string& caption) {
  Table table({"Layer", "Reason"}, caption, false);
  for (const Json& one : entries) table.row({escape(text(one, {"node"})), escape(text(one, {"reason"}))});
  return table.empty() ? "" : table.html(true);
}

}  // namespace

std::string quantization_choice(const Json& step) {
  const Json& choice = at(step, {"quantized", "choice"});
  return Parts(step).html() + repaired_table(choice) + bits_table(choice) +
         reasons_table(list(at(step, {"quantized"}), "skipped"), "Layers that stay float") +
         reasons_table(list(step, "rounded_to_nearest"), "Layers rounded to the nearest after all");
}

}  // namespace pare::report
